"""Windows laid over whole videos, which say how much of each is the video's own; and whole ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, overload

import numpy as np

from vtlearn.checks import require_positive
from vtlearn.datasets.sampling.spans import sliding_windows
from vtlearn.media.features.spec import num_vectors

__all__ = [
    "FrameWindows",
    "TimedWindows",
    "VideoFrames",
    "WholeSegment",
    "half_stride",
    "overlapping_windows",
    "second_windows",
]

_ROUNDING = 1e-6  # of a frame, by which a product with the rate may miss a whole number


class WholeSegment(NamedTuple):
    """A segment as one window of its whole time, as training takes it with ``sampling.whole``.

    Attributes:
        start: When it starts, in seconds.
        end: When it ends; None where it lasts until the video ends.
    """

    start: float
    end: float | None


class VideoFrames(NamedTuple):
    """The frames of a video, which follow each other at one rate.

    Attributes:
        total: How many there are.
        fps: Frames per second.
        first: When the first one appears, in seconds.
    """

    total: int
    fps: float
    first: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameWindows:
    """Windows spread evenly over a whole video, each of which begins with one of its frames.

    Attributes:
        count: How many windows there are.
        start: When the segment that they are spread over starts: with the video.
        end: When it ends: None, since it lasts until the video ends.

    Source:
        The released evaluations of MIL-NCE (Miech et al., 2020) and VT-TWINS (Ko et al., 2022) on
        UCF101 and HMDB51: integer frames of ``linspace(0, frames - num_frames, count)``.
    """

    count: int
    start: ClassVar[float] = 0.0
    end: ClassVar[float | None] = None

    def starts(self, frames: VideoFrames, num_frames: int) -> list[float]:
        """Return when each window starts, in seconds.

        Args:
            frames: The frames of the video.
            num_frames: Frames of a window; where the video has fewer, all windows start with it.

        Raises:
            ArgumentError: If no window is asked for.

        Example:
            >>> FrameWindows(3).starts(VideoFrames(20, 10.0), num_frames=11)  # frames 0, 4 and 9
            [0.0, 0.4, 0.9]
        """
        require_positive(count=self.count)
        last = max(0, frames.total - num_frames)
        numbers = np.linspace(0, last, self.count).astype(int).tolist()
        return [frames.first + number / frames.fps for number in numbers]


class TimedWindows(Sequence[float]):
    """Windows laid over a whole video, which say how many of their frames count.

    Args:
        starts: When each window starts, in seconds.
        duration: How long the video is, in seconds. What a window shows past its end is padding.
        seconds: How much of a window counts at most; None: all of it.
        only_stored: Count all frames of a window of pictures, whatever it shows.

    Example:
        >>> windows = TimedWindows([0.0, 4.0, 8.0], 10.0, 3.0)
        >>> list(windows), windows.frame_lengths(fps=1.0, num_frames=8, stored=True)
        ([0.0, 4.0, 8.0], [3, 3, 2])
    """

    def __init__(
        self,
        starts: Sequence[float],
        duration: float,
        seconds: float | None = None,
        *,
        only_stored: bool = False,
    ) -> None:
        self._starts = list(starts)
        self.duration, self.seconds, self.only_stored = duration, seconds, only_stored

    def __len__(self) -> int:
        """Return how many windows there are."""
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> float: ...

    @overload
    def __getitem__(self, index: slice) -> "TimedWindows": ...

    def __getitem__(self, index: int | slice) -> "float | TimedWindows":
        """Return when a window starts, in seconds, or some of the windows."""
        if isinstance(index, int):
            return self._starts[index]
        return TimedWindows(
            self._starts[index], self.duration, self.seconds, only_stored=self.only_stored
        )

    def frame_lengths(self, fps: float, num_frames: int, *, stored: bool) -> list[int]:
        """Return how many frames of each window count, from its first on.

        Args:
            fps: Frames per second of a window, or vectors per second of a store.
            num_frames: How many frames a window is read with.
            stored: Whether they are stored vectors, and not pictures.

        Returns:
            From 1 to ``num_frames`` for each window.
        """
        if self.only_stored and not stored:
            return [num_frames] * len(self)
        most = num_frames
        if self.seconds is not None:
            most = min(most, round(self.seconds * fps))
        frames = num_vectors(self.duration, fps)
        first = (math.floor(start * fps + _ROUNDING) for start in self._starts)
        return [max(1, min(most, frames - index)) for index in first]


def second_windows(duration: float) -> TimedWindows:
    """Lay a window over each second of a video, which starts there.

    Of stored features it is its second's own vectors, of pictures a clip as long as any.

    Args:
        duration: How long the video is, in seconds; the last second begun has a window as well.

    Example:
        >>> list(second_windows(2.5))
        [0.0, 1.0, 2.0]
    """
    starts = sliding_windows(duration, 1.0, partial=True)
    return TimedWindows(starts, duration, 1.0, only_stored=True)


def overlapping_windows(duration: float, clip_seconds: float, stride: float) -> TimedWindows:
    """Cover a whole video by windows that overlap; the first that reaches the end is the last.

    Args:
        duration: How long the video is, in seconds.
        clip_seconds: How long a window is; what the last one shows past the end does not count.
        stride: From the start of one window to the start of the next, in seconds.

    Returns:
        The windows, at least one.

    Raises:
        ArgumentError: If the stride is not positive.

    Example:
        >>> list(overlapping_windows(48.0, 32.0, 16.0)), list(overlapping_windows(48.5, 32.0, 16.0))
        ([0.0, 16.0], [0.0, 16.0, 32.0])
    """
    require_positive(stride=stride)
    beyond = duration - clip_seconds  # the first window's end
    more = num_vectors(beyond, 1 / stride) if beyond > _ROUNDING else 0
    return TimedWindows([number * stride for number in range(1 + more)], duration)


def half_stride(clip_seconds: float) -> float:
    """Return from start to start of windows that overlap by half, in whole seconds.

    Args:
        clip_seconds: How long a window is.

    Returns:
        At least 1.

    Example:
        >>> half_stride(32.0), half_stride(5.0), half_stride(0.8)
        (16.0, 2.0, 1.0)
    """
    return max(1.0, clip_seconds // 2)
