"""What it costs to match a clip with a caption, from their vectors; lower is better."""

import torch
from torch import Tensor

__all__ = ["cosine", "dot", "squared_euclidean"]


def cosine(x: Tensor, y: Tensor, eps: float = 0.0) -> Tensor:
    """Compare vectors by direction: 1 - cosine.

    Args:
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast.
        eps: Added to the product of the two norms. TempCLR's published code adds 0.01.

    Returns:
        (..., clips, captions), float32 or wider, between 0 and 2 up to rounding. A zero vector
        costs 1, and gets no gradient.

    Source: Yang et al., "TempCLR: Temporal Alignment Representation with Contrastive Learning",
        2023, the cost of its published code.

    Example:
        >>> cosine(torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor([[0., 1.],
                [1., 1.]])
    """
    x, y = _wide(x), _wide(y)
    norms = (
        torch.linalg.vector_norm(x, dim=-1)[..., :, None]
        * (torch.linalg.vector_norm(y, dim=-1)[..., None, :])
    )
    # both branches of a where are differentiated: neither may divide by zero
    shared = _products(x, y) / torch.where(norms > 0, norms + eps, 1.0)
    return 1 - torch.where(norms > 0, shared, 0.0)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Compare vectors by their negative dot product; unbounded, and negative for alike vectors.

    Args:
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast.

    Returns:
        (..., clips, captions), float32 or wider.

    Example:
        >>> dot(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor([[-3., -0.]])
    """
    return -_products(_wide(x), _wide(y))


def squared_euclidean(x: Tensor, y: Tensor) -> Tensor:
    """Compare vectors by the square of their distance.

    It is expanded into norms and dot products, which needs no (..., clips, captions, dim) table of
    differences. Norms are taken from the first caption, wherever that lies: in float32 a cost is
    off by up to 1e-6 of the sum of the two squared distances from it, so that one much below that
    is noise. Where that matters, pass float64.

    Args:
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast. Padding of any value behind the
            captions, or behind the clips, changes no cost of the others.

    Returns:
        (..., clips, captions), float32 or wider, never negative; the gradient is 2 (x - y), also
        where the vectors are equal.

    Example:
        >>> squared_euclidean(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        tensor([[4., 0.]])
    """
    # the first is never padding, unlike some of what a mean would be taken of
    return squared_euclidean_about(y[..., :1, :], x, y)


def squared_euclidean_about(origin: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Compute :func:`squared_euclidean` by norms from an origin, on which only rounding depends.

    Args:
        origin: (..., 1, dim), near the vectors; of axes that one of them lacks, the first entry
            serves for all. Numbers that are not finite count as 0.
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast.

    Returns:
        (..., clips, captions), float32 or wider.

    Example:
        >>> x = torch.full((1, 1), 512695.0)
        >>> squared_euclidean_about(x, x, x + 109), squared_euclidean_about(0 * x, x, x + 109)
        (tensor([[11881.]]), tensor([[0.]]))
    """
    x, y = _wide(x), _wide(y)
    if x.numel() and y.numel():
        origin = _shared(_shared(_wide(origin), x), y).detach()  # what cancels needs no gradient
        origin = torch.where(origin.isfinite(), origin, 0)
        x, y = x - origin, y - origin
    norms = x.square().sum(-1)[..., :, None] + y.square().sum(-1)[..., None, :]
    squared = norms - 2 * _products(x, y)
    # unlike a clamp, this leaves the gradient alone
    return squared - squared.detach().clamp(max=0)


def _shared(origin: Tensor, vectors: Tensor) -> Tensor:
    """Take the first entry of each axis that the vectors lack, where it would enlarge them."""
    while origin.ndim > vectors.ndim:
        origin = origin[0]
    leading = vectors.shape[vectors.ndim - origin.ndim : -2]
    for axis, size in enumerate(leading):
        origin = origin.narrow(axis, 0, 1) if size == 1 else origin
    return origin


def _products(x: Tensor, y: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):  # costs are sums of differences
        return x @ y.mT


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
