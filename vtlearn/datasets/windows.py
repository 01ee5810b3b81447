"""Whole videos as chunks of windows, to make features of videos of any length in little memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vtlearn.batch import WindowChunk
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.checks import require_positive
from vtlearn.media.clips import ClipReader
from vtlearn.media.feature_spec import num_vectors
from vtlearn.media.strings import Strings

__all__ = ["VideoList", "WindowChunks", "require_pixels"]


class VideoList(NamedTuple):
    """The videos of a corpus, to make features of.

    Attributes:
        ids: Their ids, in an order that stays the same.
        paths: Their files.
        fps: Frames a second that a window is sampled at.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        time_budget: Seconds that reading a chunk of windows may take; None for as long as it takes.
    """

    ids: Sequence[str]
    paths: Sequence[str]
    fps: float
    max_unreadable_fraction: float = 0.01
    time_budget: float | None = None


def require_pixels(features: Path | None) -> None:
    """Refuse to make features of a corpus that reads features itself.

    Args:
        features: The store that it reads; None where it reads its videos.

    Raises:
        ArgumentError: If it reads one.
    """
    if features is not None:
        message = (
            f"features are made of the videos' pixels, and the data are set to read {features}: "
            "leave data.init_args.features out"
        )
        raise ArgumentError(message)


class WindowChunks(Dataset[WindowChunk]):
    """Cut videos into windows, and give consecutive windows of one video together.

    Window k of a video starts at ``k * stride`` seconds; there is one for each k that starts before
    the video ends (see :func:`~vtlearn.media.feature_spec.num_vectors`). Which windows are a chunk
    is a function of the video alone. What cannot be read is one chunk that says why, and a dataset
    of no videos is one chunk of no video, so that every process has something to do.

    Args:
        ids: The videos' ids.
        paths: Their files.
        durations: How long they are in seconds, (videos,); of unreadable ones anything.
        unreadable: Why some of them cannot be read, by id.
        reader: Reads their clips.
        stride: Seconds from the start of a window to the start of the next.
        num_frames: Frames a window has.
        fps: Frames a second it is sampled at.
        size: Height and width of a frame in pixels.
        windows_per_chunk: Windows a chunk has; the last one of a video may have fewer.

    Raises:
        ArgumentError: If ``stride`` or ``windows_per_chunk`` is not positive.

    Example:
        >>> from vtlearn.media.video import VideoReader
        >>> chunks = WindowChunks(
        ...     ["a", "b"], ["a.mp4", "b.mp4"], np.array([30.2, 5.0]), reader=VideoReader(),
        ...     stride=1.0, num_frames=8, fps=4.0, size=64, windows_per_chunk=16,
        ... )
        >>> len(chunks), chunks.windows(1)
        (3, ('a', range(16, 31)))
    """

    def __init__(
        self,
        ids: Sequence[str],
        paths: Sequence[str],
        durations: NDArray[np.float64],
        *,
        unreadable: Mapping[str, UnreadableVideoError] | None = None,
        reader: ClipReader,
        stride: float,
        num_frames: int,
        fps: float,
        size: int,
        windows_per_chunk: int = 16,
    ) -> None:
        require_positive(stride=stride, windows_per_chunk=windows_per_chunk)
        self.ids, self.paths = Strings.of(ids), Strings.of(paths)
        self.durations = durations
        self.unreadable = dict(unreadable or {})
        self.reader = reader
        self.stride, self.num_frames, self.fps, self.size = stride, num_frames, fps, size
        self.windows_per_chunk = windows_per_chunk
        self._windows = np.array(
            [
                0 if video_id in self.unreadable else num_vectors(float(duration), 1 / stride)
                for video_id, duration in zip(self.ids, durations, strict=True)
            ],
            np.int64,
        )
        chunks = np.maximum(1, -(-self._windows // windows_per_chunk))
        self._ends = chunks.cumsum()

    def __len__(self) -> int:
        """Return how many chunks there are."""
        return int(self._ends[-1]) if len(self._ends) else 1

    def windows(self, index: int) -> tuple[str, range]:
        """Return which windows of which video a chunk has.

        Args:
            index: The chunk's number.
        """
        video, first = self._place(index)
        last = min(first + self.windows_per_chunk, int(self._windows[video]))
        return self.ids[video], range(first, last)

    def __getitem__(self, index: int) -> WindowChunk:
        """Read a chunk.

        Args:
            index: Its number.

        Returns:
            Its windows, or why they cannot be read.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        if not len(self.ids):
            return self._empty("", 0.0, is_last=False, error=None)
        video, _ = self._place(index)
        video_id, windows = self.windows(index)
        is_last = index + 1 == self._ends[video]
        duration = float(self.durations[video])
        error = self.unreadable.get(video_id)
        if error is None:
            try:
                return self._read(video, windows)._replace(is_last=is_last)
            except UnreadableVideoError as reason:  # its other chunks need not be tried
                error = self.unreadable[video_id] = reason
        return self._empty(video_id, duration, is_last=is_last, error=error)

    def _read(self, video: int, windows: range) -> WindowChunk:
        clips = self.reader.clips(
            self.paths[video],
            [number * self.stride for number in windows],
            num_frames=self.num_frames,
            fps=self.fps,
            size=self.size,
        )
        # A copy, since no collation makes one: memory that a watched reader shares with its child
        # cannot be sent on from a loader's worker.
        frames, duration = clips.frames.clone(), float(self.durations[video])
        return WindowChunk(self.ids[video], frames, clips.valid.all(1), duration, False, None)

    def _empty(
        self, video_id: str, duration: float, *, is_last: bool, error: UnreadableVideoError | None
    ) -> WindowChunk:
        frames = torch.empty(0, self.num_frames, 3, self.size, self.size, dtype=torch.uint8)
        valid = torch.empty(0, dtype=torch.bool)
        return WindowChunk(video_id, frames, valid, duration, is_last, error)

    def _place(self, index: int) -> tuple[int, int]:
        """Find a chunk's video, and its first window there."""
        video = int(self._ends.searchsorted(index, side="right"))
        before = int(self._ends[video - 1]) if video else 0
        return video, (index - before) * self.windows_per_chunk
