"""Batch normalisation of pooled vectors, however few."""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SafeBatchNorm1d"]


class SafeBatchNorm1d(nn.BatchNorm1d):
    """Normalise vectors that are nearly all alike, as those of an untrained network are.

    One vector in training, which has no statistics of its own, is normalised by the running ones
    instead of being refused. Neither one vector nor none changes them.

    Args:
        dim: Width of the vectors.

    Example:
        >>> import torch
        >>> SafeBatchNorm1d(2)(torch.ones(1, 2)).shape
        torch.Size([1, 2])
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise vectors.

        Args:
            x: (items, dim); there may be no items.

        Returns:
            (items, dim).
        """
        if self.training and len(x) < 2:
            mean, variance = self.running_mean, self.running_var
            return functional.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        return super().forward(x)
