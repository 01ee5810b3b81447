"""Layers of S3D one window and one offset at a time, for its tests."""

from itertools import product

import torch
from torch import Tensor


def folded(x: Tensor) -> Tensor:
    offsets = product(range(2), range(2), range(2), range(3))
    return torch.stack([x[:, c, t::2, h::2, w::2] for t, h, w, c in offsets], dim=1)


def slow_pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """TensorFlow's SAME for the strides at hand, one window at a time."""
    sizes = x.shape[2:]
    pads = [max(k - s, 0) // 2 for k, s in zip(kernel, stride, strict=True)]
    totals = [max(k - s, 0) for k, s in zip(kernel, stride, strict=True)]
    counts = [
        -(-(n + p - k) // s) + 1 for n, p, k, s in zip(sizes, totals, kernel, stride, strict=True)
    ]
    result = torch.zeros(*x.shape[:2], *counts, dtype=x.dtype)
    for place in product(*(range(count) for count in counts)):
        window = [
            slice(max(i * s - p, 0), i * s - p + k)
            for i, s, p, k in zip(place, stride, pads, kernel, strict=True)
        ]
        time, height, width = place
        frames, rows, columns = window
        result[:, :, time, height, width] = x[:, :, frames, rows, columns].amax((2, 3, 4))
    return result
