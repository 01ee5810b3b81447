"""What has to fit together before anything is read: head, encoders and clips."""

import inspect

from torch import nn

from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Head, HeadOutput

__all__ = ["require_accepted", "require_current", "require_losses", "require_one_width"]


def require_accepted(
    encoder: VideoEncoder, num_frames: int, size: int, *, stored: bool | None = None
) -> None:
    """Refuse data whose clips an encoder does not take.

    Args:
        encoder: The video encoder.
        num_frames: Frames of a clip.
        size: Height and width in pixels, or the width of stored vectors.
        stored: Whether the frames are stored vectors, or pictures; None where that is not known.

    Raises:
        ArgumentError: If it does not accept them.
    """
    name = type(encoder).__name__
    if encoder.reads_stored is not None and stored not in (None, encoder.reads_stored):
        message = (
            f"{name} takes stored vectors, and the data give pictures: set data.init_args.features "
            "to a store of them, or choose an encoder of pictures"
            if encoder.reads_stored
            else f"{name} takes pictures, and the data give stored vectors: leave "
            "data.init_args.features out, or choose an encoder of vectors, such as CachedFeatures"
        )
        raise ArgumentError(message)
    if encoder.accepts(num_frames, size):
        return
    if stored and size != encoder.size:
        message = (
            f"the store of features has vectors of width {size}, and {name} takes vectors of width "
            f"{encoder.size}: a model that is trained already takes features of the encoder that "
            f"it was trained on; for a new one, set model.video_encoder.init_args.input_dim={size}"
        )
        raise ArgumentError(message)
    message = (
        f"the data give clips of {num_frames} frames of size {size} (pixels, or the width of "
        f"stored vectors), {name} was made for {encoder.num_frames} frames of "
        f"size {encoder.size}: set model.video_encoder.init_args alike (num_frames, and size or "
        "input_dim), and leave out data.init_args.sampling.num_frames and pixels.size"
    )
    raise ArgumentError(message)


def require_current(
    head: Head, video_encoder: VideoEncoder, text_encoder: TextEncoder | None
) -> None:
    """Refuse parts that were written for an earlier version of vtlearn, by name.

    Args:
        head: Has to take a batch and the process's rows.
        video_encoder: Has to take frames and how many of them count.
        text_encoder: Has to take texts and how many words of them to read; None for none.

    Raises:
        ArgumentError: If a method takes other arguments.
    """
    _require_arguments(head, "forward", "batch", "rows")
    _require_arguments(video_encoder, "forward", "frames", "frame_length")
    if text_encoder is not None:
        _require_arguments(text_encoder, "tokenize", "texts", "max_words")


def require_losses(head: Head, output: object) -> HeadOutput:
    """Refuse what a head returns if it is not one loss per item.

    Args:
        head: The head.
        output: What it returned.

    Returns:
        The same.

    Raises:
        ArgumentError: If there is no term, or the values of one have no item axis.
    """
    if not isinstance(output, HeadOutput):
        message = (
            f"{type(head).__name__}.forward returned a {type(output).__name__}, expected a "
            "HeadOutput: CONTRIBUTING.md shows a head"
        )
        raise ArgumentError(message)
    shapes = {name: tuple(term.values.shape) for name, term in output.terms.items()}
    if shapes and all(len(shape) == 1 for shape in shapes.values()):
        return output
    message = (
        f"{type(head).__name__} returned the terms {shapes}: at least one is needed, and the "
        "values of each have to be (items,), one loss per own item; the learner takes their mean"
    )
    raise ArgumentError(message)


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


def _require_arguments(module: nn.Module, method: str, *arguments: str) -> None:
    signature = inspect.signature(getattr(module, method))
    try:
        signature.bind(*arguments)
    except TypeError:
        is_current = False
    else:  # two arguments, as heads took before, are still others
        is_current = tuple(signature.parameters)[:2] != ("video", "text")
    if not is_current:
        message = (
            f"{type(module).__name__}.{method} takes {signature}; it has to take "
            f"({', '.join(arguments)}) now: CHANGELOG.md has the old names and the new, and "
            "CONTRIBUTING.md shows how one is written"
        )
        raise ArgumentError(message)
