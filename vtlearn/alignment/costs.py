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
    differences. The price is cancellation: a cost is off by up to 1e-6 of the two squared norms in
    float32, so that one much below that is noise. Where it matters, subtract a common mean from
    both, or pass float64.

    Args:
        x: (..., clips, dim), any floating dtype.
        y: (..., captions, dim); the leading shapes broadcast.

    Returns:
        (..., clips, captions), float32 or wider, never negative; the gradient is 2 (x - y), also
        where the vectors are equal.

    Example:
        >>> squared_euclidean(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        tensor([[4., 0.]])
    """
    x, y = _wide(x), _wide(y)
    norms = x.square().sum(-1)[..., :, None] + y.square().sum(-1)[..., None, :]
    squared = norms - 2 * _products(x, y)
    # unlike a clamp, this leaves the gradient alone
    return squared - squared.detach().clamp(max=0)


def _products(x: Tensor, y: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):  # costs are sums of differences
        return x @ y.mT


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
