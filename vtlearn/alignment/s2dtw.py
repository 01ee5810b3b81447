"""S2DTW: soft-DTW for narration that is only weakly aligned with what the video shows.

Each cell's cost is smoothed with its neighbours before it, and dummy rows and columns at a fixed
cost let the path pass a clip or a caption that has no counterpart.
"""

from torch import Tensor

from vtlearn.alignment.kernels import Lengths, solve_soft_dtw
from vtlearn.alignment.options import SoftDTWOptions, add_dummies_and_smoothing
from vtlearn.alignment.pairs import as_pairs, check_gamma

__all__ = ["s2dtw", "s2dtw_cost"]


def s2dtw(
    similarity: Tensor,
    gamma: float = 0.1,
    *,
    dummy: float | None = 0.5,
    smoothing: bool = True,
    n: Lengths = None,
    m: Lengths = None,
) -> Tensor:
    """Score how well weakly aligned clips and captions match; lower is better, it may be negative.

    Args:
        similarity: Cosine similarity, (..., clips, captions), float16, bfloat16, float32 or
            float64, any strides.
        gamma: Smoothing of both soft minima, in units of cosine; 0 is the hard minimum.
        dummy: What it costs to visit a dummy, in units of cosine; None: no dummies.
        smoothing: Whether to smooth the cost with its neighbours.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths, NaN included,
            changes nothing and gets zero gradient.

    Returns:
        (...), in the dtype of ``similarity``, computed in float32 or wider.

    Raises:
        ArgumentError: If gamma is negative, the similarity is no stack of float matrices, or a
            length is 0 or larger than it.

    Source: Ko et al., "Video-Text Representation Learning via Differentiable Weak Temporal
        Alignment", 2022, as its published code computes it. That code takes as many clips as
        captions; here their numbers may differ.

    Example:
        >>> import torch
        >>> s2dtw(torch.eye(3)), s2dtw(torch.eye(3).flip(0))
        (tensor(-4.2519), tensor(-0.8667))
    """
    return solve_soft_dtw(-similarity, SoftDTWOptions(gamma, dummy, smoothing), n, m)


def s2dtw_cost(
    similarity: Tensor,
    gamma: float = 0.1,
    *,
    dummy: float | None = 0.5,
    smoothing: bool = True,
    n: Lengths = None,
    m: Lengths = None,
) -> Tensor:
    """Build the cost that S2DTW runs soft-DTW on.

    Args:
        similarity: Cosine similarity, (..., clips, captions), float16, bfloat16, float32 or
            float64, any strides.
        gamma: Smoothing of the soft minimum over the neighbours, in units of cosine.
        dummy: What it costs to visit a dummy, in units of cosine; None: no dummies.
        smoothing: Whether to add to each cost the soft minimum of its neighbours before it.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.

    Returns:
        (..., 2 clips + 1, 2 captions + 1) with the cells of ``similarity`` at odd rows and columns,
        or (..., clips, captions) without dummies; in the dtype of ``similarity``, with the leading
        shape innermost in memory. Beyond the lengths (2n + 1 and 2m + 1) it is finite and otherwise
        unspecified.

    Raises:
        ArgumentError: As :func:`s2dtw` does.

    Source: Ko et al., "Video-Text Representation Learning via Differentiable Weak Temporal
        Alignment", 2022, as its published code computes it: the smoothing is one step, not
        recursive, and the first cell gets the soft minimum of three zeros.

    Example:
        >>> import torch
        >>> s2dtw_cost(torch.eye(2), gamma=0.0)
        tensor([[ 0.5000,  0.5000,  0.5000,  0.5000,  0.5000],
                [ 0.5000, -1.0000,  0.5000, -1.0000,  0.5000],
                [ 0.5000,  0.5000,  0.5000,  0.5000,  0.5000],
                [ 0.5000, -1.0000,  0.5000, -2.0000,  0.5000],
                [ 0.5000,  0.5000,  0.5000,  0.5000,  0.5000]])
    """
    check_gamma(gamma)
    cost = add_dummies_and_smoothing(
        as_pairs(-similarity, n, m), SoftDTWOptions(gamma, dummy, smoothing)
    ).cost
    shape = (*similarity.shape[:-2], *cost.shape[:2])
    return cost.movedim((0, 1), (-2, -1)).reshape(shape).to(similarity.dtype)
