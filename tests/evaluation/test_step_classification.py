import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.reference import segment_accuracy
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.step_classification import StepClassification

Segments = dict[str, dict[str, str]]
Vectors = Mapping[str, Tensor]


def corpus(seed: int = 0, tasks: int = 5, most: int = 40) -> Segments:
    """Tasks of several sizes, whose steps are shown a different number of times."""
    rng = np.random.default_rng(seed)
    segments: Segments = {}
    for task in range(tasks):
        shown = rng.integers(0, 3 + task, int(rng.integers(8, most)))
        segments[f"t{task}"] = {f"{task}/{i}": f"step {k}" for i, k in enumerate(shown.tolist())}
    return segments


def protocol(segments: Segments, **changes: Any) -> StepClassification:
    arguments = {"windows": "one", "similarity": "dot", **changes}
    return StepClassification("ctr", 1, segments, **arguments)


def score(segments: Segments, items: Vectors, texts: Vectors, **changes: Any) -> Result:
    classification = protocol(segments, **changes)
    classification.begin(text_vectors={one: texts[one] for one in classification.texts})
    for item, vector in items.items():
        classification.add(EncodedItem(item, windows=vector[None]))
    return classification.result()


def random_vectors(segments: Segments, seed: int = 0, dim: int = 6) -> tuple[Vectors, Vectors]:
    """Vectors of small whole numbers, of which many products tie."""
    rng = torch.Generator().manual_seed(seed)
    items = [item for task in segments.values() for item in task]
    texts = protocol(segments).texts
    return tuple(  # type: ignore[return-value]
        {one: torch.randint(-1, 2, (dim,), generator=rng).float() for one in several}
        for several in (items, texts)
    )


def mean_over_tasks(shares: list[list[float]]) -> float:
    return 100 * float(np.mean([np.mean(task) for task in shares]))


def matrix(task: str, segments: Segments, items: Vectors, texts: Vectors) -> Tensor:
    """Similarities of all segments of a task and the step texts of all."""
    rows = torch.stack([items[item] for item in segments[task]])
    columns = torch.stack([texts[f"{task}#{text}"] for text in segments[task].values()])
    return rows @ columns.T


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_all_segments_and_all_texts(seed: int) -> None:
    segments = corpus(seed)
    items, texts = random_vectors(segments, seed)
    shares: list[list[float]] = []
    ties = 0
    for task in segments:
        said = list(segments[task].values())
        shares.append([])
        for row, own in zip(matrix(task, segments, items, texts), said, strict=True):
            best = [text for text, x in zip(said, row.tolist(), strict=True) if x == row.max()]
            ties += len(set(best)) > 1
            shares[-1].append(sum(text == own for text in best) / len(best))
    assert ties > 10
    result = score(segments, items, texts)
    assert result.metrics == {"ctr": pytest.approx(mean_over_tasks(shares))}
    assert (result.primary, result.mode, result.similarity) == ("ctr", "exact", "dot")
    assert result.coverage.complete
    low, high = result.intervals["ctr"]
    assert low < result.metrics["ctr"] < high


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_the_published_accuracy_of_each_task(seed: int) -> None:
    segments = corpus(seed)
    items, texts = random_vectors(segments, seed)
    published = [segment_accuracy(matrix(task, segments, items, texts)) for task in segments]
    result = score(segments, items, texts, mode="reference")
    assert result.metrics["ctr"] == pytest.approx(np.mean(published))
    assert result.metrics["ctr"] > score(segments, items, texts).metrics["ctr"]
    assert result.mode == "reference"


def test_tasks_count_alike_and_texts_by_their_segments() -> None:
    segments = {"cake": {"a": "stir", "b": "stir", "c": "bake", "d": "cut"}, "tea": {"e": "boil"}}
    stir, bake, cut = torch.eye(3)
    texts = {"cake#stir": stir, "cake#bake": bake, "cake#cut": cut, "tea#boil": -stir}
    items = {"a": stir, "b": stir + bake, "c": stir + bake, "d": cut + bake, "e": cut}
    shares = [[1, 2 / 3, 1 / 3, 1 / 2], [1.0]]
    assert score(segments, items, texts).metrics["ctr"] == pytest.approx(mean_over_tasks(shares))
    assert score(segments, items, texts, mode="reference").metrics["ctr"] == 100


def test_a_constant_model_is_at_chance_and_always_right_as_published() -> None:
    segments = corpus()
    items, texts = random_vectors(segments)
    one = torch.randn(6, generator=torch.Generator().manual_seed(0))
    result = score(segments, dict.fromkeys(items, one), dict.fromkeys(texts, one))
    alike = [
        [list(task.values()).count(text) / len(task) for text in task.values()]
        for task in segments.values()
    ]
    assert result.metrics["ctr"] == pytest.approx(mean_over_tasks(alike))
    assert result.chance["ctr"].value == pytest.approx(result.metrics["ctr"])
    assert result.at_chance
    published = score(
        segments, dict.fromkeys(items, one), dict.fromkeys(texts, one), mode="reference"
    )
    assert published.metrics["ctr"] == 100


def test_random_models_lie_in_the_interval_of_chance() -> None:
    segments = {f"t{i}": {f"{i}/{j}": f"step {j}" for j in range(8 + 20 * i)} for i in range(5)}
    inside = 0
    for seed in range(40):
        rng = torch.Generator().manual_seed(seed)
        items = {x: torch.randn(64, generator=rng) for task in segments.values() for x in task}
        texts = {x: torch.randn(64, generator=rng) for x in protocol(segments).texts}
        result = score(segments, items, texts)
        chance = result.chance["ctr"]
        inside += chance.low <= result.metrics["ctr"] <= chance.high
    assert inside >= 35  # 95 % of 40 is 38


