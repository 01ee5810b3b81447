import math

import pytest
import torch

from vtlearn.alignment.pairs import as_pairs, check_gamma, fold_back, inside
from vtlearn.errors import ArgumentError


def test_pairs_keep_the_order_of_the_leading_shape() -> None:
    cost = torch.arange(120.0).reshape(2, 3, 4, 5)
    pairs = as_pairs(cost, n=torch.tensor([[1], [4]]), m=torch.tensor([1, 2, 5]))
    assert pairs.n.tolist() == [1, 1, 1, 4, 4, 4]
    assert pairs.m.tolist() == [1, 2, 5, 1, 2, 5]
    for p in range(6):
        assert torch.equal(pairs.cost[:, :, p], cost[p // 3, p % 3])
    assert torch.equal(fold_back(pairs.cost, cost), cost)


def test_a_cost_whose_leading_shape_is_innermost_is_not_copied() -> None:
    cost = torch.zeros(4, 5, 2, 3).permute(2, 3, 0, 1)
    assert as_pairs(cost).cost.data_ptr() == cost.data_ptr()
    assert as_pairs(cost).cost.is_contiguous()


def test_one_matrix_is_one_pair() -> None:
    assert as_pairs(torch.zeros(2, 3), n=1).n.tolist() == [1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_pairs_are_float32_or_wider(dtype: torch.dtype) -> None:
    cost = torch.zeros(1, 2, 2, dtype=dtype)
    wide = as_pairs(cost).cost
    assert wide.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert fold_back(wide, cost).dtype == dtype


def test_inside_is_both_lengths() -> None:
    pairs = as_pairs(torch.zeros(2, 2, 3), n=torch.tensor([1, 2]), m=torch.tensor([3, 2]))
    assert inside(pairs)[:, :, 0].int().tolist() == [[1, 1, 1], [0, 0, 0]]
    assert inside(pairs)[:, :, 1].int().tolist() == [[1, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (torch.tensor([[3, 2], [0, 3]]), r"n of pair \(1, 0\) is 0, .* between 1 and 3"),
        (torch.tensor([3, 4]), r"n of pair \(0, 1\) is 4, .*2 of 4 pairs"),
        (torch.tensor([1, 2, 3]), r"n has shape \(3,\), .* leading shape \(2, 2\)"),
        (torch.tensor([1.0, 2.0]), "n has dtype torch.float32"),
        (0, r"n of pair \(0, 0\) is 0"),
    ],
)
def test_a_length_that_does_not_fit_is_named(n: torch.Tensor | int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_pairs(torch.zeros(2, 2, 3, 4), n=n)


def test_the_length_of_captions_is_checked_against_the_columns() -> None:
    with pytest.raises(ArgumentError, match=r"m of pair \(\) is 5, .* between 1 and 4"):
        as_pairs(torch.zeros(3, 4), m=5)


@pytest.mark.parametrize("shape", [(3,), (2, 0, 3), (2, 3, 0)])
def test_a_cost_that_is_no_matrix_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"has to be \(\.\.\., clips, captions\)"):
        as_pairs(torch.zeros(shape))


def test_a_cost_of_integers_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"torch.int64.*cost.float\(\)"):
        as_pairs(torch.zeros(2, 2, dtype=torch.int64))


@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_a_gamma_that_means_nothing_is_refused(gamma: float) -> None:
    with pytest.raises(ArgumentError, match=f"gamma is {gamma}"):
        check_gamma(gamma)
