"""What every video encoder checks before it scales frames."""

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError

__all__ = ["check_frames"]


def check_frames(frames: Tensor) -> None:
    """Refuse what is no batch of clips, or was scaled already.

    Args:
        frames: (clips, frames, 3, height, width), uint8.

    Raises:
        ArgumentError: If the shape or the dtype is another.

    Example:
        >>> check_frames(torch.zeros(2, 8, 3, 64, 64, dtype=torch.uint8))
    """
    if frames.ndim == 5 and frames.shape[2] == 3 and frames.dtype == torch.uint8:
        return
    message = (
        f"frames are {tuple(frames.shape)} of {frames.dtype}; a video encoder takes (clips, frames,"
        " 3, height, width) of torch.uint8 and scales them itself: give it the decoder's frames"
    )
    raise ArgumentError(message)
