"""What video encoders share: what a clip has to look like, and clips of unequal length."""

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


def check_vectors(frames: Tensor, num_frames: int, size: int, *, encoder: str) -> None:
    """Refuse what is not a list of clips of stored vectors.

    Args:
        frames: (clips, frames, width).
        num_frames: How many frames a clip may have.
        size: Width of the vectors.
        encoder: The encoder's name, for the error.

    Raises:
        ArgumentError: If these are pictures, too many frames, or vectors of another width.

    Example:
        >>> check_vectors(torch.zeros(2, 8, 512), 32, 512, encoder="CachedFeatures")
    """
    if frames.ndim == 3 and frames.shape[2] == size and frames.shape[1] <= num_frames:
        return
    message = (
        f"the clips are {tuple(frames.shape)}; {encoder} takes (clips, up to {num_frames} frames, "
        f"{size}) of stored vectors: set data.init_args.features to a store of them, or choose an "
        "encoder of pictures"
    )
    raise ArgumentError(message)


def zeroed(x: Tensor, padding: Tensor | None) -> Tensor:
    """Replace vectors that do not count by zeros, whatever they hold.

    Args:
        x: (clips, frames, width); padding may hold NaN, so that a product would not do.
        padding: Which vectors do not count, (clips, frames), bool; None: all count.

    Returns:
        (clips, frames, width).

    Example:
        >>> zeroed(torch.tensor([[[1.0], [float("nan")]]]), torch.tensor([[False, True]]))
        tensor([[[1.],
                 [0.]]])
    """
    return x if padding is None else x.masked_fill(padding[:, :, None], 0)


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
