import math

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.options import (
    SoftDTWOptions,
    add_dummies_and_smoothing,
    cost_gradient,
    softmin,
)
from vtlearn.alignment.pairs import Pairs, as_pairs


def ragged_pairs() -> Pairs:
    cost = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0)).double()
    return as_pairs(cost, n=torch.tensor([4, 1, 2, 3, 4]), m=torch.tensor([6, 6, 1, 2, 5]))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("dummy", [None, 0.5])
@pytest.mark.parametrize("smoothing", [True, False])
def test_gradients_are_pulled_back_as_autograd_does(
    gamma: float, dummy: float | None, smoothing: bool
) -> None:
    pairs, options = ragged_pairs(), SoftDTWOptions(gamma, dummy, smoothing)
    leaf = pairs.cost.clone().requires_grad_()
    weak = add_dummies_and_smoothing(pairs._replace(cost=leaf), options)
    clips, captions, _ = weak.cost.shape
    rows, columns = torch.arange(clips)[:, None, None], torch.arange(captions)[:, None]
    within = (rows < weak.n) & (columns < weak.m)
    arriving = torch.rand(weak.cost.shape, generator=torch.Generator().manual_seed(1)).double()
    arriving = torch.where(within, arriving, 0)
    (expected,) = torch.autograd.grad(weak.cost, leaf, arriving)
    torch.testing.assert_close(cost_gradient(arriving, pairs, options), expected)


def test_only_dummies_and_smoothing_weaken() -> None:
    assert not SoftDTWOptions(0.1).weak
    assert SoftDTWOptions(0.1, dummy=0.0).weak
    assert SoftDTWOptions(0.1, smoothing=True).weak


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1.0])
def test_softmin_and_its_weights(gamma: float) -> None:
    inf = math.inf
    numbers = torch.tensor([[1.0, inf, inf, 2.0], [1.0, inf, 3.0, 0.5], [4.0, inf, inf, 2.0]])
    least, weights = softmin(numbers.double(), gamma)
    assert least[1] == inf
    assert weights[:, 1].tolist() == [0, 0, 0]
    assert least[2] == 3
    assert weights[:, 2].tolist() == [0, 1, 0]
    torch.testing.assert_close(weights.sum(0), torch.tensor([1.0, 0, 1, 1]).double())
    if gamma == 0:
        assert weights[:, 0].tolist() == [1, 0, 0]  # the first of equals
    else:
        terms = torch.exp(-numbers[:, 3].double() / gamma)
        expected: Tensor = -gamma * torch.log(terms.sum())
        torch.testing.assert_close(least[3], expected)
