"""Items that a protocol scores, read from their videos: clips, or whole videos, as windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from vtlearn.batch import EvaluationSample
from vtlearn.media.video import VideoReader

__all__ = ["EvaluationItem", "EvaluationItems"]


class EvaluationItem(NamedTuple):
    """One clip or video that a protocol scores; a corpus lists them.

    Attributes:
        id: The item's id.
        path: Its video.
        starts: Where its windows start, in seconds.
        captions: Texts that belong to it.
        text_ids: Their ids.
    """

    id: str
    path: Path
    starts: Sequence[float]
    captions: Sequence[str]
    text_ids: Sequence[str]


class EvaluationItems(Dataset[EvaluationSample]):
    """Read items' windows; a video that cannot be read is an error, never a zero.

    Args:
        items: What to read.
        num_frames: Frames a window has.
        fps: Frames a second it is sampled at.
        size: Height and width in pixels, of the centre square.
    """

    def __init__(
        self, items: Sequence[EvaluationItem], *, num_frames: int, fps: float, size: int
    ) -> None:
        self.items = items
        self.num_frames = num_frames
        self.fps = fps
        self.size = size
        self._reader = VideoReader()

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.items)

    def __getitem__(self, index: int) -> EvaluationSample:
        """Read an item.

        Args:
            index: Which one.

        Returns:
            Its windows (windows, frames, 3, size, size) and texts.

        Raises:
            UnreadableVideoError: If its video cannot be read.
        """
        item = self.items[index]
        clips = self._reader.clips(
            item.path,
            item.starts,
            num_frames=self.num_frames,
            fps=self.fps,
            size=self.size,
        )
        half = self.num_frames / self.fps / 2
        times = torch.tensor(item.starts, dtype=torch.float64) + half
        return EvaluationSample(
            item.id, clips.frames, times, list(item.captions), list(item.text_ids)
        )
