"""Ragged rows and padded axes, one turned into the other; a mask is a length."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["fold", "frame_times", "pad", "valid"]


def valid(length: Tensor, size: int) -> Tensor:
    """Turn lengths into a mask.

    Args:
        length: (batch,), integers.
        size: How many entries there are, valid or not.

    Returns:
        (batch, size), bool: True for the first ``length`` entries.

    Example:
        >>> valid(torch.tensor([2, 0]), 3).int()
        tensor([[1, 1, 0],
                [0, 0, 0]], dtype=torch.int32)
    """
    return torch.arange(size, device=length.device) < length[:, None]


def frame_times(spans: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the middle of each frame of clips.

    Args:
        spans: Start and end of each clip in seconds, (clips, 2), of the frames that count.
        length: How many frames of each count, (clips,), integers.
        size: How many there are, whether they count or not.

    Returns:
        (clips, size), in seconds; those of frames that do not count lie beyond the clip's end.

    Example:
        >>> frame_times(torch.tensor([[2.0, 6.0]]).double(), torch.tensor([2]), 3)
        tensor([[3., 5., 7.]], dtype=torch.float64)
    """
    start, end = spans[:, :1], spans[:, 1:]
    position = (torch.arange(size, dtype=spans.dtype, device=spans.device) + 0.5) / length[:, None]
    return start + (end - start) * position


def fold(x: Tensor, counts: Sequence[int], *, fill: float = 0.0) -> Tensor:
    """Lay the rows of samples side by side, padded to those of the longest.

    Args:
        x: (sum of counts, ...).
        counts: How many rows each sample has.
        fill: What padding is filled with.

    Returns:
        (samples, most, ...).

    Example:
        >>> fold(torch.tensor([1, 2, 3]), [1, 2])
        tensor([[1, 0],
                [2, 3]])
    """
    mask = valid(torch.tensor(counts, device=x.device), max(counts, default=0))
    return x.new_full((*mask.shape, *x.shape[1:]), fill).index_put((mask,), x)


def pad(x: Tensor, sizes: Sequence[int], *, fill: float = 0.0) -> Tensor:
    """Append to each axis but the first, so that it gets a size.

    Args:
        x: (rows, ...).
        sizes: What axes 1, 2, ... should measure; further axes stay as they are.
        fill: What is appended.

    Returns:
        (rows, *sizes, ...); ``x`` itself where nothing is missing.

    Example:
        >>> pad(torch.ones(1, 1, 2), [2])
        tensor([[[1., 1.],
                 [0., 0.]]])
    """
    missing = [size - have for size, have in zip(sizes, x.shape[1:], strict=False)]
    if not any(missing):
        return x
    behind = [0] * (x.ndim - 1 - len(sizes)) + missing[::-1]  # torch begins with the last axis
    return functional.pad(x, [side for more in behind for side in (0, more)], value=fill)
