"""What each kind of published checkpoint is translated to: our names, and how to build it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.heads import Head

__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class Published:
    """A published model under our names.

    Attributes:
        kind: Who published it, as ``--kind`` has it.
        video_encoder: Builds the video encoder that its weights fit.
        text_encoder: Likewise of texts, without a vocabulary, which no published file carries.
        head: Builds what it was trained with.
        weights: Weights by our names, ``video_encoder.`` or ``text_encoder.`` first.
        dropped: Names of what the file has besides.
        vocabulary: The file that its words are in, for a reader: "its authors' dict.npy".
        remark: What was found in the file that a reader may want to check.
        clips: How its clips were read in training, in plain values; None where that is not known.
    """

    kind: str
    video_encoder: Callable[..., VideoEncoder]
    text_encoder: Callable[..., TextEncoder]
    head: Callable[..., Head]
    weights: dict[str, Tensor]
    dropped: list[str]
    vocabulary: str
    remark: str = ""
    clips: dict[str, Any] | None = None


def size_of(weights: Mapping[str, Tensor], name: str, axis: int, default: int) -> int:
    """Read a size off a weight's shape.

    Args:
        weights: Weights by name.
        name: Which weight.
        axis: Which of its axes.
        default: The published size, where there is no such weight, which the report then says.

    Example:
        >>> import torch
        >>> size_of({"fc.weight": torch.zeros(8, 4)}, "fc.weight", 0, 512)
        8
    """
    weight = weights.get(name)
    return default if weight is None or weight.ndim <= axis else int(weight.shape[axis])
