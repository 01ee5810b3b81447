import math

import pytest
import torch
from torch import Tensor

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.metrics.sequence_scores import (
    SequenceScores,
    kept_windows,
    nearest_windows,
    sequence_scores,
)
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product

Matrix = list[list[float]]


def loop_dtw(cost: Matrix) -> float:
    """The mean cost of the cells on the best path; of equal steps the diagonal one is taken."""
    rows, columns = len(cost), len(cost[0])
    best = {(-1, -1): (0.0, 0)}
    for i in range(rows):
        for j in range(columns):
            before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            total, cells = min((best[at] for at in before if at in best), key=lambda one: one[0])
            best[i, j] = (total + cost[i][j], cells + 1)
    total, cells = best[rows - 1, columns - 1]
    return total / cells


def loop_otam(cost: Matrix) -> float:
    """All columns are matched, in order, with any run of the rows; the plus sign."""
    least = math.inf
    column: list[float] = []
    for row in cost:  # the first column alone may last for several rows
        stay = min(0.0, column[-1]) if column else 0.0
        column.append(row[0] + stay)
    for j in range(1, len(cost[0])):
        before = [math.inf, *column[:-1]]
        column = [
            row[j] + min(one, same) for row, one, same in zip(cost, before, column, strict=True)
        ]
    return min(least, *column) if len(column) > 1 else column[0]


def loop_scores(similarity: Matrix, *, select: bool) -> list[float]:
    cap_avg = sum(map(max, similarity)) / len(similarity)
    if select:
        nearest = [max(column) for column in zip(*similarity, strict=True)]
        order = sorted(range(len(nearest)), key=lambda k: -nearest[k])
        kept = sorted(order[: int(1.3 * len(similarity))])
        similarity = [[row[k] for k in kept] for row in similarity]
    cost = [[1 - x for x in row] for row in similarity]
    turned = [list(column) for column in zip(*cost, strict=True)]
    captions, clips = len(cost), len(turned)
    both = loop_otam(turned) / captions + loop_otam(cost) / clips
    return [cap_avg, -loop_dtw(cost), -both]


def draw(seed: int, similarity: Similarity) -> tuple[Tensor, Tensor, list[int], list[int]]:
    generator = torch.Generator().manual_seed(seed)
    captions, windows = (
        torch.randint(1, most, (count,), generator=generator).tolist()
        for most, count in ((8, 11), (15, 9))
    )
    vectors = (
        comparable(2 * torch.randn(sum(counts), 3, generator=generator), similarity)
        for counts in (captions, windows)
    )
    return (*vectors, captions, windows)  # type: ignore[return-value]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("select", [False, True])
@pytest.mark.parametrize("budget", [1, 300, 2**20])
def test_every_pair_is_scored_as_if_it_were_alone(
    similarity: Similarity, select: bool, budget: int
) -> None:
    captions, windows, rows, columns = draw(0, similarity)
    found = sequence_scores(captions, windows, rows, columns, select=select, budget=budget)
    for i, own in enumerate(captions.split(rows)):
        for j, seen in enumerate(windows.split(columns)):
            expected = loop_scores(product(own, seen).double().tolist(), select=select)
            assert [score[i, j].item() for score in found] == pytest.approx(expected, abs=1e-6)


def same(one: SequenceScores, other: SequenceScores) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("select", [False, True])
def test_the_same_bits_whatever_is_computed_together(select: bool) -> None:
    captions, windows, rows, columns = draw(1, "dot")
    whole = sequence_scores(captions, windows, rows, columns, select=select)
    for budget in (1, 50, 1000):
        part = sequence_scores(captions, windows, rows, columns, select=select, budget=budget)
        assert same(part, whole)


def test_equal_videos_tie() -> None:
    captions, windows, rows, columns = draw(2, "cosine")
    twice = sequence_scores(captions, torch.cat([windows, windows]), rows, [*columns, *columns])
    assert all(torch.equal(*score.chunk(2, dim=1)) for score in twice)


def test_the_nearest_windows_stay_in_their_order() -> None:
    distance = torch.tensor([[3.0, 1, 1, 0], [0, 5, 4, -9]])
    positions, kept = nearest_windows(distance, torch.tensor([4, 3]), torch.tensor([2, 9]))
    assert kept.tolist() == [2, 3]
    assert positions[0, :2].tolist() == [1, 3]
    assert positions[1, :3].tolist() == [0, 1, 2]


def test_a_third_more_windows_than_captions_are_kept() -> None:
    assert [kept_windows(count) for count in (1, 2, 3, 4, 10, 16)] == [1, 2, 3, 5, 13, 20]


def test_similarities_that_overflow_are_refused() -> None:
    huge = torch.full((1, 2), 1e30, dtype=torch.float64)
    with pytest.raises(EvaluationError, match="not finite"):
        sequence_scores(huge, huge, [1], [1])
