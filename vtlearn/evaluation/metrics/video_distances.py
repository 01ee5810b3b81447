"""How far videos of several windows are from each other: all pairs, a block at a time."""

from math import isqrt

import torch
from torch import Tensor

from vtlearn.alignment import SequenceMetric, sequence_distances
from vtlearn.evaluation.metrics.similarity import comparable, product

__all__ = ["pooled_distances", "video_distances"]


def video_distances(
    windows: Tensor, metric: SequenceMetric, gamma: float = 0.1, *, budget: int = 2**20
) -> Tensor:
    """Compare all videos window by window, by the cost 1 - cosine.

    Args:
        windows: (videos, windows, dim), any floating dtype.
        metric: Soft-DTW, or OTAM both ways.
        gamma: Smoothing, in units of the cost.
        budget: How many cells are computed at a time.

    Returns:
        (videos, videos), float32, symmetric; lower is better. Rounded from float64, so that equal
        videos are equally far.

    Example:
        >>> one = torch.eye(2)
        >>> video_distances(torch.stack([one, one, one.flip(0)]), "dtw", 0.0)
        tensor([[0., 0., 2.],
                [0., 0., 2.],
                [2., 2., 0.]])
    """
    videos, length, _ = windows.shape
    step = max(1, isqrt(budget) // length)
    unit = comparable(windows, "cosine")
    distance = torch.empty(videos, videos)
    for first in range(0, videos, step):
        rows = unit[first : first + step]
        for other in range(first, videos, step):  # the rest is symmetric
            columns = unit[other : other + step]
            block = _distances(rows, columns, metric, gamma)
            distance[first : first + step, other : other + step] = block
            distance[other : other + step, first : first + step] = block.T
    return distance


def pooled_distances(windows: Tensor) -> Tensor:
    """Compare all videos by the means of their windows, whatever their order: 1 - cosine.

    Args:
        windows: (videos, windows, dim), any floating dtype.

    Returns:
        (videos, videos), float32; lower is better.

    Example:
        >>> one = torch.eye(2)
        >>> pooled_distances(torch.stack([one, one.flip(0)])).abs() < 1e-6
        tensor([[True, True],
                [True, True]])
    """
    mean = comparable(comparable(windows, "cosine").mean(1), "cosine")
    return 1 - product(mean, mean)


def _distances(rows: Tensor, columns: Tensor, metric: SequenceMetric, gamma: float) -> Tensor:
    similarity = product(rows.flatten(0, 1), columns.flatten(0, 1)).double()
    shape = (*rows.shape[:2], *columns.shape[:2])
    cost = 1 - similarity.view(shape).transpose(1, 2)
    return sequence_distances(cost, metric, gamma).float()
