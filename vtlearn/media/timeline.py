"""Say which frame is shown at a time, having only a film that plays forward and can jump.

Nothing here knows a decoder: frames are whatever the film says they are.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Film", "Picture", "Run", "frame_times", "mark_shown", "runs"]

FrameT = TypeVar("FrameT")
PacketT = TypeVar("PacketT")

_NEAR = 0.25  # seconds; decoding so far ahead is cheaper than seeking
_EARLY = 0.5  # seconds by which a keyframe may be decoded before it is shown
_BLIND = 5.0  # seconds; a longer way is jumped even if nobody knows where the keyframes are
_LEADS = (0.0, 2.0, 10.0, 60.0)  # seconds to seek before the target, until it is early enough
_REORDER = 32  # packets; twice as far as H.264 and H.265 may decode ahead of presentation
_ROUNDING = 1e-6  # seconds by which start + k / fps may fall short of the start that it means


class Picture(NamedTuple, Generic[FrameT]):
    """A frame and the time it is made for.

    Attributes:
        frame: The frame.
        start: When it appears, in seconds.
        end: When its own duration is over, in seconds. The next picture may come later than that.
        after_loss: Whether frames between the picture before and this one were lost.
    """

    frame: FrameT
    start: float
    end: float
    after_loss: bool = False


class Run(NamedTuple, Generic[FrameT]):
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


class Film(ABC, Generic[FrameT]):
    """What frames are read from, in order of their starts, with jumps where they pay.

    Attributes:
        cut_off: Set when the pictures have ended: whether the film went on once, and is lost.
        may_jump: Whether jumps have led where they should, so far.
    """

    def __init__(self) -> None:
        self.cut_off = False
        self.may_jump = True

    @abstractmethod
    def restart(self) -> Iterator[Picture[FrameT]]:
        """Play from the film's first picture."""

    @abstractmethod
    def seek(self, time: float) -> Iterator[Picture[FrameT]]:
        """Play from a picture that is likely to be at or before ``time``, but may be anywhere."""

    @abstractmethod
    def keyframe_before(self, time: float) -> float | None:
        """Return when the last keyframe known to be at or before ``time`` is decoded, if any is."""

    @abstractmethod
    def known_until(self) -> float:
        """Return up to which time all keyframes are known."""

    @abstractmethod
    def empty(self) -> Exception:
        """Return the error to raise when there is no picture at all."""

    def play(self, time: float) -> Iterator[Picture[FrameT]]:
        """Play from a picture that is not later than ``time``, or from the film's first."""
        return self.jump(0.0, time) if self.should_jump(0.0, time) else self.restart()

    def should_jump(self, now: float, time: float) -> bool:
        """Say whether ``time`` is reached sooner by a jump than by playing on from ``now``."""
        if not self.may_jump or time - now < _NEAR + _EARLY:
            return False
        keyframe = self.keyframe_before(time - _EARLY)
        if keyframe is not None and keyframe > now + _NEAR:
            return True
        return time - now > _BLIND and self.known_until() < time

    def jump(self, now: float, time: float) -> Iterator[Picture[FrameT]]:
        """Do as :meth:`play`; if that leads back behind ``now``, the film makes no more jumps."""
        for lead in _LEADS:
            pictures = self.seek(time - lead)
            first = next(pictures, None)
            if first is not None and first.start <= time:
                self.may_jump = first.start > now
                return chain([first], pictures)
        self.may_jump = False
        return self.restart()


def frame_times(
    starts: "Sequence[float] | NDArray[np.floating[Any]] | Tensor", num_frames: int, fps: float
) -> NDArray[np.float64]:
    """Lay out when each frame of each clip is to be looked up.

    Args:
        starts: Seconds, one a clip, in any order.
        num_frames: Frames of a clip.
        fps: Frames a second.

    Returns:
        (clips, frames): ``starts[i] + k / fps``, a microsecond later, so that a time meant to be
        the start of a frame does not fall before it by rounding.

    Raises:
        ArgumentError: If the starts are not a list of finite numbers.

    Example:
        >>> frame_times([0.0, 5.0], 3, 2).round(3)
        array([[0. , 0.5, 1. ],
               [5. , 5.5, 6. ]])
    """
    begin = np.asarray(starts, np.float64)
    if begin.ndim != 1 or not np.isfinite(begin).all():
        message = f"starts must be a list of finite seconds, one a clip, but is {starts}"
        raise ArgumentError(message)
    return begin[:, None] + np.arange(num_frames) / fps + _ROUNDING


