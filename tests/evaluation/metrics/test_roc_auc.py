import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.roc_auc import ROCAUC, roc_auc


def by_hand(scores: NDArray[np.float64], positive: NDArray[np.bool]) -> float:
    """Compare each positive with each negative."""
    wins = [
        (one > other) + (one == other) / 2
        for one in scores[positive]
        for other in scores[~positive]
    ]
    return float(np.mean(wins))


@pytest.mark.parametrize("values", [2, 5, 10**6])  # many ties, some, hardly any
@pytest.mark.parametrize("items", [2, 3, 17, 60])
def test_areas_are_those_of_all_pairs(values: int, items: int) -> None:
    rng = np.random.default_rng(items)
    scores = rng.integers(values, size=(8, items)) / 7
    positive = rng.random((8, items)) < 0.3
    positive[:, 0], positive[:, 1] = True, False
    expected = [by_hand(*pair) for pair in zip(scores, positive, strict=True)]
    assert roc_auc(scores, positive) == pytest.approx(expected, abs=1e-12)
    assert roc_auc(scores[3], positive[3]).item() == pytest.approx(expected[3], abs=1e-12)
    shape = (2, 2, 2, items)
    assert roc_auc(scores.reshape(shape), positive.reshape(shape)).shape == shape[:3]


def test_order_alone_counts() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=50), rng.random(50) < 0.5
    area = roc_auc(scores, positive)
    assert roc_auc(np.exp(3 * scores), positive) == area
    assert roc_auc(-scores, positive) == pytest.approx(1 - area)
    assert roc_auc(scores, ~positive) == pytest.approx(1 - area)
    assert roc_auc(np.zeros(50), positive) == 0.5


@pytest.mark.parametrize("positive", [[True, True], [False, False], []])
def test_without_both_kinds_there_is_no_area(positive: list[bool]) -> None:
    assert np.isnan(roc_auc(np.zeros(len(positive)), np.array(positive, np.bool)))


def test_the_metric_takes_batches() -> None:
    rng = np.random.default_rng(1)
    scores, positive = rng.integers(6, size=40) / 8, rng.random(40) < 0.4
    metric = ROCAUC()
    for part in np.split(np.arange(40), [7, 8, 30]):
        metric.update(torch.tensor(scores[part]), torch.tensor(positive[part]))
    assert metric.compute().item() == pytest.approx(100 * by_hand(scores, positive))
    metric.reset()
    metric.update(torch.tensor([1.0]), torch.tensor([1]))
    assert metric.compute().isnan()


@pytest.mark.parametrize("split", [0, 3])
def test_the_metric_joins_what_two_processes_have(split: int, two_processes: Pool) -> None:
    assert two_processes.run(area_of_parts, split) == [pytest.approx(87.5)] * 2


def area_of_parts(split: int) -> float:
    metric = ROCAUC()
    part = slice(split) if process().rank == 0 else slice(split, None)
    scores, positive = torch.tensor([0.1, 0.4, 0.4, 0.8])[part], torch.tensor([0, 1, 0, 1])[part]
    if len(scores):
        metric.update(scores, positive)
    return metric.compute().item()


def test_what_cannot_be_ranked_is_refused() -> None:
    metric = ROCAUC()
    with pytest.raises(ArgumentError, match=r"got \(2,\) and \(1,\), 0 not finite"):
        metric.update(torch.zeros(2), torch.ones(1))
    with pytest.raises(ArgumentError, match="1 not finite"):
        metric.update(torch.tensor([0.0, torch.nan]), torch.ones(2))
