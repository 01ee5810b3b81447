"""OTAM: options that may begin after the first clip and end before the last, at no cost.

Only the first caption may last for several clips; from there every step goes on to the next
caption. So the cells of a caption depend on those of the caption before alone, and all clips of all
pairs are solved at once: one loop over the captions, and one over the clips of the first.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vtlearn.alignment.pairs import as_pairs, check_gamma
from vtlearn.alignment.transforms import refuse_mapped, refuse_recorded, requires_gradient
from vtlearn.errors import ArgumentError

__all__ = ["otam"]


def otam(
    cost: Tensor,
    gamma: float = 0.1,
    *,
    n: Tensor | int | None = None,
    m: Tensor | int | None = None,
) -> Tensor:
    """Score how well all captions match some run of the clips, in order; lower is better.

    A zero column is put before the first caption and behind the last, along which a path may pass
    over clips. Between them a path goes from caption to caption, with the next clip or with the
    same one; only the first caption may last for several clips. The value is the soft minimum of
    the summed cost over all paths, and its gradient the probability that a path visits a cell. It
    is no metric and not symmetric: TempCLR's distance is ``otam(cost) + otam(cost.mT)``. It can be
    differentiated once, not twice, and not by ``torch.func``.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        gamma: Smoothing, in units of cost; 0 is the hard minimum, with one path as its gradient:
            of equal ways it goes on with the next clip, and begins as late and ends as early as it
            can.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths, NaN included,
            changes nothing and gets zero gradient.

    Returns:
        (...), in the cost's dtype, computed in float32 or wider; negative where the costs are near
        zero, because several paths are softly less than each. Infinite where no path has a finite
        cost; NaN only where a cost within the lengths is NaN or -inf.

    Raises:
        ArgumentError: If gamma is negative, the cost is no stack of float matrices, or a length is
            0 or larger than the cost; if ``torch.func`` asks for its gradient; in the backward, if
            a second derivative is asked for.

    Source: Cao et al., "Few-Shot Video Classification via Temporal Alignment", 2020, as in the
        published code of Yang et al., "TempCLR: Temporal Alignment Representation with Contrastive
        Learning", 2023. That code's evaluation subtracts the soft minimum of the first caption's
        cells from their cost; here it is added, as in its training.

    Example:
        >>> cost = torch.tensor([[9.0, 9.0], [0.5, 9.0], [9.0, 0.25], [9.0, 9.0]])
        >>> otam(cost, gamma=0.0), otam(cost.mT, gamma=0.0)
        (tensor(0.7500), tensor(18.7500))
    """
    check_gamma(gamma)
    pairs = as_pairs(cost, n, m)
    # one copy, if any: the loops read whole rows of pairs
    table = pairs.cost.contiguous()
    if torch.is_grad_enabled() and requires_gradient(cost):
        refuse_recorded("otam", cost)
        refuse_mapped("otam with a gradient", cost)
        value: Tensor = _OTAM.apply(table, pairs.n, pairs.m, gamma)  # type: ignore[no-untyped-call]
    else:
        value = _solve(table, pairs.n, pairs.m, gamma).value
    return value.to(cost.dtype).reshape(cost.shape[:-2])


class _Ways(NamedTuple):
    """How the best paths go.

    Attributes:
        value: The soft minimum over them, (pairs,).
        leaving: The share of those that end with each clip, (clips, pairs).
        entering: For each caption the share of the first step into its cells, (clips, pairs): from
            the zero column into the first caption, then from the clip before. Never NaN, so that
            what lies beyond the lengths stays without a gradient.
    """

    value: Tensor
    leaving: Tensor
    entering: list[Tensor]


def _solve(cost: Tensor, n: Tensor, m: Tensor, gamma: float) -> _Ways:
    column, shares = _enter(cost[:, 0], gamma)
    ends, entering = column, [shares]
    for caption in range(1, cost.shape[1]):
        before = torch.cat([torch.full_like(column[:1], math.inf), column[:-1]])
        least, shares = _softmin(before, column, gamma)
        column = least + cost[:, caption]
        ends = torch.where(m - 1 == caption, column, ends)
        entering.append(shares)
    return _Ways(*_leave(ends, n, gamma), entering)


def _enter(costs: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Compute the cells of the first caption, clip by clip."""
    # the zero column is entered from twice: beside the cell, and diagonally before it
    entry = torch.full_like(costs[0], -gamma * math.log(2))
    cells, shares = [costs[0]], [torch.ones_like(costs[0])]
    for row in costs[1:]:
        least, share = _softmin(entry, cells[-1], gamma)
        cells.append(least + row)
        shares.append(share)
    return torch.stack(cells), torch.stack(shares)


def _softmin(first: Tensor, second: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Find the soft minimum of two, and the share of the first; of two equal ones if hard."""
    least = torch.minimum(first, second)
    if gamma == 0:
        return least, (first <= second).to(least.dtype)
    # NaN: both infinite
    ahead = ((second - first) / gamma).nan_to_num(nan=0, posinf=math.inf, neginf=-math.inf)
    return least - gamma * softplus(-ahead.abs()), torch.sigmoid(ahead)


def _leave(cells: Tensor, n: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Find the soft minimum over the clips that a path may end with, and the share of each.

    The recursion down the zero column, in closed form: it is entered beside a cell and diagonally
    behind it, so that each end but the last counts twice.
    """
    clips = torch.arange(len(cells), device=cells.device)[:, None]
    cells = torch.where(clips < n, cells, math.inf)
    least = cells.amin(0)
    lows = cells == least
    if gamma == 0:
        shares = (lows & (lows.cumsum(0) == 1)).to(cells.dtype)
    else:
        # equal to the least is 1 without arithmetic, which inf would not survive
        terms = torch.where(lows, 1, torch.exp((least - cells) / gamma))
        terms = terms * torch.where(clips < n - 1, 2, (clips < n).to(cells.dtype))
        total = terms.sum(0)
        least, shares = least - gamma * torch.log(total), terms / total
    return least, torch.where(least < math.inf, shares, 0)


def _expected(leaving: Tensor, entering: list[Tensor], m: Tensor) -> Tensor:
    """Follow the shares from the last caption to the first, (clips, captions, pairs)."""
    clips, count = leaving.shape
    expected = leaving.new_empty(clips, len(entering), count)
    arriving = torch.zeros_like(leaving)
    for caption in reversed(range(len(entering))):
        visits = arriving + torch.where(m - 1 == caption, leaving, 0)
        expected[:, caption] = visits
        before = visits * entering[caption]
        arriving = visits - before
        arriving[:-1] += before[1:]
    first = expected[:, 0]
    for clip in reversed(range(1, clips)):
        first[clip - 1] += first[clip] * (1 - entering[0][clip])
    return expected


class _OTAM(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: Tensor, n: Tensor, m: Tensor, gamma: float) -> Tensor:
        ways = _solve(cost, n, m, gamma)
        ctx.save_for_backward(ways.leaving, m, *ways.entering)
        return ways.value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        if torch.is_grad_enabled():  # a constant would pass for the gradient's own gradient
            message = (
                "otam can be differentiated once, not twice, and its gradient was asked for "
                "with create_graph=True: take it without, or keep otam out of that graph"
            )
            raise ArgumentError(message)
        leaving, m, *entering = ctx.saved_tensors
        return _expected(leaving, entering, m) * gradient, None, None, None
