import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vtlearn.alignment.s2dtw import s2dtw, s2dtw_cost
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.errors import ArgumentError


def smin(numbers: list[float], gamma: float) -> float:
    if gamma == 0:
        return min(numbers)
    return -gamma * math.log(math.fsum(math.exp(-number / gamma) for number in numbers))


def smoothed(cost: Tensor, gamma: float) -> Tensor:
    result = torch.empty_like(cost)
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            before = [(i, j - 1), (i - 1, j), (i - 1, j - 1)]
            neighbours = [float(cost[cell]) for cell in before if min(cell) >= 0] or [0.0] * 3
            result[i, j] = cost[i, j] + smin(neighbours, gamma)
    return result


def by_loops(similarity: Tensor, gamma: float, dummy: float | None, *, smoothing: bool) -> Tensor:
    cost = smoothed(-similarity, gamma) if smoothing else -similarity
    if dummy is None:
        return cost
    rows, columns = similarity.shape
    grid = torch.full((2 * rows + 1, 2 * columns + 1), dummy, dtype=torch.float64)
    for i in range(rows):
        for j in range(columns):
            grid[2 * i + 1, 2 * j + 1] = cost[i, j]
    return grid


def similarities(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double() - 1


@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dummy", [None, 0.5, -0.2])
@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (4, 1)])
def test_cost_is_what_loops_make_of_it(
    gamma: float, dummy: float | None, smoothing: bool, shape: tuple[int, int]
) -> None:
    similarity = similarities(*shape)
    cost = s2dtw_cost(similarity, gamma, dummy=dummy, smoothing=smoothing)
    twin = by_loops(similarity, gamma, dummy, smoothing=smoothing)
    torch.testing.assert_close(cost, twin, rtol=0, atol=1e-12)


def test_published_values_of_identical_and_of_reversed_steps() -> None:
    steps = torch.eye(3, dtype=torch.float64)
    values = s2dtw(torch.stack([steps, steps.flip(0)]))
    expected = torch.tensor([-4.2518950193, -0.8667093271], dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-9)


def test_published_cells_of_identical_steps() -> None:
    cost = s2dtw_cost(torch.eye(3, dtype=torch.float64))
    cells = {(1, 1): -1.109861, (3, 3): -2.000009, (1, 3): -1, (1, 5): 0, (0, 0): 0.5, (2, 4): 0.5}
    for cell, value in cells.items():
        assert float(cost[cell]) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
@pytest.mark.parametrize("dummy", [None, 0.5])
def test_what_lies_beyond_the_lengths_changes_nothing(gamma: float, dummy: float | None) -> None:
    similarity = similarities(3, 4, 5, seed=1)
    n, m = torch.tensor([4, 2, 1]), torch.tensor([5, 1, 3])
    poisoned = similarity.clone()
    for p in range(3):
        poisoned[p, n[p] :] = torch.nan
        poisoned[p, :, m[p] :] = torch.inf
    poisoned.requires_grad_()
    values = s2dtw(poisoned, gamma, dummy=dummy, n=n, m=m)
    values.sum().backward()
    assert poisoned.grad is not None
    for p in range(3):
        leaf = similarity[p, : n[p], : m[p]].clone().requires_grad_()
        value = s2dtw(leaf, gamma, dummy=dummy)
        value.backward()
        torch.testing.assert_close(values[p], value)
        assert leaf.grad is not None
        padded = torch.zeros(4, 5, dtype=torch.float64)
        padded[: n[p], : m[p]] = leaf.grad
        torch.testing.assert_close(poisoned.grad[p], padded)
        outside = torch.ones(4, 5, dtype=torch.bool)
        outside[: n[p], : m[p]] = False
        assert bool((poisoned.grad[p][outside] == 0).all())


def test_gradient_is_that_of_the_value() -> None:
    similarity = similarities(2, 3, 4, seed=2).requires_grad_()
    n, m = torch.tensor([3, 2]), torch.tensor([4, 3])
    assert torch.autograd.gradcheck(lambda x: s2dtw(x, 0.3, n=n, m=m), (similarity,))


@settings(max_examples=25)
@given(
    leading=st.lists(st.integers(0, 3), max_size=2),
    clips=st.integers(1, 5),
    captions=st.integers(1, 5),
    gamma=st.sampled_from([0.0, 0.01, 0.1, 5.0]),
    dummy=st.sampled_from([None, 0.5]),
)
def test_value_is_soft_dtw_of_the_cost_and_symmetric(
    leading: list[int], clips: int, captions: int, gamma: float, dummy: float | None
) -> None:
    similarity = similarities(*leading, clips, captions, seed=3)
    value = s2dtw(similarity, gamma, dummy=dummy)
    assert value.shape == tuple(leading)
    cost = s2dtw_cost(similarity, gamma, dummy=dummy)
    torch.testing.assert_close(value, soft_dtw(cost, gamma))
    torch.testing.assert_close(value, s2dtw(similarity.mT, gamma, dummy=dummy))


def test_cost_has_the_leading_shape_innermost() -> None:
    cost = s2dtw_cost(torch.zeros(2, 3, 4, 5))
    assert cost.shape == (2, 3, 9, 11)
    assert cost.permute(2, 3, 0, 1).is_contiguous()


@pytest.mark.parametrize("gamma", [1e-3, 1e-6, 1e-40])
def test_small_smoothing_neither_overflows_nor_turns_into_nan(gamma: float) -> None:
    similarity = (similarities(5, 6, 6, seed=4).float() * 3).requires_grad_()
    value = s2dtw(similarity, gamma)
    value.sum().backward()
    assert similarity.grad is not None
    assert bool(torch.isfinite(similarity.grad).all())
    torch.testing.assert_close(value, s2dtw(similarity, 0.0), atol=20 * gamma + 1e-5, rtol=0)


def test_bfloat16_is_rounded_only_at_the_end() -> None:
    similarity = similarities(4, 6, 6, seed=5).bfloat16()
    value = s2dtw(similarity)
    assert value.dtype == torch.bfloat16
    assert s2dtw_cost(similarity).dtype == torch.bfloat16
    assert torch.equal(value, s2dtw(similarity.float()).bfloat16())


def test_a_wrong_length_and_a_wrong_gamma_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"m of pair \(0,\) is 4, .* between 1 and 3"):
        s2dtw(torch.zeros(1, 2, 3), m=torch.tensor([4]))
    with pytest.raises(ArgumentError, match="gamma is -1"):
        s2dtw_cost(torch.zeros(2, 3), -1)
