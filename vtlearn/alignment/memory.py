"""How much memory the kernels take for a pair, for callers that have to divide what is too much."""

import torch
from torch import Tensor

from vtlearn.alignment.kernels import kernel_for
from vtlearn.alignment.options import SoftDTWOptions

__all__: list[str] = []

# Measured, rounded up: benchmarks/large_batch.py. A fast kernel has the cost, its gradient and what
# they are made of and turn into; the others keep every step of the recursion beside them.
_FAST, _SLOW, _SMOOTHING = 4, 15, 20


def floats_per_pair(like: Tensor, clips: int, captions: int, options: SoftDTWOptions) -> int:
    """Say how much solving a pair takes, its gradient and the making of its cost among it.

    Args:
        like: A tensor of the dtype and on the device of the cost.
        clips: Of a pair, valid or not.
        captions: Likewise.
        options: What it is solved for.

    Returns:
        How many numbers of that dtype, about.

    Example:
        >>> floats_per_pair(torch.zeros(1).double(), 8, 8, SoftDTWOptions(0.1))
        960
    """
    cells, table = clips * captions, clips * captions
    if options.dummy is not None:
        table = (2 * clips + 1) * (2 * captions + 1)
    kernel = kernel_for(like)
    if kernel == "triton":
        return _FAST * cells + table
    # what has no exponents of its own is solved in a table of float64
    if kernel == "numba" and like.dtype == torch.float32 and options.gamma > 0:
        return _FAST * cells
    return _SLOW * table + _SMOOTHING * cells * options.smoothing
