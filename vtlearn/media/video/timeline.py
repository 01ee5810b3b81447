"""Say which frame is shown at a time, having only a source that decodes forwards and can seek.

Nothing here knows a decoder: frames are whatever the source says they are.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError
from vtlearn.media.clips import FrameAt

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["frame_times"]

FrameT = TypeVar("FrameT")

_NEAR = 0.25  # seconds; decoding so far ahead is cheaper than seeking
_EARLY = 0.5  # seconds by which a keyframe may be decoded before it is shown
_BLIND = 5.0  # seconds; a longer way is sought even where no keyframe is known
_LEADS = (0.0, 2.0, 10.0, 60.0)  # seconds to seek before the target, until it is early enough
_ROUNDING = 1e-6  # seconds by which start + k / fps may miss the start that it means


class TimedFrame(NamedTuple, Generic[FrameT]):
    """A frame and the time it is made for.

    Attributes:
        frame: The frame.
        start: When it appears, in seconds.
        end: When its own duration is over, in seconds. The next frame may come later than that.
        after_loss: Whether frames between the frame before and this one were lost.
    """

    frame: FrameT
    start: float
    end: float
    after_loss: bool = False


class TimeRange(NamedTuple, Generic[FrameT]):
    """Neighbours in a sorted list of times that show the same.

    Attributes:
        first: Index of the first of them.
        last: Index after the last of them.
        frame: What they show; None for black, and where nothing is known.
        valid: Whether what they show is known.
    """

    first: int
    last: int
    frame: FrameT | None
    valid: bool


class FrameSource(ABC, Generic[FrameT]):
    """What frames are read from, in order of their starts, with seeks where they pay.

    Attributes:
        cut_off: Set when the frames have ended: whether the source went on once, and is lost.
        can_seek: Whether seeks have led where they should, so far.
    """

    def __init__(self) -> None:
        self.cut_off = False
        self.can_seek = True

    @abstractmethod
    def restart(self) -> Iterator[TimedFrame[FrameT]]:
        """Decode from the source's first frame."""

    @abstractmethod
    def seek_keyframe(self, time: float) -> Iterator[TimedFrame[FrameT]]:
        """Decode from a frame that is likely to be at or before ``time``, but may be anywhere."""

    @abstractmethod
    def keyframe_before(self, time: float) -> float | None:
        """Return when the last keyframe known to be at or before ``time`` is decoded, if any is."""

    @abstractmethod
    def known_until(self) -> float:
        """Return up to which time all keyframes are known."""

    @abstractmethod
    def empty(self) -> Exception:
        """Return the error to raise when there is no frame at all."""

    def decode_from(self, time: float) -> Iterator[TimedFrame[FrameT]]:
        """Decode from a frame that is not later than ``time``, or from the source's first."""
        return self.seek(0.0, time) if self.should_seek(0.0, time) else self.restart()

    def should_seek(self, now: float, time: float) -> bool:
        """Say whether ``time`` is reached sooner by a seek than by decoding on from ``now``."""
        if not self.can_seek or time - now < _NEAR + _EARLY:
            return False
        keyframe = self.keyframe_before(time - _EARLY)
        if keyframe is not None and keyframe > now + _NEAR:
            return True
        return time - now > _BLIND and self.known_until() < time

    def seek(self, now: float, time: float) -> Iterator[TimedFrame[FrameT]]:
        """Do as :meth:`decode_from`; if that leads back behind ``now``, never seek again."""
        for lead in _LEADS:
            timed_frames = self.seek_keyframe(time - lead)
            first = next(timed_frames, None)
            if first is not None and first.start <= time:
                self.can_seek = first.start > now
                return chain([first], timed_frames)
        self.can_seek = False
        return self.restart()


def frame_times(
    starts: "Sequence[float] | NDArray[np.floating[Any]] | Tensor",
    num_frames: int,
    fps: float,
    frame_at: FrameAt = "screen",
) -> NDArray[np.float64]:
    """Lay out when each frame of each clip is to be looked up.

    Args:
        starts: Seconds, one a clip, in any order.
        num_frames: Frames of a clip.
        fps: Frames a second.
        frame_at: Which frame is meant.

    Returns:
        (clips, frames): the frame shown then is the one that is meant. For "screen" that is
        ``starts[i] + k / fps``, a microsecond later, so that a time meant to be the start of a
        frame does not fall before it by rounding. For "nearest" it is ``starts[i] + (k + 0.5) /
        fps``, a microsecond earlier: a frame that starts right in the middle between two times
        belongs to the later one, and no rounding gives it to the earlier.

    Raises:
        ArgumentError: If the starts are not a list of finite numbers.

    Example:
        >>> frame_times([0.0, 5.0], 3, 2).round(3)
        array([[0. , 0.5, 1. ],
               [5. , 5.5, 6. ]])

    Source:
        FFmpeg's ``fps`` filter with ``round=near`` gives each frame the number round((start - seek)
        * fps), halves upwards, and frame k of its output is the last with a number up to k.
    """
    begin = np.asarray(starts, np.float64)
    if begin.ndim != 1 or not np.isfinite(begin).all():
        message = f"starts must be a list of finite seconds, one a clip, but is {starts}"
        raise ArgumentError(message)
    if frame_at == "nearest":
        return begin[:, None] + (np.arange(num_frames) + 0.5) / fps - _ROUNDING
    return begin[:, None] + np.arange(num_frames) / fps + _ROUNDING


def time_ranges(
    source: FrameSource[FrameT], times: Sequence[float], *, hold_last: bool
) -> Iterator[TimeRange[FrameT]]:
    """Say what is shown at each time: the frame with the largest start that is not later.

    Before the first frame that is the first frame, and past the end of the last one the last
    one, or black. From where frames were lost to the next frame nothing is known.

    Args:
        source: Where frames come from; none is asked for that is not needed.
        times: Seconds, sorted.
        hold_last: Whether the last frame stays on, or is followed by black.

    Yields:
        Runs, which cover all times without gaps, in order.
    """
    done, previous = 0, None
    timed_frames = source.decode_from(times[0]) if times else iter(())
    while done < len(times):
        current = next(timed_frames, None)
        if current is None:
            yield from _past_end(source, previous, times, done, hold_last)
            return
        until = bisect_left(times, current.start, done)
        yield from _before(current, previous, times, done, until)
        done, previous = until, current
        if done < len(times) and source.should_seek(current.start, times[done]):
            timed_frames, previous = source.seek(current.start, times[done]), None


def _before(
    current: TimedFrame[FrameT],
    previous: TimedFrame[FrameT] | None,
    times: Sequence[float],
    first: int,
    last: int,
) -> Iterator[TimeRange[FrameT]]:
    """Runs of the times before a frame: they show the one before it, where none was lost."""
    kept = last
    if current.after_loss:
        kept = bisect_left(times, previous.end, first, last) if previous else first
    if first < kept:
        yield TimeRange(first, kept, (previous or current).frame, True)
    if kept < last:
        yield TimeRange(kept, last, None, False)


def _past_end(
    source: FrameSource[FrameT],
    final: TimedFrame[FrameT] | None,
    times: Sequence[float],
    first: int,
    hold_last: bool,
) -> Iterator[TimeRange[FrameT]]:
    """Runs of the times from the last frame on."""
    if final is None:
        raise source.empty()
    last = len(times)
    kept = bisect_left(times, final.end, first)
    if first < kept:
        yield TimeRange(first, kept, final.frame, True)
    if kept < last:
        held = hold_last and not source.cut_off
        yield TimeRange(kept, last, final.frame if held else None, not source.cut_off)
