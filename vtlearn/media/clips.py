"""What readers are asked for and what they give, whether they decode pixels or look up features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ClipReader", "Clips", "FrameAt", "Rate", "Source", "VideoBytes"]


class Clips(NamedTuple):
    """Clips of one video.

    Attributes:
        frames: (clips, frames, 3, size, size), uint8, RGB; or (clips, frames, dim), float32, where
            features are read. Zeros where invalid.
        valid: (clips, frames), bool: False where a corrupt stretch of the file left no frame.
    """

    frames: "Tensor"
    valid: "Tensor"


class VideoBytes(NamedTuple):
    """A video or a picture that is no file of its own, such as the member of a shard.

    Attributes:
        name: What errors call it.
        data: The whole of it.
    """

    name: str
    data: bytes


Source = str | Path | VideoBytes
"""Where a video is."""

FrameAt = Literal["screen", "nearest"]
"""Which frame is taken at a time: the one on screen then, or the one that FFmpeg's ``fps`` filter
gives: the last that starts before the middle between this time and the clip's next.
"""


Rate = float | Literal["native"]
"""Frames per second of a clip: a number, or those of the file, whose frames follow each other."""


class ClipReader(Protocol):
    """Reads clips of a video: pixels (``VideoReader``) or stored features (``FeatureReader``)."""

    def clips(
        self,
        source: Source,
        starts: "Sequence[float] | NDArray[np.floating[Any]] | Tensor",
        *,
        num_frames: int,
        fps: Rate,
        size: int,
        crop: "Literal['center'] | Sequence[Sequence[int]] | Tensor" = "center",
        pad: Literal["edge", "black"] = "edge",
        frame_at: FrameAt = "screen",
    ) -> Clips:
        """Return what is shown at ``starts[i] + k / fps``.

        Args:
            source: The video.
            starts: When each clip starts, in seconds, in any order.
            num_frames: Frames of each clip.
            fps: Frames per second; "native" is the rate of the file, by readers of pixels alone.
            size: Height and width in pixels, or the width of a feature.
            crop: The square in the middle, or one box a clip.
            pad: What is shown past the end.
            frame_at: Which frame is taken of a time.

        Returns:
            The clips.

        Raises:
            UnreadableVideoError: If the video gives none.
        """
        ...
