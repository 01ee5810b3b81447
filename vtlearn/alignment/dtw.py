"""Hard dynamic time options: the best path itself, cell by cell."""

from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment.kernels import Lengths, solve_soft_dtw_gradient
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import check_cost, pair_last
from vtlearn.alignment.transforms import refuse_mapped

__all__ = ["HardPath", "dtw"]


class HardPath(NamedTuple):
    """The best path through each pair's cost.

    Attributes:
        distance: The summed cost along the path, (...), in the cost's dtype, detached.
        cells: The clip and the caption of each step in order, (..., clips + captions - 1, 2),
            int64, padded with -1.
        length: How many cells the path has, (...), int64; 0 where no path has a finite cost.
    """

    distance: Tensor
    cells: Tensor
    length: Tensor


def dtw(
    cost: Tensor, *, n: Lengths = None, m: Lengths = None, bandwidth: Lengths = None
) -> HardPath:
    """Find the cheapest monotone path from the first clip and caption to the last.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths changes nothing.
        bandwidth: How many captions a path may stray from the straight line between a pair's first
            and last cell, likewise; None: any number.

    Returns:
        Distance, cells and length. Of equal steps into a cell the diagonal one is taken, then the
        one from the clip before, then the one from the caption before. Without gradient.

    Raises:
        ArgumentError: If the cost is no stack of float matrices, or a length is 0 or larger than
            it.

    Source: Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word
        recognition", 1978, with all three steps at weight 1 and no window.

    Example:
        >>> path = dtw(torch.tensor([[0.0, 9.0], [0.0, 9.0], [9.0, 0.0]]))
        >>> path.distance, path.cells[: path.length].tolist()
        (tensor(0.), [[0, 0], [1, 0], [2, 1]])
    """
    refuse_mapped("dtw", cost, n, m, bandwidth)
    check_cost(cost)
    *leading, clips, captions = cost.shape
    value, visited = solve_soft_dtw_gradient(cost, SoftDTWOptions(0.0), n, m, bandwidth)
    on_path = pair_last(visited) == 1
    length = on_path.sum((0, 1))
    # a monotone path is in order where its cells are sorted by clip, then by caption
    pair, clip, caption = on_path.movedim(2, 0).nonzero(as_tuple=True)
    step = torch.arange(len(pair), device=pair.device) - (length.cumsum(0) - length)[pair]
    cells = pair.new_full((len(length), clips + captions - 1, 2), -1)
    cells[pair, step] = torch.stack([clip, caption], dim=-1)
    return HardPath(
        value,
        cells.reshape(*leading, clips + captions - 1, 2),
        length.reshape(leading),
    )
