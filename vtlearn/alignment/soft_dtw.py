"""Soft-DTW: how well two sequences match when each may be stretched in time, differentiably.

The torch code here is the specification, on any device: vectorised over all pairs and over the
cells of an anti-diagonal, which do not depend on each other. :func:`_kernel` is the one place that
chooses another kernel for a tensor; all of them compute the value and the expected alignment in one
call.
"""

import functools
import math
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment import soft_dtw_cpu
from vtlearn.alignment.pairs import (
    Pairs,
    Solution,
    Solver,
    as_pairs,
    check_gamma,
    fold_back,
    inside,
)
from vtlearn.errors import ArgumentError

__all__ = ["kernel_for", "soft_alignment", "soft_dtw", "solve", "solve_reference"]


class _Kernel(NamedTuple):
    name: str
    solve: Solver


def soft_dtw(
    cost: Tensor,
    gamma: float = 0.1,
    *,
    n: Tensor | int | None = None,
    m: Tensor | int | None = None,
) -> Tensor:
    """Score how well clips and captions match in order; lower is better, and it may be negative.

    The value is the soft minimum, over all monotone paths from the first pair of clip and caption
    to the last, of the summed cost along the path. Its gradient is the expected alignment: the
    probability that a path visits a cell. It can be differentiated once, not twice.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides; fastest
            where the leading shape is innermost in memory.
        gamma: Smoothing, in units of cost; 0 is hard DTW, with one path as its gradient: of equal
            steps the diagonal one, then the one along the clips, then along the captions.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths, NaN included,
            changes nothing and gets zero gradient.

    Returns:
        (...), in the cost's dtype, computed in float32 or wider. Infinite where no path has a
        finite cost; NaN only where a cost within the lengths is NaN or -inf.

    Raises:
        ArgumentError: If gamma is negative, the cost is no stack of float matrices, or a length is
            0 or larger than the cost; in the backward, if a second derivative is asked for.

    Source: Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        equation 1 and algorithms 1 and 2. The backward multiplies the weights of the soft minima
        instead of exponentials of differences, which loses less in float32.

    Example:
        >>> cost = torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
        >>> soft_dtw(cost, gamma=1.0)
        tensor(2.5778)
        >>> soft_dtw(cost.expand(2, 3, 3), gamma=0.0, n=torch.tensor([3, 2]), m=3)
        tensor([3., 4.])
    """
    check_gamma(gamma)
    pairs = as_pairs(cost, n, m)
    if torch.is_grad_enabled() and cost.requires_grad:
        value: Tensor = _SoftDTW.apply(*pairs, gamma)  # type: ignore[no-untyped-call]
    else:
        value = solve(pairs, gamma, want_expected=False).value
    return value.to(cost.dtype).reshape(cost.shape[:-2])


def soft_alignment(
    cost: Tensor,
    gamma: float = 0.1,
    *,
    n: Tensor | int | None = None,
    m: Tensor | int | None = None,
) -> Tensor:
    """Say which clips and captions go together: how probable each pair is on the path.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        gamma: Smoothing, in units of cost; 0 gives the best path itself.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.

    Returns:
        (..., clips, captions), in the cost's dtype, between 0 and 1, zero beyond the lengths: the
        gradient of :func:`soft_dtw`, detached.

    Raises:
        ArgumentError: As :func:`soft_dtw` does.

    Source: Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        algorithm 2.

    Example:
        >>> soft_alignment(torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), gamma=0.0)
        tensor([[1., 0.],
                [1., 0.],
                [0., 1.]])
    """
    check_gamma(gamma)
    solution = solve(as_pairs(cost.detach(), n, m), gamma, want_expected=True)
    return fold_back(solution.expected, cost)


def kernel_for(tensor: Tensor) -> str:
    """Tell which kernel solves the pairs of a cost that lies where this tensor does.

    Args:
        tensor: Any tensor.

    Returns:
        ``numba`` or ``torch``.

    Example:
        >>> kernel_for(torch.zeros(1, device="meta"))
        'torch'
    """
    return _kernel(tensor).name


def solve(pairs: Pairs, gamma: float, *, want_expected: bool) -> Solution:
    """Solve pairs with the kernel for their device, without autograd.

    Args:
        pairs: Costs with the pair axis innermost, and their lengths.
        gamma: Smoothing, in units of cost.
        want_expected: Whether to compute the expected alignment with the value.

    Returns:
        The value and, if wanted, the expected alignment.

    Example:
        >>> solve(as_pairs(torch.ones(2, 2)), 0.0, want_expected=False).value
        tensor([2.])
    """
    with torch.no_grad():
        return _kernel(pairs.cost).solve(pairs, gamma, want_expected)


