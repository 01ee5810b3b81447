from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.evaluation.videos import add_features, labelled, random_features
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledSplits
from vtlearn.evaluation.neighbours import NeighbourRetrieval
from vtlearn.evaluation.result import Result

KS = (1, 5, 10, 20, 50)


def score(videos: LabelledSplits, features: Mapping[str, Tensor], split: int = 1) -> Result:
    one = NeighbourRetrieval("few-nn", 1, videos, windows="three", split=split)
    add_features(one, features)
    return one.result()


@pytest.mark.parametrize("split", [1, 2])
def test_figures_are_those_of_a_loop_over_all_pairs(split: int) -> None:
    videos = labelled(classes=5)
    features = random_features(videos, apart=1.0)
    result = score(videos, features, split)
    means = {one: rows.double().mean(0) for one, rows in features.items()}
    hits: dict[int, list[bool]] = {k: [] for k in KS}
    for query in videos.test[split - 1]:
        near = sorted(
            videos.train[split - 1],
            key=lambda one: -float(torch.cosine_similarity(means[query], means[one], dim=0)),
        )
        right = [videos.labels[one] == videos.labels[query] for one in near]
        for k in KS:
            hits[k].append(any(right[:k]))
    assert result.metrics == pytest.approx({f"R@{k}": 100 * np.mean(hits[k]) for k in KS})
    assert 20 < result.metrics["R@1"] < result.metrics["R@5"] < 100
    assert (result.primary, result.similarity) == ("R@1", "cosine")
    assert result.settings == {"pooling": "raw", "split": split}
    assert result.coverage.complete


def test_perfect_features_are_told_right_and_equal_ones_at_chance() -> None:
    videos = labelled()
    perfect = score(videos, random_features(videos, apart=100.0))
    assert set(perfect.metrics.values()) == {100.0}
    constant = score(videos, dict.fromkeys(videos.labels, torch.ones(3, 8)))
    for metric, chance in constant.chance.items():
        assert constant.metrics[metric] == pytest.approx(chance.value)
    assert constant.metrics["R@1"] == pytest.approx(25.0)
    assert constant.metrics["R@50"] == 100.0


def test_random_features_are_at_chance() -> None:
    videos = labelled(classes=4, each=60)
    result = score(videos, random_features(videos, apart=0.0))
    for metric, chance in result.chance.items():
        assert chance.low <= result.metrics[metric] <= chance.high


def test_ties_count_by_expectation_over_their_order() -> None:
    labels = {"q": "x", "a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "f": "z"}
    videos = LabelledSplits(labels, [frozenset("abcdef")], [frozenset("q")])
    near, far = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    features = {one: near if one in "qabc" else far for one in labels}
    orders = [["a", "b", "c"][order[0]] for order in permutations(range(3))]
    expected = np.mean([one != "c" for one in orders])
    metrics = score(videos, features).metrics
    assert metrics["R@1"] == pytest.approx(100 * expected)
    assert metrics["R@5"] == 100.0


def test_a_class_that_nothing_is_trained_of_is_never_found() -> None:
    labels = {"q": "x", "r": "y", "a": "y", "b": "z"}
    videos = LabelledSplits(labels, [frozenset("ab")], [frozenset("qr")])
    result = score(videos, dict.fromkeys(labels, torch.ones(1, 2)))
    assert result.metrics["R@1"] == pytest.approx(25.0)
    assert result.metrics["R@50"] == pytest.approx(50.0)
    alone = {one: torch.ones(1, 2) for one in "qab"}
    assert score(videos, alone).metrics["R@50"] == 0.0


def test_only_the_splits_own_videos_are_read() -> None:
    labels = {"a": "x", "b": "y", "c": "x", "d": "y", "e": "x"}
    videos = LabelledSplits(
        labels, [frozenset("ab"), frozenset("de")], [frozenset("cd"), frozenset("ab")]
    )
    one = NeighbourRetrieval("few-nn", 1, videos, windows="one")
    add_features(one, dict.fromkeys(labels, torch.ones(1, 2)))
    assert sorted(one.state()) == ["a", "b", "c", "d"]


def test_what_makes_no_sense_is_refused() -> None:
    for split, message in ((0, "split must be positive"), (4, "no split 4; there are 3")):
        with pytest.raises(ArgumentError, match=message):
            NeighbourRetrieval("few-nn", 1, labelled(), windows="one", split=split)
    one = NeighbourRetrieval("few-nn", 1, labelled(), windows="one")
    one.begin()
    one.add(EncodedItem("0/1", features=torch.ones(1, 2)))
    with pytest.raises(EvaluationError, match="0 test and 1 training videos came"):
        one.result()
