"""Soft-DTW: how well two sequences match when each may be stretched in time, differentiably."""

import torch
from torch import Tensor

from vtlearn.alignment.costs import squared_euclidean_about
from vtlearn.alignment.kernels import Lengths, solve_soft_dtw, solve_soft_dtw_gradient
from vtlearn.alignment.options import SoftDTWOptions

__all__ = ["divergence", "soft_alignment", "soft_dtw"]


def soft_dtw(
    cost: Tensor,
    gamma: float = 0.1,
    *,
    n: Lengths = None,
    m: Lengths = None,
    bandwidth: Lengths = None,
) -> Tensor:
    """Score how well clips and captions match in order; lower is better, and it may be negative.

    The value is the soft minimum, over all monotone paths from the first pair of clip and caption
    to the last, of the summed cost along the path. Its gradient is the expected alignment: the
    probability that a path visits a cell. It can be differentiated once, not twice: by
    ``loss.backward()`` or ``torch.autograd.grad``, also inside ``torch.func.vmap``, but not by the
    other transforms of ``torch.func``, and not in forward mode.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides; fastest
            where the leading shape is innermost in memory.
        gamma: Smoothing, in units of cost; 0 is hard DTW, with one path as its gradient: of equal
            steps the diagonal one, then the one along the clips, then along the captions.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths, NaN included,
            changes nothing and gets zero gradient.
        bandwidth: How many captions a path may stray from the straight line between a pair's first
            and last cell, likewise; None: any number. Where no path is so straight the band is
            widened as little as possible, with a warning.

    Returns:
        (...), in the cost's dtype, computed in float32 or wider. Infinite, with zero gradient,
        where no path has a finite cost; NaN only where a cost within the lengths is NaN or -inf.

    Raises:
        ArgumentError: If gamma or a bandwidth is negative, the cost is no stack of float matrices,
            or a length is 0 or larger than the cost; if ``torch.func`` asks for its gradient, or
            the cost carries a tangent; in the backward, if a second derivative is asked for.

    Source: Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        equation 1 and algorithms 1 and 2. The backward multiplies the weights of the soft minima
        instead of exponentials of differences, which loses less in float32.

    Example:
        >>> cost = torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
        >>> soft_dtw(cost, gamma=1.0)
        tensor(2.5778)
        >>> soft_dtw(cost.expand(2, 3, 3), gamma=0.0, n=torch.tensor([3, 2]), m=3)
        tensor([3., 4.])
    """
    return solve_soft_dtw(cost, SoftDTWOptions(gamma), n, m, bandwidth)


def soft_alignment(
    cost: Tensor,
    gamma: float = 0.1,
    *,
    n: Lengths = None,
    m: Lengths = None,
    bandwidth: Lengths = None,
) -> Tensor:
    """Say which clips and captions go together: how probable each pair is on the path.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        gamma: Smoothing, in units of cost; 0 gives the best path itself.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.
        bandwidth: As :func:`soft_dtw` takes it.

    Returns:
        (..., clips, captions), in the cost's dtype, between 0 and 1, zero beyond the lengths and
        outside the band: the gradient of :func:`soft_dtw`, detached.

    Raises:
        ArgumentError: As :func:`soft_dtw` does.

    Source: Cuturi and Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", 2017,
        algorithm 2.

    Example:
        >>> soft_alignment(torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), gamma=0.0)
        tensor([[1., 0.],
                [1., 0.],
                [0., 1.]])
    """
    return solve_soft_dtw_gradient(cost, SoftDTWOptions(gamma), n, m, bandwidth)[1]


def divergence(
    x: Tensor, y: Tensor, gamma: float = 0.1, *, n: Lengths = None, m: Lengths = None
) -> Tensor:
    """Score how far two sequences of vectors are apart: zero for equal ones, unlike soft-DTW.

    It is softDTW(x, y) - (softDTW(x, x) + softDTW(y, y)) / 2 with squared Euclidean costs, whose
    norms are taken from the mean of the captions: where the vectors lie does not matter. The three
    may have different lengths.

    Args:
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast.
        gamma: Smoothing, in units of the squared distance.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.

    Returns:
        (...), float32 or wider; differentiable in both.

    Raises:
        ArgumentError: As :func:`soft_dtw` does.

    Source: Blondel, Mensch and Vert, "Differentiable Divergences Between Time Series", 2021,
        equation 8; there it is shown to be non-negative for the cost that adds to half the squared
        distance the gamma-scaled logarithm of two minus its exponential, and conjectured for this.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0]])
        >>> divergence(x, x), divergence(x, torch.tensor([[0.0], [2.0]])) > 0
        (tensor(0.), tensor(True))
    """
    x, y = _without_padding(x, n), _without_padding(y, m)
    origin = _mean(y.detach(), m)  # the same for all three, so that equal sequences give 0
    across = soft_dtw(squared_euclidean_about(origin, x, y), gamma, n=n, m=m)
    within_x = soft_dtw(squared_euclidean_about(origin, x, x), gamma, n=n, m=n)
    within_y = soft_dtw(squared_euclidean_about(origin, y, y), gamma, n=m, m=m)
    return across - (within_x + within_y) / 2


def _without_padding(vectors: Tensor, length: Lengths) -> Tensor:
    """Put zeros behind each sequence: a cost of NaN has no gradient, but what it is made of has."""
    if length is None:
        return vectors
    at = torch.arange(vectors.shape[-2], device=vectors.device)
    lengths = torch.as_tensor(length, device=vectors.device)
    return torch.where((at < lengths[..., None])[..., None], vectors, 0)


def _mean(vectors: Tensor, length: Lengths) -> Tensor:
    """Average each sequence, (..., 1, dim), of vectors that are zero behind it."""
    total = vectors.sum(-2, keepdim=True, dtype=torch.promote_types(vectors.dtype, torch.float32))
    if length is None:
        return total / vectors.shape[-2]
    return total / torch.as_tensor(length, device=vectors.device)[..., None, None]