def test_the_interval_of_chance_is_that_of_a_mean_over_tasks() -> None:
    # the small task moves the mean as much as the large one does
    few = {f"a{i}": f"step {i % 2}" for i in range(4)}
    many = {f"b{i}": f"step {i % 2}" for i in range(400)}
    segments = {"few": few, "many": many}
    items, texts = random_vectors(segments)
    low, high = score(segments, items, texts).chance["ctr"][1:]
    assert low == pytest.approx(25, abs=3)
    assert high == pytest.approx(75, abs=3)


def test_a_perfect_model_reaches_the_ceiling() -> None:
    segments = corpus()
    known = dict(zip(protocol(segments).texts, torch.eye(100), strict=False))
    items = {
        item: known[f"{task}#{text}"] for task in segments for item, text in segments[task].items()
    }
    for mode in ("exact", "reference"):
        result = score(segments, items, known, mode=mode)
        assert result.metrics["ctr"] == result.ceiling["ctr"] == 100
        assert not result.at_chance


def test_segments_that_did_not_come_are_still_texts_to_choose() -> None:
    segments = {"cake": {"a": "stir", "b": "bake", "c": "bake"}, "tea": {"d": "boil"}}
    texts = {"cake#stir": torch.ones(1), "cake#bake": torch.ones(1), "tea#boil": torch.ones(1)}
    result = score(segments, {"a": torch.ones(1)}, texts)
    assert result.metrics["ctr"] == pytest.approx(100 / 3)
    assert result.chance["ctr"].value == pytest.approx(100 / 3)
    assert result.coverage.missing == ["b", "c", "d"]


def test_any_number_of_processes_gives_the_same_result() -> None:
    segments = corpus()
    items, texts = random_vectors(segments)
    whole = score(segments, items, texts)
    for world in (2, 3):
        shards = [protocol(segments) for _ in range(world)]
        for shard in shards:
            shard.begin(text_vectors=texts)
        for index, (item, vector) in enumerate(items.items()):
            shards[-index % world].add(EncodedItem(item, windows=vector[None]))
        states = [pickle.loads(pickle.dumps(shard.state())) for shard in shards]  # noqa: S301
        states.append(states[0])
        assert shards[0].merge(states).result() == whole


def test_the_evaluator_encodes_each_step_of_a_task_once() -> None:
    segments = {"cake": {"a": "stir", "b": "bake", "c": "stir"}, "tea": {"d": "stir"}}
    classification = protocol(segments, similarity=None)
    assert classification.texts == {
        "cake#bake": "bake", "cake#stir": "stir", "tea#stir": "stir"
    }  # fmt: skip
    known = dict(zip(("stir", "bake"), torch.eye(2), strict=True))
    evaluator = Evaluator(
        [EvaluationTask([classification], [], batch_size=1)],
        embed=lambda vectors: 2 * vectors,
        encode_texts=lambda texts, _: torch.stack([known[text] for text in texts]),
        item_texts=False,
    )
    evaluator.begin()
    said = {"a": "stir", "b": "bake", "c": "bake", "d": "stir"}
    evaluator.update(0, [EncodedItem(one, windows=known[text][None]) for one, text in said.items()])
    [result] = evaluator.compute()
    assert result.metrics["ctr"] == pytest.approx(100 * (2 / 3 + 1) / 2)


@pytest.mark.parametrize(
    ("choices", "similarity", "hit"),
    [
        ({"similarity": None}, "cosine", 1.0),
        ({"similarity": None, "pooling": "raw"}, "dot", 0.0),
        ({"similarity": None, "pooling": "unit"}, "dot", 1.0),
    ],
)
def test_vectors_are_embedded_and_compared_as_chosen(
    choices: dict[str, Any], similarity: str, hit: float
) -> None:
    classification = protocol({"cake": {"a": "stir", "b": "bake"}}, **choices)
    texts = {"cake#stir": torch.tensor([1.0, 0.0]), "cake#bake": torch.tensor([9.0, 9.0])}
    classification.begin(text_vectors=texts)
    classification.add(EncodedItem("a", windows=torch.tensor([[3.0, 0.0], [5.0, 0.0]])))
    assert classification.state() == {"a": hit}
    assert classification.result().similarity == similarity


def test_what_cannot_be_scored_is_refused() -> None:
    classification = protocol({"cake": {"a": "stir"}})
    classification.begin(text_vectors={"cake#stir": torch.ones(2)})
    with pytest.raises(EvaluationError, match="segment 'a' hold NaN"):
        classification.add(EncodedItem("a", windows=torch.full((1, 2), torch.nan)))
    with pytest.raises(EvaluationError, match="'a' has no window"):
        classification.add(EncodedItem("a", windows=torch.ones(0, 2)))


@pytest.mark.parametrize(
    ("segments", "changes", "message"),
    [
        ({"cake": {}}, {}, "'cake' has no segment"),
        ({"a#b": {"x": "stir"}}, {}, "'a#b' must not contain '#'"),
        ({"a": {"x": "stir"}, "b": {"x": "cut"}}, {}, "'x' is listed for the tasks 'a' and 'b'"),
        ({"a": {"x": "stir"}}, {"similarity": "l2"}, "neither 'cosine' nor 'dot'"),
        ({"a": {"x": "stir"}}, {"pooling": "mean"}, "none of 'head', 'raw', 'unit'"),
        ({"a": {"x": "stir"}}, {"mode": "fast"}, "neither 'exact' nor 'reference'"),
    ],
)
def test_contradictions_are_refused(
    segments: Segments, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(segments, **changes)
