"""Whole videos as chunks of windows, to make features of videos of any length in little memory."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vtlearn.batch import Sample, Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.errors import ArgumentError
from vtlearn.media.clips import ClipReader, FrameAt
from vtlearn.media.features.spec import num_vectors
from vtlearn.storage.strings import Strings

__all__ = ["VideoList", "WindowChunks", "require_pixels"]


class VideoList(NamedTuple):
    """The videos of a corpus, to make features of.

    Attributes:
        ids: Their ids, in an order that stays the same.
        paths: Their files.
        fps: Frames per second that a window is sampled at.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read; one may be
            unreadable unless it is 0.
        time_budget: Seconds that reading a chunk of windows may take; None for as long as it takes.
        frame_at: Which frame of a window is taken at a time.
        pad: What a window shows past the end of its video.
    """

    ids: Sequence[str]
    paths: Sequence[str]
    fps: float
    max_unreadable_fraction: float = 0.01
    time_budget: float | None = None
    frame_at: FrameAt = "screen"
    pad: Literal["edge", "black"] = "edge"


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


class WindowChunks(Dataset[Sample | Unreadable | None]):
    """Cut videos into windows, and give consecutive windows of one video together.

    Window k of a video starts at ``k * stride`` seconds; there is one for each k that starts before
    the video ends (see :func:`~vtlearn.media.features.spec.num_vectors`). Which windows are a chunk
    is a function of the video alone. A window that lost frames is left out of its chunk, a video
    that cannot be read is a record that says why, and a dataset of no videos is one None, so that
    every process has something to do.

    Args:
        ids: The videos' ids.
        paths: Their files.
        durations: How long they are in seconds, (videos,); of unreadable ones anything.
        unreadable: Why some of them cannot be read, by id.
        reader: Reads their clips.
        stride: Seconds from the start of a window to the start of the next.
        num_frames: Frames of a window.
        fps: Frames per second it is sampled at.
        size: Height and width of a frame in pixels.
        frame_at: Which frame of a window is taken at a time.
        pad: What a window shows past the end of its video.
        windows_per_chunk: Windows of a chunk; the last one of a video may have fewer.

    Raises:
        ArgumentError: If ``stride`` or ``windows_per_chunk`` is not positive.

    Example:
        >>> from vtlearn.media.video.reader import VideoReader
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
        unreadable: Mapping[str, Unreadable] | None = None,
        reader: ClipReader,
        stride: float,
        num_frames: int,
        fps: float,
        size: int,
        frame_at: FrameAt = "screen",
        pad: Literal["edge", "black"] = "edge",
        windows_per_chunk: int = 16,
    ) -> None:
        require_positive(stride=stride, windows_per_chunk=windows_per_chunk)
        self.ids, self.paths = Strings.of(ids), Strings.of(paths)
        self.durations = durations
        self.unreadable = dict(unreadable or {})
        self.reader = reader
        self.stride, self.num_frames, self.fps, self.size = stride, num_frames, fps, size
        self.frame_at: FrameAt = frame_at
        self.pad: Literal["edge", "black"] = pad
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
        """Return which windows of which video a chunk has, readable or not.

        Args:
            index: The chunk's number.
        """
        video, (part, _) = self._place(index)
        first = part * self.windows_per_chunk
        last = min(first + self.windows_per_chunk, int(self._windows[video]))
        return self.ids[video], range(first, last)

    def duration(self, index: int) -> float:
        """Return how long the video of a chunk is, in seconds.

        Args:
            index: The chunk's number.
        """
        return float(self.durations[self._place(index)[0]])

    def path(self, index: int) -> str:
        """Return the file of a chunk's video.

        Args:
            index: The chunk's number.
        """
        return self.paths[self._place(index)[0]]

    def is_last(self, index: int) -> bool:
        """Tell whether a chunk is the last of its video.

        Args:
            index: The chunk's number.
        """
        _, (part, count) = self._place(index)
        return part + 1 == count

    def __getitem__(self, index: int) -> Sample | Unreadable | None:
        """Read a chunk.

        Args:
            index: Its number.

        Returns:
            Its readable windows as a part of the video, or why the video cannot be read; None where
            there are no videos.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        if not len(self.ids):
            return None
        video_id, _ = self.windows(index)
        return read_or_record(video_id, partial(self._read, index), self.unreadable)

    def _read(self, index: int) -> Sample:
        video_id, windows = self.windows(index)
        video, part = self._place(index)
        starts = [number * self.stride for number in windows]
        clips = self.reader.clips(
            self.paths[video],
            starts,
            num_frames=self.num_frames,
            fps=self.fps,
            size=self.size,
            pad=self.pad,
            frame_at=self.frame_at,
        )
        readable = clips.valid.all(1)
        frames = clips.frames if readable.all() else clips.frames[readable]
        starts = list(compress(starts, readable.tolist()))
        return Sample.of(video_id, frames, starts, self.fps, part=part)

    def _place(self, index: int) -> tuple[int, tuple[int, int]]:
        """Find a chunk's video, and which part of it the chunk is, and of how many."""
        video = int(self._ends.searchsorted(index, side="right"))
        before = int(self._ends[video - 1]) if video else 0
        return video, (index - before, int(self._ends[video]) - before)