def solve_reference(pairs: Pairs, gamma: float, want_expected: bool) -> Solution:
    """Solve pairs in torch, one anti-diagonal after the other: the specification, on any device.

    Args:
        pairs: Costs with the pair axis innermost, and their lengths.
        gamma: Smoothing, in units of cost.
        want_expected: Whether to compute the expected alignment with the value.

    Returns:
        The value and, if wanted, the expected alignment.

    Example:
        >>> solve_reference(as_pairs(torch.ones(2, 2)), 0.0, True).expected[:, :, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """
    valid = inside(pairs)
    pairs = pairs._replace(cost=torch.where(valid, pairs.cost, 0))
    value, weights = _forward(pairs, gamma)
    if not want_expected:
        return Solution(value, value.new_zeros(0, 0, 0))
    return Solution(value, torch.where(valid, _backward(pairs, weights), 0))


def _forward(pairs: Pairs, gamma: float) -> tuple[Tensor, list[Tensor]]:
    clips, captions, count = pairs.cost.shape
    rows = torch.arange(clips, device=pairs.cost.device)
    before = pairs.cost.new_full((clips, count), math.inf)  # the last anti-diagonal, a row a clip
    preceding = before.clone()  # what the next cells have diagonally before them
    preceding[0] = 0  # what precedes the first cell
    value, weights = before[0], []
    for diagonal in range(clips + captions - 1):
        least, shares = _softmin(torch.stack([preceding, _shift(before), before]), gamma)
        columns = diagonal - rows
        exists = ((columns >= 0) & (columns < captions))[:, None]
        current = least + pairs.cost[rows, columns.clamp(0, captions - 1)]
        # an unreachable cell stays so, even at a cost of -inf
        current = torch.where(exists & (least != math.inf), current, math.inf)
        ends = pairs.n + pairs.m - 2 == diagonal
        value = torch.where(ends, current.gather(0, pairs.n[None] - 1)[0], value)
        preceding, before = _shift(before), current
        weights.append(shares)
    return value, weights


def _softmin(numbers: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Find the soft minimum over the first axis, and the weights, 0 where nothing is reachable."""
    lowest = numbers.amin(0)
    lows = numbers == lowest
    if gamma == 0:
        least, shares = lowest, (lows & (lows.cumsum(0) == 1)).to(numbers.dtype)
    else:
        # equal to the lowest is 1 without arithmetic, which inf would not survive
        terms = torch.where(lows, 1, torch.exp((lowest - numbers) / gamma))
        total = terms.sum(0)
        least, shares = lowest - gamma * torch.log(total), terms / total
    return least, torch.where(lowest < math.inf, shares, 0)


def _backward(pairs: Pairs, weights: list[Tensor]) -> Tensor:
    """Follow the weights of each anti-diagonal from the last cells to the first."""
    clips, captions, _ = pairs.cost.shape
    rows, columns = (torch.arange(size, device=pairs.n.device) for size in (clips, captions))
    last = rows[:, None] == pairs.n - 1
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


def _kernel(tensor: Tensor) -> _Kernel:
    # the choice: a further kernel is a further line
    return _cpu_kernel() if tensor.device.type == "cpu" else _Kernel("torch", solve_reference)


@functools.cache
def _cpu_kernel() -> _Kernel:
    try:
        return _Kernel("numba", soft_dtw_cpu.kernel())
    except ImportError as error:
        message = f"soft-DTW runs on the CPU without its fast kernel: {error}"
        warnings.warn(message, RuntimeWarning, stacklevel=5)  # whoever called soft_dtw
        return _Kernel("torch", solve_reference)


class _SoftDTW(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: Tensor, n: Tensor, m: Tensor, gamma: float) -> Tensor:
        # the gradient is cheapest now: the weights of the soft minima never leave the kernel
        solution = solve(Pairs(cost, n, m), gamma, want_expected=True)
        ctx.save_for_backward(solution.expected)
        return solution.value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        if torch.is_grad_enabled():  # a constant would pass for the gradient's own gradient
            message = (
                "soft_dtw can be differentiated once, not twice, and its gradient was asked for "
                "with create_graph=True: take it without, or keep soft_dtw out of that graph"
            )
            raise ArgumentError(message)
        (expected,) = ctx.saved_tensors
        return expected * gradient, None, None, None
