import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.options import SoftDTWOptions, add_dummies_and_smoothing
from vtlearn.alignment.pairs import as_pairs
from vtlearn.alignment.soft_dtw_torch import solve

Enumeration = Callable[[Tensor, float], tuple[float, Tensor]]


@pytest.mark.parametrize("gamma", [0.01, 1.0])
@pytest.mark.parametrize("change", [(None, False), (0.5, True), (0.5, False), (None, True)])
def test_value_and_gradient_are_those_of_all_paths(
    gamma: float, change: tuple[float | None, bool], by_enumeration: Enumeration
) -> None:
    cost = torch.randn(2, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    pairs, options = as_pairs(cost), SoftDTWOptions(gamma, *change)
    gradient = torch.full_like(pairs.cost, math.nan)
    value = solve(pairs, options, gradient)
    for p in range(2):
        leaf = cost[p, :, :, None].clone().requires_grad_()
        weak = add_dummies_and_smoothing(as_pairs(leaf[..., 0]), options)
        expected_value, visits = by_enumeration(weak.cost[:, :, 0].detach(), gamma)
        assert float(value[p]) == pytest.approx(expected_value, abs=1e-10)
        (expected,) = torch.autograd.grad(weak.cost, leaf, visits[..., None])
        torch.testing.assert_close(gradient[:, :, p], expected[..., 0], rtol=0, atol=1e-9)


def test_a_gradient_is_written_only_where_it_is_wanted() -> None:
    pairs = as_pairs(torch.rand(3, 4, 5))
    table = torch.empty_like(pairs.cost)
    assert torch.equal(
        solve(pairs, SoftDTWOptions(0.1), None), solve(pairs, SoftDTWOptions(0.1), table)
    )
