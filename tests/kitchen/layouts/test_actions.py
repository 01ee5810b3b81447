from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus
from vtlearn.kitchen.layouts import KitchenHMDB51, KitchenUCF101
from vtlearn.kitchen.layouts.actions import Action, KitchenActions
from vtlearn.kitchen.recipes import ACTIONS

SMALL: dict[str, Any] = {"seed": 0, "size": 16, "fps": 2, "workers": 1}


class Named(KitchenActions):
    def __init__(self, per_class: int = 12, ingredients: int = 4) -> None:
        sizes = {"per_class": per_class, "ingredients": ingredients}
        super().__init__("named", "data/named", **SMALL, **sizes)

    def path_of(self, action: Action) -> str:
        return f"{action.name}/{action.number}-{action.group}-{action.clip}-{action.tested_by}.avi"

    def lists(self, actions: Mapping[str, Action]) -> dict[str, str]:
        return {"list.txt": "".join(actions)}


@pytest.mark.parametrize("per_class", [3, 9, 12])
def test_each_split_tests_a_third_of_each_class_in_whole_groups(per_class: int) -> None:
    plans = Named(per_class).plans()
    assert len(plans) == 8 * per_class
    counts = Counter((plan.split, plan.steps[0].action) for plan in plans)
    wanted = {(f"split{n}", name): per_class // 3 for n in (1, 2, 3) for name in ACTIONS}
    assert counts == wanted
    splits: dict[tuple[str, str], set[str]] = {}
    for plan in plans:
        _, group, clip, tested = plan.id.split("-")
        splits.setdefault((plan.steps[0].action, group), set()).add(plan.split)
        assert plan.split == f"split{tested}"
        assert clip in ("1", "2")
    assert all(len(own) == 1 for own in splits.values())


def test_ingredients_take_turns_in_every_class_and_split() -> None:
    counts = Counter(
        (plan.split, plan.steps[0].action, plan.steps[0].ingredient) for plan in Named().plans()
    )
    assert len(counts) == 3 * 8 * 4
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"per_class": 4}, "per_class is 4; .* choose a multiple of 3, such as 6"),
        ({"per_class": 0}, "per_class is 0; it must be 3 or more"),
        ({"ingredients": 0}, "ingredients is 0; it must be 1 or more"),
    ],
)
def test_arguments_outside_their_range(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Named(**sizes)


def test_no_clip_is_one_of_another_corpus() -> None:
    corpora = [KitchenUCF101(), KitchenHMDB51()]
    plans = [plan for corpus in corpora for plan in corpus.plans()] + KitchenCorpus().plans()
    scenery = [plan.scenery for plan in plans]
    assert len(scenery) == len(set(scenery)) == 240 + 240 + 450
    assert {corpus.root for corpus in corpora} == {
        Path("data/kitchen-ucf101"),
        Path("data/kitchen-hmdb51"),
    }
