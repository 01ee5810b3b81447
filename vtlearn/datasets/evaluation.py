"""Items that a protocol scores, read from their videos: clips, or whole videos, as windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from vtlearn.batch import EvaluationSample, UnreadableItem
from vtlearn.errors import EvaluationError, UnreadableVideoError
from vtlearn.media.clips import ClipReader
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


class EvaluationItems(Dataset[EvaluationSample | UnreadableItem]):
    """Read items' windows; a video that cannot be read is an error or is reported, never a zero.

    Args:
        items: What to read.
        num_frames: Frames a window has.
        fps: Frames a second it is sampled at.
        size: Height and width in pixels, of the centre square.
        reader: Decodes pixels, or looks up stored features in their place; pixels by default.
        max_unreadable: 0 to raise at once where a video cannot be read. Otherwise it is reported,
            and whoever sees all reports counts them.
    """

    def __init__(
        self,
        items: Sequence[EvaluationItem],
        *,
        num_frames: int,
        fps: float,
        size: int,
        reader: ClipReader | None = None,
        max_unreadable: int = 0,
    ) -> None:
        self.items = items
        self.num_frames = num_frames
        self.fps = fps
        self.size = size
        self.max_unreadable = max_unreadable
        self._reader = reader or VideoReader()

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.items)

    def __getitem__(self, index: int) -> EvaluationSample | UnreadableItem:
        """Read an item.

        Args:
            index: Which one.

        Returns:
            Its windows (windows, frames, 3, size, size) and texts, or what it is missing for.

        Raises:
            EvaluationError: If its video, or a window of it, cannot be read and all have to be.
        """
        item = self.items[index]
        try:
            return self.sample(item)
        except UnreadableVideoError as error:
            if self.max_unreadable:
                return UnreadableItem(item.id, str(item.path), str(error))
            message = (
                f"{error}. A figure without it could be compared with no other: mend the file, or "
                "pass data.init_args.max_unreadable, the number of videos to go on without"
            )
            raise EvaluationError(message) from error

    def sample(self, item: EvaluationItem) -> EvaluationSample:
        """Read an item.

        Args:
            item: One of ``items``, or another.

        Returns:
            Its windows and texts.

        Raises:
            UnreadableVideoError: If its video, or a window of it, cannot be read.
        """
        clips = self._reader.clips(
            item.path,
            item.starts,
            num_frames=self.num_frames,
            fps=self.fps,
            size=self.size,
        )
        lost = [
            start for start, valid in zip(item.starts, clips.valid, strict=True) if not valid.all()
        ]
        if lost:
            windows = f"{len(lost)} of its {len(item.starts)} windows"
            reason = f"frames of {windows} are lost, from {lost[0]} s on"
            raise UnreadableVideoError(str(item.path), reason, "decode")
        half = self.num_frames / self.fps / 2
        times = torch.tensor(item.starts, dtype=torch.float64) + half
        return EvaluationSample(
            item.id, clips.frames, times, list(item.captions), list(item.text_ids)
        )
