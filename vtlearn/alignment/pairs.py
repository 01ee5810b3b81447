"""A stack of costs, of any leading shape and any strides, as the pairs that a recursion solves.

The recursions of this folder solve all pairs at once, cell by cell, and address a cell by clip,
caption and pair. Where the leading shape can be flattened without moving numbers, a cost is not
copied.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment.bands import Columns, columns_within, feasible
from vtlearn.alignment.transforms import refuse_mapped
from vtlearn.errors import ArgumentError

__all__ = ["Pairs", "as_pairs", "pair_last"]

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Pairs(NamedTuple):
    """Costs addressed by clip, caption and pair, and their lengths.

    Attributes:
        cost: (clips, captions, pairs), float32 or float64, any strides.
        n: How many clips of each pair are valid, (pairs,), int64, between 1 and clips.
        m: How many captions of each pair are valid, (pairs,), int64, between 1 and captions.
        columns: The captions that the band of each pair leaves to each clip, (clips, pairs); None
            without a band.
    """

    cost: Tensor
    n: Tensor
    m: Tensor
    columns: Columns | None = None


def as_pairs(
    cost: Tensor,
    n: Tensor | int | None = None,
    m: Tensor | int | None = None,
    bandwidth: Tensor | int | None = None,
) -> Pairs:
    """Address costs by clip, caption and pair, and check their lengths.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.
        bandwidth: How many captions a path may stray from the slope-corrected diagonal, likewise;
            None: any number.

    Returns:
        The pairs, in the order of the flattened leading shape; a view of ``cost`` where possible.

    Raises:
        ArgumentError: If the cost is no stack of float matrices, a length does not fit it, or a
            bandwidth is negative.

    Example:
        >>> pairs = as_pairs(torch.zeros(5, 2, 3), m=torch.tensor([1, 2, 3, 3, 1]))
        >>> pairs.cost.shape, pairs.n.tolist(), pairs.m.tolist()
        (torch.Size([2, 3, 5]), [2, 2, 2, 2, 2], [1, 2, 3, 3, 1])
    """
    check_cost(cost)
    refuse_mapped("lengths", n, m, bandwidth)
    leading, (rows, columns) = cost.shape[:-2], cost.shape[-2:]
    wide = cost.to(torch.promote_types(cost.dtype, torch.float32))
    pairs = Pairs(
        pair_last(wide),
        _lengths("n", n, rows, leading, cost.device),
        _lengths("m", m, columns, leading, cost.device),
    )
    if bandwidth is None:
        return pairs
    width = _one_a_pair("bandwidth", bandwidth, leading, cost.device)
    width = feasible(width.reshape(-1), pairs.n, pairs.m, rows)
    return pairs._replace(columns=columns_within(width, pairs.n, pairs.m, rows))


def pair_last(table: Tensor) -> Tensor:
    """Address a stack of matrices by row, column and pair.

    Args:
        table: (..., clips, captions).

    Returns:
        (clips, captions, pairs), a view where possible.

    Example:
        >>> pair_last(torch.zeros(5, 4, 2, 3)).shape
        torch.Size([2, 3, 20])
    """
    return table.flatten(0, -3).movedim(0, -1) if table.ndim > 2 else table[..., None]


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
    """Mark the cells that a path may visit: within the lengths, and within the band.

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
    valid = (rows[:, None, None] < pairs.n) & (columns[:, None] < pairs.m)
    if pairs.columns is None:
        return valid
    first, end = (bound[:, None] for bound in pairs.columns)
    return valid & (columns[:, None] >= first) & (columns[:, None] < end)


def check_gamma(gamma: float | Tensor) -> None:
    """Refuse a smoothing that means nothing.

    Args:
        gamma: Smoothing of the soft minimum, in units of cost.

    Raises:
        ArgumentError: If it is negative, infinite or NaN.

    Example:
        >>> check_gamma(0.1)
    """
    if isinstance(gamma, Tensor) and gamma.requires_grad:
        message = "gamma requires a gradient, and soft-DTW has none for it: pass float(gamma)"
        raise ArgumentError(message)
    if not 0 <= gamma < math.inf:
        message = (
            f"gamma is {gamma}, and has to be 0 (the hard minimum) or a positive number; "
            "0.1 is what the papers use"
        )
        raise ArgumentError(message)


def check_cost(cost: Tensor) -> None:
    """Refuse what is no stack of float matrices.

    Args:
        cost: (..., clips, captions).

    Raises:
        ArgumentError: If its dtype is no float, or it has no clips or no captions.

    Example:
        >>> check_cost(torch.zeros(0, 2, 3))
    """
    if cost.dtype not in _DTYPES:
        message = f"the cost has dtype {cost.dtype}, and has to be a float: pass cost.float()"
        raise ArgumentError(message)
    if cost.ndim < 2 or 0 in cost.shape[-2:]:
        message = (
            f"the cost has shape {tuple(cost.shape)}, and has to be (..., clips, captions) with at "
            "least one of each: leave out videos without clips or captions"
        )
        raise ArgumentError(message)


def _one_a_pair(
    name: str, given: Tensor | int, leading: torch.Size, device: torch.device
) -> Tensor:
    numbers = torch.as_tensor(given, device=device)
    if numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool:
        message = f"{name} has dtype {numbers.dtype}, and has to be integers, one a pair"
        raise ArgumentError(message)
    try:
        return numbers.long().expand(leading)
    except RuntimeError as error:
        message = (
            f"{name} has shape {tuple(numbers.shape)}, which does not broadcast to the leading "
            f"shape {tuple(leading)} of the cost: pass one number a pair"
        )
        raise ArgumentError(message) from error


def _lengths(
    name: str, given: Tensor | int | None, size: int, leading: torch.Size, device: torch.device
) -> Tensor:
    if given is None:
        return torch.full((leading.numel(),), size, device=device)
    lengths = _one_a_pair(name, given, leading, device)
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
