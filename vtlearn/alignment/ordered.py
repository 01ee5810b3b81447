"""Ordered assignment: one second for each step of a task, in the order of the steps."""

import torch
from torch import Tensor

from vtlearn.alignment.pairs import Pairs, as_pairs
from vtlearn.alignment.transforms import refuse_mapped
from vtlearn.errors import ArgumentError

__all__ = ["ordered_assignment"]


def ordered_assignment(
    cost: Tensor, *, n: Tensor | int | None = None, m: Tensor | int | None = None
) -> Tensor:
    """Find the seconds t_1 < ... < t_K of a task's steps whose summed cost is least.

    Args:
        cost: (..., seconds, steps), float16, bfloat16, float32 or float64, any strides: for example
            the negative log probability of each step. Other seconds cost nothing.
        n: Valid seconds of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid steps of each pair, likewise. What lies beyond the lengths changes nothing.

    Returns:
        The second of each step, from 0, (..., steps), int64, -1 beyond the length. Of equal
        assignments, seen from the last step to the first: the last step has the last second, or
        else the earliest one; every other step has the earliest one. An infinite cost is chosen
        only where none is finite.

    Raises:
        ArgumentError: If a pair has fewer seconds than steps, or its sums are NaN; if the cost is
            no stack of float matrices, or a length is 0 or larger than it.

    Source: Zhukov et al., "Cross-task weakly supervised learning from instructional videos", 2019,
        the dynamic program of its published code, in which a step takes one second; here it is also
        right where there are as many seconds as steps.

    Example:
        >>> cost = torch.tensor([[1.0, 3.0], [2.0, 0.5], [0.2, 2.0], [3.0, 1.0]])
        >>> ordered_assignment(cost)
        tensor([2, 3])
    """
    refuse_mapped("ordered_assignment", cost, n, m)
    pairs = as_pairs(cost.detach(), n, m)
    leading = cost.shape[:-2]
    short = (pairs.n < pairs.m).reshape(leading)
    if bool(short.any()):
        raise ArgumentError(_too_short(short, pairs))
    totals, choices = _solve(pairs)
    unknown = totals.isnan().reshape(leading)
    if bool(unknown.any()):
        message = (
            f"the cost of pair {_first(unknown)} has NaN, or inf and -inf, among its valid entries "
            f"({int(unknown.sum())} of {unknown.numel()} pairs do): look at where it comes from"
        )
        raise ArgumentError(message)
    return _follow(choices, pairs).T.reshape(*leading, cost.shape[-1])


def _solve(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Solve all pairs, step by step.

    A step's slack is how many seconds later it is than it can be at the earliest: it never shrinks
    from step to step, and ends at no more than the seconds that there are beyond the steps.

    Returns:
        The least sum, (pairs,), and each step's slack where it has to have that much at the most,
        (steps, slack, pairs).
    """
    seconds, steps, count = pairs.cost.shape
    slack = torch.arange(seconds, device=pairs.n.device)
    room = pairs.n - pairs.m
    least = total = pairs.cost.new_zeros(1, count)
    choices = []
    for step in range(steps):
        sums = least + pairs.cost[(slack + step).clamp(max=seconds - 1), step]
        least = sums.cummin(0).values
        lower = torch.cat([torch.ones_like(sums[:1], dtype=torch.bool), sums[1:] < least[:-1]])
        choice = torch.where(lower, slack[:, None], 0).cummax(0).values
        is_last = pairs.m == step + 1
        at_the_end = is_last & (slack[:, None] == room) & (sums == least)
        choices.append(torch.where(at_the_end, room, choice))
        total = torch.where(is_last, least.gather(0, room[None]), total)
    return total[0], torch.stack(choices)


def _follow(choices: Tensor, pairs: Pairs) -> Tensor:
    """Walk back from the last step to the first, (steps, pairs)."""
    slack, seconds = pairs.n - pairs.m, []
    for step in reversed(range(len(choices))):
        is_valid = step < pairs.m
        slack = torch.where(is_valid, choices[step].gather(0, slack[None])[0], slack)
        seconds.append(torch.where(is_valid, slack + step, -1))
    seconds.reverse()
    return torch.stack(seconds)


def _too_short(short: Tensor, pairs: Pairs) -> str:
    pair = _first(short)
    seconds, steps = (int(lengths.reshape(short.shape)[pair]) for lengths in (pairs.n, pairs.m))
    return (
        f"pair {pair} has {seconds} seconds for {steps} steps, and each step takes one of its own "
        f"({int(short.sum())} of {short.numel()} pairs are too short): leave such videos out"
    )


def _first(marked: Tensor) -> tuple[int, ...]:
    return tuple(marked.nonzero()[0].tolist())
