"""What video encoders share: frames must not be scaled yet, and clips may be of unequal length."""

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError

__all__: list[str] = []


def check_frames(frames: Tensor) -> None:
    """Refuse frames that are scaled already, and whatever is not a list of clips.

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


def clip_lengths(frames: Tensor, frame_length: Tensor | None) -> tuple[Tensor, bool]:
    """Tell how many frames of each clip count, and whether these are all.

    Where they are all, an encoder needs no mask. On a GPU the answer has to be waited for, but not
    where ``frame_length`` is None or on the CPU.

    Args:
        frames: (clips, frames, ...).
        frame_length: (clips,), integers, on any device; None: all frames.

    Returns:
        The lengths, (clips,), int64, on the device of the frames; whether every frame counts.

    Raises:
        ArgumentError: If there is not one length per clip, from 1 to the number of frames.

    Example:
        >>> clip_lengths(torch.zeros(2, 8, 3, 4, 4), torch.tensor([8, 5]))
        (tensor([8, 5]), False)
    """
    clips, most = frames.shape[:2]
    if frame_length is None:
        return torch.full((clips,), most, device=frames.device), True
    lengths = frame_length.tolist()
    if frame_length.shape != (clips,) or not all(1 <= length <= most for length in lengths):
        message = (
            f"frame_length is {lengths} for {clips} clips of {most} frames: give one number per "
            f"clip, from 1 to {most}"
        )
        raise ArgumentError(message)
    whole = all(length == most for length in lengths)
    return frame_length.to(frames.device, torch.int64), whole


def mean_over_frames(x: Tensor, length: Tensor | None) -> Tensor:
    """Average vectors over the frames of a clip.

    Args:
        x: (clips, frames, width), zero in frames that do not count.
        length: How many frames of each clip count, (clips,), at least 1; None: all.

    Returns:
        (clips, width).

    Example:
        >>> mean_over_frames(torch.tensor([[[4.0], [2.0], [0.0]]]), torch.tensor([2]))
        tensor([[3.]])
    """
    return x.mean(1) if length is None else x.sum(1) / length[:, None]
