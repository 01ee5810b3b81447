"""Soft-DTW of many pairs in plain torch: the specification, on any device.

Vectorised over all pairs and over the cells of an anti-diagonal, which do not depend on each other.
Other kernels are faster; none may say anything else.
"""

import math

import torch
from torch import Tensor

from vtlearn.alignment.options import (
    SoftDTWOptions,
    add_dummies_and_smoothing,
    cost_gradient,
    softmin,
)
from vtlearn.alignment.pairs import Pairs, inside

__all__ = ["solve"]


def solve(pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None) -> Tensor:
    """Solve pairs, one anti-diagonal after the other.

    Args:
        pairs: Costs and their lengths.
        options: What to solve them for.
        gradient: (clips, captions, pairs), is overwritten by the gradient of each value with
            respect to its cost; None: it is not wanted.

    Returns:
        (pairs,), the value of each pair.

    Example:
        >>> one, gradient = torch.tensor([2]), torch.empty(2, 2, 1)
        >>> solve(Pairs(torch.ones(2, 2, 1), one, one), SoftDTWOptions(0.0), gradient)
        tensor([2.])
        >>> gradient[:, :, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """
    weak = add_dummies_and_smoothing(pairs, options) if options.weak else pairs
    value, weights = _forward(weak, options.gamma)
    if gradient is not None:
        expected = torch.where(inside(weak), _backward(weak, weights, value), 0)
        gradient.copy_(cost_gradient(expected, pairs, options))
    return value


def _forward(pairs: Pairs, gamma: float) -> tuple[Tensor, list[Tensor]]:
    visitable = inside(pairs)
    cost = torch.where(visitable, pairs.cost, 0)
    clips, captions, count = cost.shape
    rows = torch.arange(clips, device=cost.device)
    before = cost.new_full((clips, count), math.inf)  # the last anti-diagonal, a row a clip
    preceding = before.clone()  # what the next cells have diagonally before them
    preceding[0] = 0  # what precedes the first cell
    value, weights = before[0], []
    for diagonal in range(clips + captions - 1):
        least, shares = softmin(torch.stack([preceding, _shift(before), before]), gamma)
        columns = diagonal - rows
        cells = rows, columns.clamp(0, captions - 1)
        exists = ((columns >= 0) & (columns < captions))[:, None] & visitable[cells]
        current = least + cost[cells]
        # an unreachable cell stays so, even at a cost of -inf
        current = torch.where(exists & (least != math.inf), current, math.inf)
        ends = pairs.n + pairs.m - 2 == diagonal
        value = torch.where(ends, current.gather(0, pairs.n[None] - 1)[0], value)
        preceding, before = _shift(before), current
        weights.append(shares)
    return value, weights


def _backward(pairs: Pairs, weights: list[Tensor], value: Tensor) -> Tensor:
    """Follow the weights of each anti-diagonal from the last cells, where reached, to the first."""
    clips, captions, _ = pairs.cost.shape
    rows, columns = (torch.arange(size, device=pairs.n.device) for size in (clips, captions))
    last = (rows[:, None] == pairs.n - 1) & (value != math.inf)
    arriving = following = torch.zeros_like(weights[0][0])
    visits: list[Tensor] = []
    for diagonal in reversed(range(clips + captions - 1)):
        ends = last & (pairs.n + pairs.m - 2 == diagonal)
        visits.append(torch.where(ends, 1, arriving))
        diagonally, vertically, horizontally = visits[-1] * weights[diagonal]
        arriving = following + _unshift(vertically) + horizontally
        following = _unshift(diagonally)
    visits.reverse()
    return torch.stack(visits)[rows[:, None] + columns, rows[:, None]]


def _shift(x: Tensor) -> Tensor:
    return torch.cat([torch.full_like(x[:1], math.inf), x[:-1]])


def _unshift(x: Tensor) -> Tensor:
    return torch.cat([x[1:], torch.zeros_like(x[:1])])
