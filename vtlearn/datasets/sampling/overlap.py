"""Draw pairs of a text and a clip that overlap in time, and need not begin or end together.

Pure functions of captions, seconds and a random generator.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import Caption

__all__ = ["OverlapSampling"]


@dataclass(frozen=True)
class OverlapSampling:
    """Pairs of a text and a clip drawn from all over a video, as VideoCLIP and TempCLR do.

    A pair is drawn from a caption of the video, each as likely as the others. A number of words is
    drawn, and the caption grows into a run of captions, one at a time before or after it as a coin
    falls, until the run has so many; the last one may bring more. A second of that time is drawn,
    and a length, and the second grows into a clip of whole seconds in the same way.

    Args:
        num_clips: Pairs of a sample, of one video.
        words: Fewest and most words that are drawn for a text.
        seconds: Shortest and longest clip, in seconds; a shorter video is one clip.
        max_seconds: A run of captions that lasts so long grows no further.

    Raises:
        ArgumentError: If a number is not positive, or the first of two is more than the second.

    Example:
        >>> OverlapSampling(words=(8, 4))
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: overlap.words: expected two ints from 1, the smaller first...

    Source:
        Hu Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
        2021, section 3.3, and the code released with it, which counts tokens of BERT and not words.
    """

    num_clips: int = 16
    words: tuple[int, int] = (8, 64)
    seconds: tuple[int, int] = (3, 32)
    max_seconds: float = 256.0

    def __post_init__(self) -> None:
        """Validate the arguments."""
        if not hasattr(self.num_clips, "__index__"):
            message = f"overlap.num_clips: expected an int, got {self.num_clips!r}"
            raise ArgumentError(message)
        require_positive(num_clips=self.num_clips, max_seconds=self.max_seconds)
        for name in ("words", "seconds"):
            pair = getattr(self, name)
            listed = isinstance(pair, (list, tuple)) and len(pair) == 2
            if not (listed and all(isinstance(x, int) for x in pair) and 1 <= pair[0] <= pair[1]):
                message = f"overlap.{name}: expected two ints from 1, the smaller first, got {pair}"
                raise ArgumentError(message)
            object.__setattr__(self, name, tuple(pair))  # a list, where a program gives one

    def settings(self) -> dict[str, Any]:
        """Describe it in plain values, for a checkpoint to keep.

        Example:
            >>> OverlapSampling().settings()["words"]
            [8, 64]
        """
        pairs = {"words": list(self.words), "seconds": list(self.seconds)}
        return {"num_clips": self.num_clips, **pairs, "max_seconds": self.max_seconds}


class OverlappingPair(NamedTuple):
    """A text and a clip of one video.

    Attributes:
        captions: The captions whose texts are the text.
        seconds: The whole seconds that are the clip.
    """

    captions: range
    seconds: range


def draw_pairs(
    captions: Sequence[Caption], duration: int, overlap: OverlapSampling, rng: np.random.Generator
) -> list[OverlappingPair]:
    """Draw the pairs of a sample.

    Args:
        captions: The captions of a video, sorted by their start, one at least.
        duration: How long the video is, in whole seconds, the last one begun included.
        overlap: How they are drawn.
        rng: Where randomness comes from.

    Returns:
        ``overlap.num_clips`` pairs, sorted by the first caption, the first second, the last caption
        and the last second. Texts and clips may come more than once.

    Raises:
        ArgumentError: If there is no caption, or no second.

    Example:
        >>> captions = [Caption(0.0, 2.0, "chop it"), Caption(2.0, 5.0, "stir it well")]
        >>> overlap = OverlapSampling(num_clips=3, words=(5, 5), seconds=(6, 9))
        >>> set(draw_pairs(captions, 6, overlap, np.random.default_rng(0)))
        {OverlappingPair(captions=range(0, 2), seconds=range(0, 6))}
    """
    require_positive(captions=len(captions), duration=duration)
    words = [len(caption.text.split()) for caption in captions]
    spans = [(caption.start, caption.end) for caption in captions]
    pairs = []
    for _ in range(overlap.num_clips):
        run = grow_captions(
            *(words, spans, int(rng.integers(len(captions)))),
            budget=_between(overlap.words, rng),
            max_seconds=overlap.max_seconds,
            rng=rng,
        )
        start, end = run_span(spans, run)
        moment = _between((math.floor(start), math.ceil(end)), rng)
        centre = max(0, min(moment, duration - 1))
        length = _between(overlap.seconds, rng)
        pairs.append(OverlappingPair(run, grow_seconds(centre, length, duration, rng)))
    return sorted(pairs, key=_place)


def grow_captions(
    words: Sequence[int],
    spans: Sequence[tuple[float, float]],
    index: int,
    *,
    budget: int,
    max_seconds: float,
    rng: np.random.Generator,
) -> range:
    """Grow a caption into a run of captions, one at a time, before or after it as a coin falls.

    Where the captions end on one side, the other side goes on.

    Args:
        words: How many words each caption of the video has.
        spans: Start and end of each in seconds, sorted by the start.
        index: The caption in question.
        budget: Words; the run stops to grow when it has as many. The last caption may bring more.
        max_seconds: The run stops to grow when it lasts as long.
        rng: Where randomness comes from: ``random()`` below a half grows it by the one before.

    Returns:
        Indices of the captions.

    Example:
        >>> spans = [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
        >>> grow_captions([5, 5, 5], spans, 0, budget=6, max_seconds=60,
        ...     rng=np.random.default_rng(0))
        range(0, 2)
    """
    first, last = index, index + 1
    count, (start, end) = words[index], spans[index]
    while count < budget and end - start < max_seconds and last - first < len(spans):
        if last == len(spans) or (first > 0 and rng.random() < 0.5):
            first -= 1
            added = first
        else:
            added = last
            last += 1
        count += words[added]
        start, end = min(start, spans[added][0]), max(end, spans[added][1])
    return range(first, last)


def grow_seconds(centre: int, length: int, duration: int, rng: np.random.Generator) -> range:
    """Grow a moment into whole seconds, one at a time, before or after it as a coin falls.

    Where the video ends on one side, the other side goes on.

    Args:
        centre: The moment, in seconds, from 0 to ``duration``.
        length: How many seconds are wanted; a shorter video is taken as a whole.
        duration: How many seconds the video has.
        rng: Where randomness comes from: ``random()`` below a half grows it by the one before.

    Returns:
        The seconds.

    Example:
        >>> grow_seconds(0, 3, 60, np.random.default_rng(0))
        range(0, 3)
    """
    start = stop = centre
    for _ in range(min(length, duration)):
        if stop == duration or (start > 0 and rng.random() < 0.5):
            start -= 1
        else:
            stop += 1
    return range(start, stop)


def run_span(spans: Sequence[tuple[float, float]], run: range) -> tuple[float, float]:
    """Return when a run of captions starts and ends, in seconds.

    Args:
        spans: Start and end of each caption of the video, sorted by the start.
        run: Indices of the captions; one that started earlier may end later than the others.

    Example:
        >>> run_span([(0.0, 9.0), (2.0, 4.0), (5.0, 6.0)], range(0, 2))
        (0.0, 9.0)
    """
    return spans[run.start][0], max(spans[index][1] for index in run)


def _between(limits: tuple[int, int], rng: np.random.Generator) -> int:
    """Draw an integer uniformly, both limits included."""
    return int(rng.integers(limits[0], limits[1] + 1))


def _place(pair: OverlappingPair) -> tuple[int, int, int, int]:
    captions, seconds = pair
    return captions.start, seconds.start, captions.stop, seconds.stop
