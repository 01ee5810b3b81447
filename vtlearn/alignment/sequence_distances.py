"""How far two sequences are from each other, by either of two ways to align them."""

from typing import Literal

import torch
from torch import Tensor

from vtlearn.alignment.otam import otam
from vtlearn.alignment.soft_dtw import soft_dtw

__all__ = ["SequenceMetric", "sequence_distances"]

#: Soft-DTW, or OTAM both ways.
SequenceMetric = Literal["dtw", "otam"]


def sequence_distances(
    cost: Tensor,
    metric: SequenceMetric,
    gamma: float,
    *,
    n: Tensor | None = None,
    m: Tensor | None = None,
) -> Tensor:
    """Compute how far two sequences are from each other.

    Args:
        cost: (..., clips, texts).
        metric: soft-DTW, or OTAM both ways.
        gamma: Smoothing, in units of the cost.
        n: How many clips of each count, integers that broadcast to the leading shape; None: all.
        m: How many texts, likewise.

    Returns:
        (...), lower is better.

    Example:
        >>> cost = torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 2.0], [3.0, 2.0, 1.0]]).double()
        >>> sequence_distances(cost, "otam", 0.1)  # once over the clips and once over the texts
        tensor(6.0000, dtype=torch.float64)
    """
    if metric == "dtw":
        return soft_dtw(cost, gamma, n=n, m=m)
    if n is not None or m is not None or cost.shape[-1] != cost.shape[-2]:
        return otam(cost, gamma, n=n, m=m) + otam(cost.mT, gamma, n=m, m=n)
    return otam(torch.stack([cost, cost.mT]), gamma).sum(0)  # in one call, which is half the time
