import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.soft_dtw import soft_alignment, soft_dtw
from vtlearn.errors import ArgumentError

Enumeration = Callable[[Tensor, float], tuple[float, Tensor]]
STEPS = {(1, 1), (1, 0), (0, 1)}


def assert_is_path(path: HardPath, cost: Tensor, n: int, m: int) -> None:
    length = int(path.length)
    cells = [tuple(cell) for cell in path.cells[:length].tolist()]
    assert cells[0] == (0, 0)
    assert cells[-1] == (n - 1, m - 1)
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(cells)}
    assert steps <= STEPS
    assert bool((path.cells[length:] == -1).all())
    walked = sum(float(cost[cell]) for cell in cells)
    assert float(path.distance) == pytest.approx(walked, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (4, 5)])
def test_distance_is_the_least_of_all_paths(
    shape: tuple[int, int], by_enumeration: Enumeration
) -> None:
    cost = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    path = dtw(cost)
    assert_is_path(path, cost, *shape)
    assert float(path.distance) == pytest.approx(by_enumeration(cost, 0)[0], abs=1e-12)


def test_pairs_of_several_lengths_are_solved_each_by_itself() -> None:
    generator = torch.Generator().manual_seed(1)
    cost = torch.rand(2, 5, 6, 7, generator=generator)
    n, m = torch.randint(1, 7, (2, 5), generator=generator), torch.tensor([1, 7, 3, 4, 7])
    for b in range(2):
        for p in range(5):
            cost[b, p, n[b, p] :] = torch.nan
            cost[b, p, :, m[p] :] = torch.inf
    path = dtw(cost, n=n, m=m)
    assert path.cells.shape == (2, 5, 12, 2)
    for b in range(2):
        for p in range(5):
            rows, columns = int(n[b, p]), int(m[p])
            alone = dtw(cost[b, p, :rows, :columns])
            here = HardPath(*(part[b, p] for part in path))
            assert_is_path(here, cost[b, p], rows, columns)
            assert torch.equal(here.cells[: rows + columns - 1], alone.cells)


@pytest.mark.parametrize(
    ("cost", "cells"),
    [
        # all equal: the diagonal, and what is left over along the longer sequence at its beginning
        (torch.zeros(3, 3), [[0, 0], [1, 1], [2, 2]]),
        (torch.zeros(3, 2), [[0, 0], [1, 0], [2, 1]]),
        (torch.zeros(2, 3), [[0, 0], [0, 1], [1, 2]]),
        # of two equal ways round the diagonal, the one whose last step comes from the clip before
        (torch.tensor([[0.0, -1.0], [-1.0, 0.0]]), [[0, 0], [0, 1], [1, 1]]),
    ],
)
def test_ties_go_diagonally_then_vertically(cost: Tensor, cells: list[list[int]]) -> None:
    path = dtw(cost)
    assert path.cells[: int(path.length)].tolist() == cells


def test_path_is_the_soft_alignment_and_the_gradient_without_smoothing() -> None:
    cost = torch.randint(0, 3, (20, 6, 5), generator=torch.Generator().manual_seed(2)).float()
    path = dtw(cost)
    on_path = torch.zeros_like(cost)
    for p, (cells, length) in enumerate(zip(path.cells, path.length, strict=True)):
        on_path[(p, *cells[:length].T)] = 1
    assert torch.equal(soft_alignment(cost, 0.0), on_path)
    leaf = cost.clone().requires_grad_()
    soft_dtw(leaf, 0.0).sum().backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, on_path)


def test_where_nothing_is_reachable_there_is_no_path() -> None:
    cost = torch.zeros(2, 2, 2)
    cost[0, :, 0] = torch.inf
    path = dtw(cost)
    assert path.distance.tolist() == [torch.inf, 0.0]
    assert path.length.tolist() == [0, 2]
    assert bool((path.cells[0] == -1).all())


def test_one_matrix_and_no_pair_at_all() -> None:
    assert dtw(torch.zeros(2, 3)).cells.shape == (4, 2)
    empty = dtw(torch.zeros(0, 2, 3))
    assert (empty.distance.shape, empty.cells.shape) == ((0,), (0, 4, 2))


def test_distance_has_the_dtype_of_the_cost_and_no_gradient() -> None:
    path = dtw(torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True))
    assert path.distance.dtype == torch.bfloat16
    assert not path.distance.requires_grad
    assert path.cells.dtype == path.length.dtype == torch.int64


def test_a_length_beyond_the_cost_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"n of pair \(1,\) is 3"):
        dtw(torch.zeros(2, 2, 2), n=torch.tensor([2, 3]))
