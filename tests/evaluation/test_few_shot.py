from typing import Any

import pytest
import torch
from torch import Tensor

from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.few_shot import FewShotRecognition
from vtlearn.evaluation.result import Result

#: Two families of three classes, whose windows show the same four things in another order.
ORDERS = {
    f"{family}{n}": [first + window for window in order]
    for family, first in (("a", 0), ("b", 4))
    for n, order in enumerate([[0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]])
}
CLASSES = {label: [f"{label}.{n}" for n in range(4)] for label in ORDERS}
GROUPS = {label: label[0] for label in ORDERS}
KINDS = ("dtw", "otam", "mean")


def protocol(**changes: Any) -> FewShotRecognition:
    arguments = {"windows": "4", "groups": GROUPS, "shots": [1, 3], "episodes": 200, **changes}
    classes = arguments.pop("classes", CLASSES)
    return FewShotRecognition("few-shot", 1, classes, **arguments)


def perfect() -> dict[str, Tensor]:
    return {one: torch.eye(8)[ORDERS[label]] for label, ids in CLASSES.items() for one in ids}


def unordered() -> dict[str, Tensor]:
    """What tells families apart, and not orders."""
    return {one: windows.mean(0).expand(4, 8) for one, windows in perfect().items()}


def at_random(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {one: torch.randn(4, 8, generator=generator) for one in perfect()}


def score(vectors: dict[str, Tensor], **changes: Any) -> Result:
    scored = protocol(**changes)
    scored.begin()
    for one, windows in vectors.items():
        scored.add(EncodedItem(one, windows=windows))
    return scored.result()


def test_a_perfect_model() -> None:
    result = score(perfect())
    assert result.primary == "dtw_5way_1shot"
    names = [
        f"{kind}_{ways}_{s}shot"
        for kind in KINDS
        for ways in ("5way", "group_3way")
        for s in (1, 3)
    ]
    assert set(result.metrics) == set(names)
    for name in names:
        if not name.startswith("mean"):
            assert result.metrics[name] == 100.0
            assert result.intervals[name] == (100.0, 100.0)
    for shots in (1, 3):  # members tie
        assert result.metrics[f"mean_group_3way_{shots}shot"] == pytest.approx(100 / 3)
    assert not result.at_chance
    assert result.coverage.complete
    assert result.settings["shots"] == [1, 3]
    assert result.similarity == "cosine"


def test_a_constant_model_is_at_chance() -> None:
    result = score(dict.fromkeys(perfect(), torch.ones(4, 8)))
    for name, value in result.metrics.items():
        chance = 100 / 3 if "group" in name else 20.0
        assert value == pytest.approx(chance)
        assert result.chance[name].value == pytest.approx(chance)
        assert result.chance[name].low < chance < result.chance[name].high
    assert result.at_chance


def test_random_models_are_at_chance() -> None:
    results = [score(at_random(seed), episodes=100) for seed in range(10)]
    assert sum(result.at_chance for result in results) >= 9
    assert abs(sum(result.metrics["dtw_5way_1shot"] for result in results) / 10 - 20) < 5


def test_what_has_no_order_tells_families_alone() -> None:
    result = score(unordered())
    for kind in KINDS:
        assert result.metrics[f"{kind}_group_3way_1shot"] == pytest.approx(100 / 3)
        assert result.metrics[f"{kind}_5way_1shot"] == pytest.approx(40.0, abs=2)


def test_intervals_are_of_the_episodes() -> None:
    for episodes, widest in ((100, 12.0), (1600, 3.0)):
        result = score(at_random(0), episodes=episodes)
        low, high = result.intervals["dtw_5way_1shot"]
        assert low < result.metrics["dtw_5way_1shot"] < high
        assert 0.3 * widest < high - low < widest


def test_groups_of_fewer_than_three_have_no_figures() -> None:
    assert not any("group" in name for name in score(perfect(), groups=None).metrics)
    few = {"a0": "x", "a1": "x", "b0": "y", "b1": "y", "b2": "y"}
    result = score(perfect(), groups=few)
    assert result.metrics["dtw_group_3way_1shot"] == 100.0


def test_what_is_compared() -> None:
    vectors = {one: 5 * windows for one, windows in perfect().items()}
    assert score(vectors, pooling="raw").metrics == score(perfect()).metrics
    scored = protocol()
    scored.begin(embed=torch.zeros_like)
    for one, windows in perfect().items():
        scored.add(EncodedItem(one, windows=windows, embed=torch.zeros_like))
    assert scored.result().at_chance


def test_videos_that_did_not_come() -> None:
    vectors = perfect()
    del vectors["b2.3"]
    result = score(vectors, shots=[1, 2])
    assert result.coverage.missing == ["b2.3"]
    with pytest.raises(EvaluationError, match=r"needs 4 videos .*of 'b2' came 3 of 4"):
        score(vectors)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(EvaluationError, match=r"'a0.0' has no window"):
        score({"a0.0": torch.ones(0, 8)})
    with pytest.raises(EvaluationError, match=r"'a0.0' hold NaN"):
        score({"a0.0": torch.full((4, 8), torch.nan)})
    with pytest.raises(EvaluationError, match=r"'a0.0' has 4 of width 8, and 'a0.1' 3 of width 8"):
        score({**perfect(), "a0.1": torch.ones(3, 8)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ways": 1}, "ways=1; an episode needs 2"),
        ({"ways": 7}, "takes ways=7 classes of an episode, and there are 6"),
        ({"shots": []}, r"expected shots of 1 or more, each once, got \[\]"),
        ({"shots": [0]}, r"got \[0\]"),
        ({"shots": [1, 1]}, r"got \[1, 1\]"),
        ({"shots": [4]}, "needs 5 videos of each class, and 'a0' has 4"),
        ({"episodes": 0}, "episodes must be positive"),
        ({"gamma": -1.0}, "gamma must be 0 or more"),
        ({"pooling": "none"}, "pooling='none' is none of"),
        (
            {"classes": {**CLASSES, "c": CLASSES["a0"]}},
            "'a0.0' is of the classes 'a0' and 'c'",
        ),
    ],
)
def test_arguments_that_make_no_sense(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        protocol(**changes)


def scored_together() -> Result:
    rank, world = process()
    evaluator = Evaluator([EvaluationTask([protocol()], [], 1)], embed=lambda vectors: vectors)
    evaluator.begin()
    items = [EncodedItem(one, windows=x) for one, x in at_random(0).items()]
    evaluator.update(0, items[rank::world])
    (result,) = evaluator.compute()
    return result


@pytest.mark.ddp
def test_two_processes_have_the_figures_of_one(two_processes: Pool) -> None:
    alone = scored_together()
    assert two_processes.run(scored_together) == [alone, alone]
