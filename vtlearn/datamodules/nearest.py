"""The nearest of many vectors, by comparing all of them, in memory that does not grow with them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.distributed import gather_objects, process
from vtlearn.errors import ArgumentError

__all__ = ["nearest", "share_nearest"]

_ROWS, _COLUMNS = 1024, 8192  # vectors that are compared at a time: 64 MB of distances


def nearest(vectors: Tensor, count: int, rows: slice = slice(None)) -> Tensor:
    """Find the nearest of vectors among themselves, by Euclidean distance.

    Every pair is compared, in float64, so that neither an index nor rounding loses a neighbour.

    Args:
        vectors: (vectors, dim), any floating dtype.
        count: How many are found of each, itself among them; no more than there are.
        rows: Whose neighbours are found.

    Returns:
        Positions, (rows, count), int64: each vector itself, then the others, nearest first. Which
        one of two at the same distance comes first is not said.

    Raises:
        ArgumentError: If a vector has a component that is not finite.

    Example:
        >>> nearest(torch.tensor([[0.0], [5.0], [1.0], [7.0]]), count=2)
        tensor([[0, 2],
                [1, 3],
                [2, 0],
                [3, 1]])
    """
    points = vectors.double()
    broken = ~points.isfinite().all(1)
    if broken.any():
        message = (
            f"{int(broken.sum())} of {len(points)} vectors have components that are not finite "
            f"(the first is number {int(broken.nonzero()[0])}), and no neighbours: the training "
            "may have diverged, lower its learning rate"
        )
        raise ArgumentError(message)
    points = points - points.mean(0)  # rounding is of what differs, and distances stay
    norms = points.square().sum(1) / 2
    own = torch.arange(len(points), device=points.device)[rows]
    found = [_nearest_of(part, points, norms, count) for part in own.split(_ROWS)]
    return torch.cat(found)


def share_nearest(vectors: Tensor, count: int, device: torch.device) -> NDArray[np.int32]:
    """Find the neighbours of videos, each process those of its share of them.

    Args:
        vectors: (videos, dim), the same on every process.
        count: How many are found of each, itself among them.
        device: Where to compute; the CPU does it where the device has no float64.

    Returns:
        Positions, (videos, count), the video itself and then the nearest first, the same on every
        process.
    """
    rank, world = process()
    share = slice(len(vectors) * rank // world, len(vectors) * (rank + 1) // world)
    found = nearest(vectors.to("cpu" if device.type == "mps" else device), count, share)
    return np.concatenate(gather_objects(found.cpu().numpy().astype(np.int32)))


def _nearest_of(own: Tensor, points: Tensor, norms: Tensor, count: int) -> Tensor:
    """Find the nearest of some vectors, going through all of them a tile at a time."""
    distances = points.new_empty(len(own), 0)
    positions = own.new_empty(len(own), 0)
    queries = points[own]
    for first in range(0, len(points), _COLUMNS):
        tile = slice(first, first + _COLUMNS)
        # half the squared distance, but for the query's own norm
        found = torch.addmm(norms[tile], queries, points[tile].T, alpha=-1)
        here = ((own >= first) & (own < first + found.shape[1])).nonzero()[:, 0]
        found[here, own[here] - first] = -torch.inf  # itself, before those that are equal to it
        found, at = _least(found, count)
        distances, kept = _least(torch.cat([distances, found], 1), count)
        positions = torch.cat([positions, at + first], 1).gather(1, kept)
    return positions


def _least(distances: Tensor, count: int) -> tuple[Tensor, Tensor]:
    values, at = distances.topk(min(count, distances.shape[1]), largest=False)
    return values, at
