"""Published quirks, held to plain loops over one pair and one cell at a time."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.alignment import otam
from vtlearn.evaluation.reference import (
    last_k_hits,
    padded_dtw,
    padded_otam,
    published_full_video,
    published_ranks,
    published_retrieval,
    published_step_hits,
    segment_accuracy,
)

Table = NDArray[np.float32]

C = torch.tensor([[1.0, 2, 3], [4, 1, 2], [3, 2, 1]])


def loop_padded(table: Table, true: tuple[int, int], size: tuple[int, int]) -> Table:
    """Pad with infinity, then zero the slice that is meant to lie behind the columns."""
    behind = [(0, size[0] - table.shape[0]), (0, size[1] - table.shape[1])]
    padded = np.pad(table, behind, constant_values=np.inf)
    missing = size[1] - table.shape[1]
    padded[true[0] - 1 :, -missing:] = 0  # -0: is everything
    return padded


def loop_dtw(table: Table, size: tuple[int, int]) -> float:
    cost = loop_padded(table, table.shape, size)
    rows, columns = cost.shape
    cell: Any = np.zeros(cost.shape, np.float32)
    cell[0] = cost[0].cumsum()
    cell[:, 0] = cost[:, 0].cumsum()
    for i in range(1, rows):
        for j in range(1, columns):
            cell[i, j] = cost[i, j] + min(cell[i - 1, j - 1], cell[i - 1, j], cell[i, j - 1])
    return float(cell[-1, -1])


def loop_otam(table: Table, size: tuple[int, int]) -> float:
    bordered = np.pad(table, [(0, 0), (1, 1)])
    cost = loop_padded(bordered, table.shape, (size[0], size[1] + 2))
    rows, columns = cost.shape
    cell: Any = np.zeros(cost.shape, np.float32)
    for j in range(1, columns):
        cell[0, j] = cost[0, j] + cell[0, j - 1]
    for i in range(1, rows):
        least = min(cell[i - 1, 0], cell[i - 1, 1], cell[i, 0])
        cell[i, 1] = cost[i, 1] - least  # the sign slip
        for j in range(2, columns - 1):
            cell[i, j] = cost[i, j] + min(cell[i - 1, j - 1], cell[i, j - 1])
        least = min(cell[i - 1, -2], cell[i - 1, -1], cell[i, -2])
        cell[i, -1] = cost[i, -1] + least
    return float(cell[-1, -1])


def loop_full_video(
    similarity: Table, rows: list[list[int]], columns: list[list[int]], *, select: bool
) -> list[NDArray[np.float64]]:
    size = max(map(len, rows)), max(map(len, columns))
    found = np.zeros((3, len(rows), len(columns)))
    for i, captions in enumerate(rows):
        for j, clips in enumerate(columns):
            block = similarity[captions][:, clips]
            found[0, i, j] = np.mean([max(row) for row in block])
            cost = 1 - block
            if select:
                nearest = np.argsort(cost.min(0), kind="stable")[: int(1.3 * len(captions))]
                cost = cost[:, sorted(nearest)]
            cost = cost * (size[0] * size[1] / (cost.shape[0] * cost.shape[1]))
            found[1, i, j] = -loop_dtw(cost, size)
            found[2, i, j] = -loop_otam(cost, size) - loop_otam(cost.T, size[::-1])
    return list(found)


def one(table: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """A stack of one table, with NaN where it does not reach."""
    whole = torch.full((1, *size), torch.nan)
    whole[0, : table.shape[0], : table.shape[1]] = table
    return whole, torch.tensor([table.shape[0]]), torch.tensor([table.shape[1]])


def test_padding_as_in_the_golden_case() -> None:
    assert padded_dtw(*one(C, (4, 5))).item() == 3
    assert padded_dtw(*one(C, (4, 3))).item() == 2
    assert padded_otam(*one(C, (4, 5))).item() == 3
    assert padded_otam(*one(C, (4, 3))).item() == 0


def test_the_sign_slip_shows_where_costs_are_negative() -> None:
    assert loop_unpadded_otam(-C.numpy(), sign=1) == -11
    assert loop_unpadded_otam(-C.numpy(), sign=-1) == -6
    assert otam(-C, 0.0).item() == -11  # what everything else in vtlearn computes
    assert padded_otam(*one(-C, (3, 5))).item() == -6
    assert padded_otam(*one(C, (3, 5))).item() == 3


def loop_unpadded_otam(table: Table, sign: int) -> float:
    cost = np.pad(table, [(0, 0), (1, 1)])
    cell = np.zeros(cost.shape)
    cell[0] = cost[0].cumsum()
    for i in range(1, len(cost)):
        cell[i, 1] = cost[i, 1] + sign * min(cell[i - 1, 0], cell[i - 1, 1], cell[i, 0])
        for j in range(2, cost.shape[1] - 1):
            cell[i, j] = cost[i, j] + min(cell[i - 1, j - 1], cell[i, j - 1])
        cell[i, -1] = min(cell[i - 1, -2], cell[i - 1, -1], cell[i, -2])
    return float(cell[-1, -1])


def tables(seed: int, count: int, *, negative: bool) -> list[Table]:
    rng = np.random.default_rng(seed)
    low = -2.0 if negative else 0.0
    return [rng.uniform(low, 2, rng.integers(1, 7, 2)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("negative", [False, True])
def test_padded_tables_agree_with_loops(negative: bool) -> None:
    size = (6, 6)
    several = tables(0, 300, negative=negative)
    stack = torch.full((300, *size), torch.nan)
    for whole, table in zip(stack, several, strict=True):
        whole[: table.shape[0], : table.shape[1]] = torch.from_numpy(table)
    n, m = (torch.tensor([table.shape[axis] for table in several]) for axis in (0, 1))
    for solve, loop in ((padded_dtw, loop_dtw), (padded_otam, loop_otam)):
        expected = torch.tensor([loop(table, size) for table in several])
        assert expected.isfinite().all()
        torch.testing.assert_close(solve(stack, n, m), expected, rtol=0, atol=1e-4)


def test_closed_forms_of_the_padding() -> None:
    erased = 0
    for table in tables(1, 200, negative=False):
        n, m = table.shape
        cost = torch.from_numpy(table)
        narrow = padded_dtw(*one(cost, (n + 2, m + 2))).item()
        cells = loop_cells(table)
        assert narrow == pytest.approx(min(cells[-2:, -1]), abs=1e-5)
        erased += narrow < cells[-1, -1]
        last_free = table.copy()
        last_free[-1] = 0
        full = padded_dtw(*one(cost, (n + 2, m))).item()
        assert full == pytest.approx(loop_cells(last_free)[-1, -1], abs=1e-5)
        assert padded_otam(*one(cost, (n + 2, m))).item() == 0
        ends = loop_otam_column(table)[-3:]
        assert padded_otam(*one(cost, (n + 2, m + 2))).item() == pytest.approx(min(ends), abs=1e-5)
    assert erased > 50


def loop_cells(table: Table) -> NDArray[np.float64]:
    cell = np.full((table.shape[0] + 1, table.shape[1] + 1), np.inf)
    cell[0, 0] = 0
    for i, row in enumerate(table):
        for j, cost in enumerate(row):
            cell[i + 1, j + 1] = cost + min(cell[i, j], cell[i, j + 1], cell[i + 1, j])
    return cell[1:, 1:]


def loop_otam_column(table: Table) -> list[float]:
    """The least sums of paths through all columns, by the row they end in."""
    column = table[:, 0].astype(np.float64)  # never dearer than to have begun before
    for costs in table.T[1:]:
        before = np.concatenate([[np.inf], column[:-1]])
        column = costs + np.minimum(before, column)
    return [float(total) for total in column]


@pytest.mark.parametrize("select", [False, True])
@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_full_video_agrees_with_loops(select: bool, scale: float) -> None:
    rng = np.random.default_rng(3)
    rows = runs(rng.integers(1, 7, 9).tolist())
    columns = runs(rng.integers(1, 12, 8).tolist()) if select else rows
    size = sum(map(len, rows)), sum(map(len, columns))
    similarity = (scale * rng.normal(size=size)).astype(np.float32)
    assert (1 - similarity < 0).any() == (scale > 1)
    found = published_full_video(torch.from_numpy(similarity), rows, columns, select=select)
    expected = loop_full_video(similarity, rows, columns, select=select)
    for ours, loop in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), loop, rtol=1e-5, atol=1e-4)


def runs(lengths: list[int]) -> list[list[int]]:
    starts = np.cumsum([0, *lengths])
    return [list(range(a, b)) for a, b in pairwise(starts.tolist())]


def test_rows_of_a_video_may_stand_anywhere() -> None:
    generator = torch.Generator().manual_seed(0)
    similarity = torch.randn(7, 7, generator=generator)
    order = torch.randperm(7, generator=generator)
    rows = runs([2, 4, 1])
    moved = [[order.tolist().index(row) for row in one] for one in rows]
    ours = published_full_video(similarity, rows, rows)
    for one_, other in zip(
        ours, published_full_video(similarity[order][:, order], moved, moved), strict=True
    ):
        torch.testing.assert_close(one_, other)


def test_the_last_of_a_stable_ascending_sort_are_found() -> None:
    scores = torch.tensor([[1.0, 1, 1], [0, 1, 1], [5, 4, 4]])
    assert last_k_hits(scores, 1).tolist() == [False, False, False]
    assert last_k_hits(scores, 2).tolist() == [False, True, True]
    assert last_k_hits(scores, 9).tolist() == [True, True, True]


def test_a_query_has_as_many_ranks_as_it_has_ties() -> None:
    similarity = np.array([[0.3, 0.3, 0.3], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    assert published_ranks(similarity).tolist() == [0, 1, 2, 1, 0]
    figures = published_retrieval(similarity)
    assert figures == {"R@1": 40, "R@5": 100, "R@10": 100, "median_rank": 2}


def test_ranks_without_ties_are_those_of_an_argsort() -> None:
    similarity = np.random.default_rng(0).normal(size=(30, 30))
    order = (-similarity).argsort(1)
    expected = [row.tolist().index(query) for query, row in enumerate(order)]
    assert published_ranks(similarity).tolist() == expected


def test_equal_texts_count_as_one_step_and_a_constant_is_always_right() -> None:
    texts = torch.eye(3)[[0, 0, 1, 2]]
    segments = torch.eye(3)[[0, 0, 2, 2]]
    assert segment_accuracy(segments @ texts.T) == 75
    assert segment_accuracy(torch.full((4, 4), 0.3)) == 100
    assert segment_accuracy(torch.tensor([[0.3, 0.3000001], [0, 1]])) == 50


def test_each_step_takes_one_second_in_order() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        scores = torch.randn(6, 3, generator=generator)
        cost = -scores.log_softmax(1)
        seconds = min(
            combinations(range(6), 3), key=lambda t: sum(float(cost[s, k]) for k, s in enumerate(t))
        )
        spans = [(0, 0.4, 2.0), (0, 2.9, 3.1), (2, 4.5, 90.0)]
        inside = (seconds[0] in (0, 1, 2, 3)) + (seconds[2] in (4, 5))
        assert published_step_hits(scores, spans) == (inside, 2)


def test_what_lies_beyond_the_scores_vanishes() -> None:
    scores = torch.tensor([[0.0, 0], [5, 0], [0, 5]])
    assert published_step_hits(scores, [(0, 1, 2), (1, 3.0, 9.0)]) == (1, 1)
    assert published_step_hits(scores, [(0, 1, 2), (1, 2.9, 9.0)]) == (2, 2)


@pytest.mark.parametrize("seconds", [1, 3])
def test_no_more_seconds_than_steps_finds_nothing(seconds: int) -> None:
    assert published_step_hits(torch.eye(3)[:seconds], [(0, 0, 1)]) == (0, 1)


def test_of_equal_seconds_the_last_step_takes_the_last_and_the_others_the_first() -> None:
    spans = [(0, 0, 1), (1, 1, 2), (2, 11, 12)]
    assert published_step_hits(torch.zeros(12, 3), spans) == (3, 3)
    spans = [(0, 1, 12), (1, 2, 12), (2, 0, 11)]
    assert published_step_hits(torch.zeros(12, 3), spans) == (0, 3)