def runs(film: Film[FrameT], times: Sequence[float], *, hold_last: bool) -> Iterator[Run[FrameT]]:
    """Say what is shown at each time: the picture with the largest start that is not later.

    Before the first picture that is the first picture, and past the end of the last one the last
    one, or black. From where pictures were lost to the next picture nothing is known.

    Args:
        film: Where pictures come from; none is asked for that is not needed.
        times: Seconds, sorted.
        hold_last: Whether the last picture stays on, or is followed by black.

    Yields:
        Runs, which cover all times without gaps, in order.
    """
    done, previous = 0, None
    pictures = film.play(times[0]) if times else iter(())
    while done < len(times):
        current = next(pictures, None)
        if current is None:
            yield from _past_end(film, previous, times, done, hold_last)
            return
        until = bisect_left(times, current.start, done)
        yield from _before(current, previous, times, done, until)
        done, previous = until, current
        if done < len(times) and film.should_jump(current.start, times[done]):
            pictures, previous = film.jump(current.start, times[done]), None


def mark_shown(
    packets: Iterable[PacketT],
    start: Callable[[PacketT], float | None],
    times: Sequence[float],
) -> Iterator[tuple[PacketT, bool]]:
    """Say of each packet whether its frame will be shown at any time, before it is decoded.

    Args:
        packets: In decoding order, which is not that of presentation.
        start: When a packet's frame appears, in seconds; None if nobody knows.
        times: When frames are shown, sorted, in seconds.

    Yields:
        The packets in their order, each with False only if its frame is certainly not shown.

    Example:
        >>> list(mark_shown([0.0, 3.0, 1.0, 2.0], lambda time: time, [0.5, 2.5]))
        [(0.0, True), (3.0, False), (1.0, False), (2.0, True)]
    """
    starts: list[float] = []
    ahead: deque[tuple[PacketT, float | None]] = deque()
    for packet in packets:
        time = start(packet)
        ahead.append((packet, time))
        if time is not None:
            insort(starts, time)
        if len(ahead) == _REORDER:
            first, time = ahead.popleft()
            yield first, _is_shown(time, starts, times)
    for packet, time in ahead:
        yield packet, _is_shown(time, starts, times)


def _is_shown(time: float | None, starts: Sequence[float], times: Sequence[float]) -> bool:
    if time is None:
        return True
    following = bisect_right(starts, time)
    until = bisect_left(times, starts[following]) if following < len(starts) else len(times)
    return bisect_left(times, time) < until


def _before(
    current: Picture[FrameT],
    previous: Picture[FrameT] | None,
    times: Sequence[float],
    first: int,
    last: int,
) -> Iterator[Run[FrameT]]:
    """Runs of the times before a picture: they show the one before it, where none was lost."""
    kept = last
    if current.after_loss:
        kept = bisect_left(times, previous.end, first, last) if previous else first
    if first < kept:
        yield Run(first, kept, (previous or current).frame, True)
    if kept < last:
        yield Run(kept, last, None, False)


def _past_end(
    film: Film[FrameT],
    final: Picture[FrameT] | None,
    times: Sequence[float],
    first: int,
    hold_last: bool,
) -> Iterator[Run[FrameT]]:
    """Runs of the times from the last picture on."""
    if final is None:
        raise film.empty()
    last = len(times)
    kept = bisect_left(times, final.end, first)
    if first < kept:
        yield Run(first, kept, final.frame, True)
    if kept < last:
        held = hold_last and not film.cut_off
        yield Run(kept, last, final.frame if held else None, not film.cut_off)
