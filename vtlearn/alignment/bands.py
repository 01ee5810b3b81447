"""Sakoe-Chiba bands: paths that keep near the diagonal, also where the lengths differ.

The diagonal of a pair runs from its first cell to its last, so it is as steep as the lengths are
unequal; a width is measured from it in captions. All arithmetic is in integers: a cell is in the
band or not, on every device alike.
"""

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError

__all__ = ["Columns"]


class Columns(NamedTuple):
    """Which captions each clip of each pair may be matched with.

    Attributes:
        first: The first of them, (clips, pairs), int64.
        end: The one after the last of them, (clips, pairs), int64; 0 for a clip beyond the length.
    """

    first: Tensor
    end: Tensor


def feasible(width: Tensor, n: Tensor, m: Tensor, clips: int) -> Tensor:
    """Widen bands that no path could stay within, and say so once.

    Args:
        width: The band's width, in captions, (pairs,), int64.
        n: Valid clips of each pair, (pairs,), int64.
        m: Valid captions of each pair, (pairs,), int64.
        clips: The largest number of clips.

    Returns:
        The width of each pair, or the least that joins its first cell with its last.

    Raises:
        ArgumentError: If a width is negative.

    Example:
        >>> feasible(torch.tensor([9]), torch.tensor([2]), torch.tensor([10]), 2)
        tensor([9])
    """
    if bool((width < 0).any()):
        pair = int((width < 0).nonzero()[0])
        message = (
            f"the bandwidth of pair {pair} is {int(width[pair])}, and has to be 0 (the diagonal) "
            "or more; None means no band"
        )
        raise ArgumentError(message)
    width = torch.minimum(width, m)  # wider ones are no narrower, and could overflow
    least = _least_width(n, m, clips)
    if bool((width < least).any()):
        # the same words each time, so that Python says them once
        message = (
            "a bandwidth leaves no path from a pair's first cell to its last; such bands were "
            "widened as little as possible"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return torch.maximum(width, least)


def columns_within(width: Tensor, n: Tensor, m: Tensor, clips: int) -> Columns:
    """Tell which captions a band leaves to each clip.

    Args:
        width: The band's width, in captions, (pairs,), int64.
        n: Valid clips of each pair, (pairs,), int64.
        m: Valid captions of each pair, (pairs,), int64.
        clips: The largest number of clips.

    Returns:
        The captions j at most ``width`` from i (m - 1) / (n - 1) for clip i, counted from 0; all
        captions of a pair that has one clip.

    Source: Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word
        recognition", 1978, whose window lies around a diagonal of slope 1; here it follows the
        lengths, and so is the same for both sequences reversed.

    Example:
        >>> one = torch.tensor([1])
        >>> first, end = columns_within(one, torch.tensor([3]), torch.tensor([5]), 3)
        >>> first[:, 0].tolist(), end[:, 0].tolist()
        ([0, 1, 3], [2, 4, 5])
    """
    clip = torch.arange(clips, device=n.device)[:, None]
    run = (n - 1).clamp(min=1)
    first = -((width * run - clip * (m - 1)) // run)
    end = (clip * (m - 1) + width * run) // run + 1
    alone = n == 1
    first = torch.where(alone, 0, first.clamp(min=0))
    end = torch.where(alone, m, torch.minimum(end, m))
    return Columns(first, torch.where(clip < n, end, 0))


def _least_width(n: Tensor, m: Tensor, clips: int) -> Tensor:
    """Find the least width at which every clip has a caption, and a path leads from it to the next.

    With the diagonal between captions ``low`` and ``high`` at a clip, width w leaves it the
    captions from high - w to low + w: at least one, and the last at most one before the next
    clip's first.
    """
    clip = torch.arange(clips, device=n.device)[:, None]
    run = (n - 1).clamp(min=1)
    low, high = clip * (m - 1) // run, -(-clip * (m - 1) // run)
    following = -(-(clip + 1) * (m - 1) // run)
    least = torch.maximum((high - low + 1) // 2, (following - low) // 2)
    last = torch.where(clip == n - 1, 0, least)
    return torch.where((clip < n) & (n > 1), last, 0).amax(0)
