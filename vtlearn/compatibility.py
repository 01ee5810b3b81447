"""What has to fit together before anything is read: head, encoders and clips."""

import inspect

from torch import nn

from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Head

__all__ = ["require_accepted", "require_current", "require_one_width"]


def require_accepted(encoder: VideoEncoder, num_frames: int, size: int) -> None:
    """Refuse data whose clips an encoder does not take.

    Args:
        encoder: The video encoder.
        num_frames: Frames of a clip.
        size: Height and width in pixels, or the width of stored vectors.

    Raises:
        ArgumentError: If it does not accept them.
    """
    if encoder.accepts(num_frames, size):
        return
    message = (
        f"the data give clips of {num_frames} frames of {size} px, {type(encoder).__name__} was "
        f"made for {encoder.num_frames} frames of {encoder.size} px: set num_frames and size alike "
        "in data.init_args.sampling and model.video_encoder.init_args"
    )
    raise ArgumentError(message)


def require_current(head: Head, video_encoder: VideoEncoder) -> None:
    """Refuse parts that were written for an earlier version of vtlearn, by name.

    Args:
        head: Has to take a batch and the process's rows.
        video_encoder: Has to take frames and how many of them count.

    Raises:
        ArgumentError: If a ``forward`` takes other arguments.
    """
    _require_forward(head, "batch", "rows")
    _require_forward(video_encoder, "frames", "frame_length")


def require_one_width(
    video_encoder: VideoEncoder, text_encoder: TextEncoder | None, head: Head
) -> None:
    """Refuse encoders whose vectors cannot be compared, where the head compares them.

    Args:
        video_encoder: Gives vectors of width ``dim``.
        text_encoder: Gives such as well; None for a model without one.
        head: Says what it needs.

    Raises:
        ArgumentError: If the widths differ.
    """
    if text_encoder is None or not {"video_pooled", "text_pooled"} <= head.needs:
        return
    if video_encoder.dim != text_encoder.dim:
        message = (
            f"{type(video_encoder).__name__} gives vectors of dim={video_encoder.dim} and "
            f"{type(text_encoder).__name__} of dim={text_encoder.dim}; give both the same dim"
        )
        raise ArgumentError(message)


def _require_forward(module: nn.Module, *arguments: str) -> None:
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*arguments)
    except TypeError as error:
        message = (
            f"{type(module).__name__}.forward takes {signature}; it has to take "
            f"({', '.join(arguments)}) now: CHANGELOG.md has the old names and the new, and "
            "CONTRIBUTING.md shows how one is written"
        )
        raise ArgumentError(message) from error
