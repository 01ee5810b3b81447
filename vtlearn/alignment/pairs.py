"""A stack of costs, of any leading shape and any strides, as the pairs that a recursion solves.

The recursions of this folder solve all pairs at once, cell by cell, so they want the pair axis
innermost. A cost that lies in memory like that already is not copied.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError

__all__ = ["Pairs", "Solution", "Solver", "as_pairs", "check_gamma", "fold_back", "inside"]

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Pairs(NamedTuple):
    """Costs with the pair axis innermost, and their lengths.

    Attributes:
        cost: (clips, captions, pairs), float32 or float64.
        n: How many clips of each pair are valid, (pairs,), int64, between 1 and clips.
        m: How many captions of each pair are valid, (pairs,), int64, between 1 and captions.
    """

    cost: Tensor
    n: Tensor
    m: Tensor


class Solution(NamedTuple):
    """What a kernel of soft-DTW makes of pairs.

    Attributes:
        value: (pairs,), in the dtype of the pairs' cost.
        expected: The probability that the path visits each cell, (clips, captions, pairs), zero
            beyond the lengths; of size 0 where it was not wanted.
    """

    value: Tensor
    expected: Tensor


Solver = Callable[[Pairs, float, bool], Solution]
"""A kernel: from pairs, gamma, and whether the expected alignment is wanted, to a solution."""


def as_pairs(cost: Tensor, n: Tensor | int | None = None, m: Tensor | int | None = None) -> Pairs:
    """Lay costs out for a recursion, and check their lengths.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.

    Returns:
        The pairs, in the order of the flattened leading shape; a view of ``cost`` where possible.

    Raises:
        ArgumentError: If the cost is no stack of float matrices, or a length does not fit it.

    Example:
        >>> pairs = as_pairs(torch.zeros(5, 2, 3), m=torch.tensor([1, 2, 3, 3, 1]))
        >>> pairs.cost.shape, pairs.n.tolist(), pairs.m.tolist()
        (torch.Size([2, 3, 5]), [2, 2, 2, 2, 2], [1, 2, 3, 3, 1])
    """
    _check_cost(cost)
    *leading, rows, columns = cost.shape
    wide = cost.to(torch.promote_types(cost.dtype, torch.float32))
    return Pairs(
        wide.movedim((-2, -1), (0, 1)).reshape(rows, columns, -1),
        _lengths("n", n, rows, torch.Size(leading), cost.device),
        _lengths("m", m, columns, torch.Size(leading), cost.device),
    )


def fold_back(table: Tensor, cost: Tensor) -> Tensor:
    """Undo what :func:`as_pairs` did to the shape and the dtype of a cost.

    Args:
        table: (clips, captions, pairs).
        cost: What the pairs were made of, (..., clips, captions).

    Returns:
        ``table`` in the shape and the dtype of ``cost``.

    Example:
        >>> cost = torch.rand(5, 2, 3)
        >>> bool((fold_back(as_pairs(cost).cost, cost) == cost).all())
        True
    """
    return table.movedim((0, 1), (-2, -1)).reshape(cost.shape).to(cost.dtype)


def inside(pairs: Pairs) -> Tensor:
    """Mark the cells that lie within the lengths.

    Args:
        pairs: Costs and their lengths.

    Returns:
        (clips, captions, pairs), bool.

    Example:
        >>> inside(as_pairs(torch.zeros(2, 2), n=1))[:, :, 0]
        tensor([[ True,  True],
                [False, False]])
    """
    rows, columns = (torch.arange(size, device=pairs.n.device) for size in pairs.cost.shape[:2])
    return (rows[:, None, None] < pairs.n) & (columns[:, None] < pairs.m)


def check_gamma(gamma: float) -> None:
    """Refuse a smoothing that means nothing.

    Args:
        gamma: Smoothing of the soft minimum, in units of cost.

    Raises:
        ArgumentError: If it is negative, infinite or NaN.

    Example:
        >>> check_gamma(0.1)
    """
    if not 0 <= gamma < math.inf:
        message = (
            f"gamma is {gamma}, and has to be 0 (the hard minimum) or a positive number; "
            "0.1 is what the papers use"
        )
        raise ArgumentError(message)


def _check_cost(cost: Tensor) -> None:
    if cost.dtype not in _DTYPES:
        message = f"the cost has dtype {cost.dtype}, and has to be a float: pass cost.float()"
        raise ArgumentError(message)
    if cost.ndim < 2 or 0 in cost.shape[-2:]:
        message = (
            f"the cost has shape {tuple(cost.shape)}, and has to be (..., clips, captions) with at "
            "least one of each: leave out videos without clips or captions"
        )
        raise ArgumentError(message)


def _lengths(
    name: str, given: Tensor | int | None, size: int, leading: torch.Size, device: torch.device
) -> Tensor:
    lengths = torch.as_tensor(size if given is None else given, device=device)
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        message = f"{name} has dtype {lengths.dtype}, and has to be integers, one a pair"
        raise ArgumentError(message)
    try:
        lengths = lengths.long().expand(leading)
    except RuntimeError as error:
        message = (
            f"{name} has shape {tuple(lengths.shape)}, which does not broadcast to the leading "
            f"shape {tuple(leading)} of the cost: pass one length a pair"
        )
        raise ArgumentError(message) from error
    if given is not None:
        _check_lengths(name, lengths, size)
    return lengths.reshape(-1)


def _check_lengths(name: str, lengths: Tensor, size: int) -> None:
    wrong = ((lengths < 1) | (lengths > size)).nonzero()
    if len(wrong) > 0:
        pair = tuple(wrong[0].tolist())
        message = (
            f"{name} of pair {pair} is {int(lengths[pair])}, and has to be between 1 and {size}, "
            f"the size of the cost ({len(wrong)} of {lengths.numel()} pairs are wrong): leave out "
            "pairs without clips or captions"
        )
        raise ArgumentError(message)
