"""Choose captions and clips: pure functions of seconds and a random generator.

All times are float seconds; they are cut to whole ones only where ``floor_seconds`` asks for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError
from vtlearn.media.features.spec import num_vectors

__all__ = ["UniformWindows", "clip_start", "sliding_windows"]

_ROUNDING = 1e-6  # seconds by which a time may miss the one that it means


def sample_consecutive(count: int, num_clips: int, rng: np.random.Generator) -> range:
    """Draw a run of captions that follow each other, uniformly over where it starts.

    Args:
        count: How many captions the video has.
        num_clips: How many to choose; all of them where there are fewer.
        rng: Where randomness comes from.

    Returns:
        Indices of the captions.

    Raises:
        ArgumentError: If there is no caption, or none is asked for.

    Example:
        >>> sample_consecutive(3, 8, np.random.default_rng(0))
        range(0, 3)
    """
    require_positive(count=count)
    require_positive(num_clips=num_clips)
    start = int(rng.integers(max(0, count - num_clips) + 1))
    return range(start, min(start + num_clips, count))


def clip_start(
    start: float,
    end: float,
    clip_seconds: float,
    rng: np.random.Generator | None = None,
    *,
    floor_seconds: bool = False,
) -> float:
    """Place a clip inside a caption's time, uniformly among the places where it fits.

    Args:
        start: When the caption starts, in seconds.
        end: When it ends.
        clip_seconds: How long the clip is. A longer one than the caption starts with it.
        rng: Where randomness comes from; None takes the middle.
        floor_seconds: Choose among whole seconds: from floor(start) to floor(floor(end) -
            clip_seconds), both included, or floor(start) alone where that is later.

    Returns:
        When the clip starts, in seconds.

    Example:
        >>> clip_start(10.0, 16.0, 4.0)
        11.0
        >>> clip_start(10.9, 16.9, 3.2, floor_seconds=True)  # 10, 11 or 12
        11.0

    Source:
        ``floor_seconds`` is what the training loaders do that were released with Miech et al.,
        "End-to-End Learning of Visual Representations from Uncurated Instructional Videos", 2020,
        and Ko et al., "Video-Text Representation Learning via Differentiable Weak Temporal
        Alignment", 2022.
    """
    if floor_seconds:
        first = math.floor(start)
        latest = max(first, math.floor(math.floor(end) - clip_seconds))
        whole = (first + latest) // 2 if rng is None else rng.integers(first, latest + 1)
        return float(whole)
    last = max(start, end - clip_seconds)
    return (start + last) / 2 if rng is None else float(rng.uniform(start, last))


def moment_start(
    moment: float, clip_seconds: float, rng: np.random.Generator, *, floor_seconds: bool = False
) -> float:
    """Place a clip over a moment, uniformly among the places where it contains it.

    Args:
        moment: A time in seconds, such as HTM-AA gives for a sentence.
        clip_seconds: How long the clip is.
        rng: Where randomness comes from.
        floor_seconds: Cut what is drawn to a whole second.

    Returns:
        When the clip starts, in seconds: from ``moment - clip_seconds`` to ``moment``, and not
        before 0.

    Example:
        >>> moment_start(0.0, 3.2, np.random.default_rng(0))
        0.0
    """
    drawn = float(rng.uniform(max(0.0, moment - clip_seconds), moment))
    return float(math.floor(drawn)) if floor_seconds else drawn


def pad_span(start: float, end: float, least: float) -> tuple[float, float]:
    """Make a caption's time at least so long, by the same on both sides.

    Args:
        start: When the caption starts, in seconds.
        end: When it ends.
        least: How long it is to be at least. What would begin before 0 ends later instead.

    Returns:
        Start and end in seconds.

    Example:
        >>> pad_span(4.0, 5.0, 5.0), pad_span(1.0, 2.0, 5.0), pad_span(1.0, 9.0, 5.0)
        ((2.0, 7.0), (0.0, 5.0), (1.0, 9.0))
    """
    missing = least - (end - start)
    if missing <= 0:
        return start, end
    begin = max(0.0, start - missing / 2)
    return begin, begin + least


def part_middles(start: float, end: float, count: int) -> list[float]:
    """Spread moments over a time: the middles of equal parts of it.

    Args:
        start: When it starts, in seconds.
        end: When it ends.
        count: How many parts there are.

    Returns:
        The middle of each part, in seconds.

    Raises:
        ArgumentError: If no part is asked for.

    Example:
        >>> part_middles(2.0, 4.0, 4)
        [2.25, 2.75, 3.25, 3.75]
    """
    require_positive(count=count)
    return [start + (end - start) * (part + 0.5) / count for part in range(count)]


def stored_vectors(start: float, end: float, *, fps: float, stored: int, most: int) -> range:
    """Choose the stored vectors of a time: those that are shown in it, to the microsecond.

    Args:
        start: When it starts, in seconds.
        end: When it ends.
        fps: Vectors per second; vector k is shown from ``k / fps`` on.
        stored: How many vectors the video has.
        most: How many to choose at most; the first of them are.

    Returns:
        Indices of the vectors from ``floor(start * fps)`` to below ``ceil(end * fps)`` that there
        are, and at least one: the first at ``start``, or the video's last where that is earlier.

    Raises:
        ArgumentError: If a number is not positive.

    Example:
        >>> stored_vectors(1.4, 3.2, fps=1.0, stored=9, most=4)
        range(1, 4)
        >>> stored_vectors(9.5, 12.0, fps=1.0, stored=9, most=4)
        range(8, 9)
    """
    require_positive(fps=fps, stored=stored, most=most)
    first = max(0, min(math.floor((start + _ROUNDING) * fps), stored - 1))
    last = min(math.ceil((end - _ROUNDING) * fps), stored, first + most)
    return range(first, max(last, first + 1))


def nearest_captions(spans: Sequence[tuple[float, float]], index: int, k: int) -> list[int]:
    """Choose the captions around a caption that may describe its clip as well.

    From the caption on, the neighbour before or after is added that makes the whole span shorter,
    the later one if both do. Where the captions end on one side, the other side goes on.

    Args:
        spans: Start and end of each caption of the video in seconds, in order of time.
        index: The caption in question.
        k: How many captions to return, itself among them.

    Returns:
        Indices of k captions: itself first, then as they were added. A video with fewer than k
        captions repeats the caption itself.

    Raises:
        ArgumentError: If there is no such caption, or k is not positive.

    Example:
        >>> nearest_captions([(0, 1), (8, 9), (10, 11), (15, 16)], 2, 3)
        [2, 1, 3]

    Source:
        Antoine Miech et al., End-to-End Learning of Visual Representations from Uncurated
        Instructional Videos, 2020, section 3.1. Where there are at least k captions, the released
        code chooses the same; where there are fewer, it repeats the first or the last caption.
    """
    require_positive(k=k)
    if not 0 <= index < len(spans):
        message = f"there is no caption {index} among {len(spans)}"
        raise ArgumentError(message)
    first = last = index
    chosen = [index]
    while len(chosen) < min(k, len(spans)):
        if _extends_back(spans, first, last):
            first -= 1
            chosen.append(first)
        else:
            last += 1
            chosen.append(last)
    return chosen + [index] * (k - len(chosen))


def uniform_windows(
    start: float,
    end: float,
    clip_seconds: float,
    count: int,
    margin: float = 0.4,  # it is no test
) -> list[float]:
    """Spread test windows evenly over a segment, as the published evaluations do.

    Args:
        start: When the segment starts, in seconds.
        end: When it ends.
        clip_seconds: How long a window is.
        count: How many windows there are.
        margin: Seconds at the end of the segment that are left out besides.

    Returns:
        When each window starts, in seconds; all at the segment's start where it is too short.

    Raises:
        ArgumentError: If no window is asked for.

    Example:
        >>> uniform_windows(0.0, 10.0, 3.0, 3, margin=1.0)
        [0.0, 3.0, 6.0]
    """
    require_positive(count=count)
    last = max(start, end - clip_seconds - margin)
    return [float(time) for time in np.linspace(start, last, count)]


@dataclass(frozen=True, slots=True)
class UniformWindows:
    """Windows spread evenly over a segment, whose end may be known only when it is read.

    Attributes:
        start: When the segment starts, in seconds.
        end: When it ends; None where it lasts until the video ends.
        count: How many windows there are.
        each: Whether there are so many of stored features as well, of which a segment is otherwise
            one window of its own vectors.
    """

    start: float
    end: float | None
    count: int
    each: bool = False

    def starts(self, duration: float, clip_seconds: float) -> list[float]:
        """Return when each window starts, in seconds.

        Args:
            duration: How long the video is.
            clip_seconds: How long a window is.

        Example:
            >>> UniformWindows(0.0, None, 3).starts(10.4, 4.0)
            [0.0, 3.0, 6.0]
        """
        end = duration if self.end is None else self.end
        return uniform_windows(self.start, end, clip_seconds, self.count)


def sliding_windows(
    duration: float, clip_seconds: float, *, stride: float = 1.0, partial: bool = False
) -> list[float]:
    """Cover a whole video with windows at a fixed distance.

    Args:
        duration: How long the video is, in seconds.
        clip_seconds: How long a window is.
        stride: From the start of one window to the start of the next, in seconds.
        partial: Take each window that starts before the video ends, as stored features do; else
            each that fits, and at least the first.

    Returns:
        When each window starts, in seconds.

    Raises:
        ArgumentError: If the stride is not positive, or the duration is not a finite number from 0.

    Example:
        >>> sliding_windows(5.5, 3.0), sliding_windows(2.0, 3.0)
        ([0.0, 1.0, 2.0], [0.0])
        >>> sliding_windows(5.5, 3.0, partial=True)
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    require_positive(stride=stride)
    if partial:
        count = num_vectors(duration, 1 / stride)
    else:
        count = int(max(0.0, duration - clip_seconds) / stride + 1e-9) + 1  # 0.3 / 0.1 is under 3
    return [number * stride for number in range(count)]


def _extends_back(spans: Sequence[tuple[float, float]], first: int, last: int) -> bool:
    if first == 0:
        return False
    if last == len(spans) - 1:
        return True
    return spans[last][1] - spans[first - 1][0] < spans[last + 1][1] - spans[first][0]
