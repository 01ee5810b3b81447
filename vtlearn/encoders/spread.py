"""Batch normalisation of pooled vectors, one of them included."""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Spread"]


class Spread(nn.BatchNorm1d):
    """Spread vectors that are nearly all alike, as those of an untrained network are.

    A single vector in training, which has no statistics of its own, is normalised by the running
    ones instead of being refused.

    Args:
        dim: Width of the vectors.

    Example:
        >>> import torch
        >>> Spread(2)(torch.ones(1, 2)).shape
        torch.Size([1, 2])
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise vectors.

        Args:
            x: (items, dim).

        Returns:
            (items, dim).
        """
        if self.training and len(x) == 1:
            mean, variance = self.running_mean, self.running_var
            return functional.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        return super().forward(x)
