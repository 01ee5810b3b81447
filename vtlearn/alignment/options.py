"""What pairs are solved for: how soft the minimum is, and what S2DTW changes in the cost.

A kernel solves pairs for given :class:`SoftDTWOptions`. :func:`add_dummies_and_smoothing` is the
specification of what smoothing and dummies mean: it makes the larger cost whose plain soft-DTW is
S2DTW. Kernels need not.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment.pairs import Pairs, inside

__all__ = ["SoftDTWOptions", "Solver", "add_dummies_and_smoothing", "cost_gradient"]


class SoftDTWOptions(NamedTuple):
    """Soft-DTW with these parameters; S2DTW where there are dummies or smoothing.

    Attributes:
        gamma: Smoothing of the soft minimum, in units of cost; 0 is the hard minimum.
        dummy: What it costs to visit a dummy before, between and behind clips and captions; None:
            there are none.
        smoothing: Whether to each cost is added the soft minimum of its neighbours before it.
    """

    gamma: float
    dummy: float | None = None
    smoothing: bool = False

    @property
    def weak(self) -> bool:
        """Whether the cost is changed at all."""
        return self.smoothing or self.dummy is not None


Solver = Callable[[Pairs, SoftDTWOptions, Tensor | None], Tensor]
"""A kernel: from pairs, what to solve them for, and a table to write the value's gradient into.

The table is (clips, captions, pairs) of the cost's dtype and any strides, and need not hold
anything; None: no gradient is wanted. It becomes zero wherever no path leads. Returned is the value
of each pair, (pairs,), in the cost's dtype, infinite where no path has a finite cost.
"""


def add_dummies_and_smoothing(pairs: Pairs, options: SoftDTWOptions) -> Pairs:
    """Make the cost that S2DTW runs plain soft-DTW on.

    Args:
        pairs: Costs and their lengths.
        options: The dummies' cost, whether to smooth, and how softly.

    Returns:
        Pairs whose cost is smoothed and, with dummies, (2 clips + 1, 2 captions + 1, pairs) with
        the original cells at odd rows and columns; differentiable. Beyond the lengths the cost is
        finite and otherwise unspecified.

    Example:
        >>> cost = torch.zeros(1, 1, 1)
        >>> one = torch.tensor([1])
        >>> options = SoftDTWOptions(0.1, dummy=0.5)
        >>> add_dummies_and_smoothing(Pairs(cost, one, one), options).cost[:, :, 0]
        tensor([[0.5000, 0.5000, 0.5000],
                [0.5000, 0.0000, 0.5000],
                [0.5000, 0.5000, 0.5000]])
    """
    clips, captions, count = pairs.cost.shape
    cost = torch.where(inside(pairs), pairs.cost, 0)
    if options.smoothing:
        cost = cost + softmin(_neighbours(cost), options.gamma)[0]
    if options.dummy is None:
        return pairs._replace(cost=cost)
    grid = cost.new_full((2 * clips + 1, 2 * captions + 1, count), options.dummy)
    grid[1::2, 1::2] = cost
    return Pairs(grid, 2 * pairs.n + 1, 2 * pairs.m + 1)


def cost_gradient(gradient: Tensor, pairs: Pairs, options: SoftDTWOptions) -> Tensor:
    """Turn a gradient with respect to the changed cost into one with respect to the cost itself.

    Args:
        gradient: Of the shape of the cost of :func:`add_dummies_and_smoothing`, zero where no path
            leads.
        pairs: What was changed.
        options: What for.

    Returns:
        (clips, captions, pairs).

    Example:
        >>> one = torch.tensor([1])
        >>> pairs = Pairs(torch.zeros(1, 1, 1), one, one)
        >>> cost_gradient(torch.ones(3, 3, 1), pairs, SoftDTWOptions(0.1, 0.5))
        tensor([[[1.]]])
    """
    if options.dummy is not None:
        gradient = gradient[1::2, 1::2]
    if not options.smoothing:
        return gradient
    cost = torch.where(inside(pairs), pairs.cost, 0)
    _, shares = softmin(_neighbours(cost), options.gamma)
    diagonally, vertically, horizontally = shares * gradient
    total = gradient.clone()
    total[:-1, :-1] += diagonally[1:, 1:]
    total[:-1] += vertically[1:]
    total[:, :-1] += horizontally[:, 1:]
    return total


def softmin(numbers: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Find the soft minimum over the first axis, and the weight of each number in it.

    Args:
        numbers: (numbers, ...).
        gamma: Smoothing, in their units; 0 is the hard minimum, the first of equals.

    Returns:
        The minimum, (...), and weights, (numbers, ...), which sum to 1, or are 0 where all numbers
        are infinite.

    Example:
        >>> softmin(torch.tensor([1.0, 2.0, 1.0]), 0.0)
        (tensor(1.), tensor([1., 0., 0.]))
    """
    lowest = numbers.amin(0)
    lows = numbers == lowest
    if gamma == 0:
        least, shares = lowest, (lows & (lows.cumsum(0) == 1)).to(numbers.dtype)
    else:
        # equal to the lowest is 1 without arithmetic, which inf would not survive
        terms = torch.where(lows, 1, torch.exp((lowest - numbers) / gamma))
        total = terms.sum(0)
        least, shares = lowest - gamma * torch.log(total), terms / total
    return least, torch.where(lowest < torch.inf, shares, 0)


def _neighbours(cost: Tensor) -> Tensor:
    """Stack what lies diagonally, vertically and horizontally before a cell; 0 for the first."""
    above = torch.cat([torch.full_like(cost[:1], torch.inf), cost[:-1]])
    neighbours = torch.stack([_one_right(above), above, _one_right(cost)])
    first = torch.zeros_like(cost, dtype=torch.bool)
    first[0, 0] = True
    return torch.where(first, 0, neighbours)


def _one_right(cost: Tensor) -> Tensor:
    return torch.cat([torch.full_like(cost[:, :1], torch.inf), cost[:, :-1]], dim=1)
