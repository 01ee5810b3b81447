"""When what captions tell of is shown: new times, by how well windows and captions match.

Arithmetic on arrays; no model is run here. A similarity counts in standard deviations of its
video's own, so that the same numbers suit models whose similarities are of any size.
``benchmarks/align.py`` compares this with other ways, such as DTW; they and the numbers were chosen
on Kitchen's validation split, for captions that are 4 s off their steps (standard deviation).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, EvaluationError

__all__ = ["SPREAD", "distance_cost", "peak_centre", "standardize"]

Array = NDArray[np.float64]

SPREAD = 15.0
"""Seconds from the spoken time that cost a caption half a standard deviation."""

_LEAST_SCORE = 1.3  # standard deviations, of which half of the captions match something
_STEEPNESS = 4.0  # of the confidence there
_REACH = 5.0  # seconds on either side of a window that its neighbours may move a caption


class NewTime(NamedTuple):
    """When what a caption tells of is shown.

    Attributes:
        start: Seconds of the video.
        end: Likewise; as far from the start as it was spoken.
        matched: Whether it matches anything. Where not, it keeps the time at which it is spoken.
        confidence: From 0 to 1; 0.5 or more where it matches.
    """

    start: float
    end: float
    matched: bool
    confidence: float


def retime(
    similarity: Array,
    window_spans: Array,
    spoken: Array,
    *,
    duration: float | None = None,
    spread: float | None = SPREAD,
) -> list[NewTime]:
    """Move captions to where what they tell of is shown.

    Each caption goes to the window that it matches best, near ones first: a window ``d`` seconds
    from the middle of the caption loses ``(d / spread)^2 / 2`` standard deviations. The caption's
    new middle is the centre of mass of the peak about this window, above half of the peak's height
    (see :func:`peak_centre`). A caption whose best window, less what its distance costs, is not 1.3
    standard deviations above the mean of the video's similarities matches nothing, and stays. Its
    confidence is a logistic curve of that: 0.5 at 1.3, and 0.94 at 2.

    Captions may change their order: what is told of before it is done is often told of before
    something else that is done first.

    Args:
        similarity: (windows, captions); higher is better, in any unit.
        window_spans: Start and end of each window in seconds, in temporal order, (windows, 2).
        spoken: Start and end of each caption in seconds, (captions, 2).
        duration: How long the video is, in seconds: no caption is moved beyond its end, and what a
            window shows beyond it does not count. None where that is unknown.
        spread: How far captions usually are from what they tell of, in seconds; None: anywhere in
            the video.

    Returns:
        A new time for each caption.

    Raises:
        ArgumentError: If the shapes do not fit, there is no window, a time is not finite, something
            ends before it starts, or the spread is not positive.
        EvaluationError: If a similarity is not finite.

    Example:
        >>> windows = np.array([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0], [6.0, 8.0]])
        >>> similarity = np.array([[0.0, 0.1], [0.1, 0.0], [0.9, 0.1], [0.0, 0.0]])
        >>> spoken = np.array([[1.0, 3.0], [5.0, 8.0]])
        >>> for new in retime(similarity, windows, spoken):
        ...     print(new.matched, round(new.start, 1), round(new.end, 1), round(new.confidence, 2))
        True 4.0 6.0 0.99
        False 5.0 8.0 0.0
    """
    similarity, window_spans, spoken = _checked(similarity, window_spans, spoken)
    last = np.inf if duration is None else duration
    middles, said = np.minimum(window_spans, last).mean(1), spoken.mean(1)
    standard = standardize(similarity)
    scores = standard - distance_cost(middles, said, spread)
    times: list[NewTime] = []
    for caption, window in enumerate(scores.argmax(0).tolist()):
        start, end = spoken[caption].tolist()
        confidence = _confidence(float(scores[window, caption]))
        matched = confidence >= 0.5
        if matched:
            length = end - start
            centre = peak_centre(standard[:, caption], middles, window)
            start = max(0.0, min(centre - length / 2, last - length))
            end = start + length
        times.append(NewTime(start, end, matched, confidence))
    return times


def standardize(similarity: Array) -> Array:
    """Count similarities of one video in standard deviations from their mean.

    Args:
        similarity: (windows, captions).

    Returns:
        The same shape; zeros where all are equal.

    Example:
        >>> standardize(np.array([[0.0, 0.2], [0.2, 0.0]]))
        array([[-1.,  1.],
               [ 1., -1.]])
    """
    if not similarity.size:  # of no captions
        return similarity
    centred = similarity - similarity.mean()
    deviation = centred.std()
    # what is left of equal numbers is rounding
    if deviation <= 1e-12 * np.abs(similarity).max(initial=0.0):
        return np.zeros_like(centred)
    return np.asarray(centred / deviation)


def distance_cost(middles: Array, said: Array, spread: float | None) -> Array:
    """Compute what windows lose for their distance from captions.

    Args:
        middles: Of windows, in seconds, (windows,).
        said: Middles of captions, in seconds, (captions,).
        spread: Seconds that cost half a standard deviation; None where distance costs nothing.

    Returns:
        (windows, captions), in standard deviations: half the square of distance over spread.

    Raises:
        ArgumentError: If the spread is not positive.

    Example:
        >>> distance_cost(np.array([0.0, 20.0]), np.array([10.0, 20.0]), 10.0)
        array([[0.5, 2. ],
               [0.5, 0. ]])
    """
    if spread is None:
        return np.zeros((len(middles), len(said)))
    require_positive(spread=spread)
    return ((middles[:, None] - said) / spread) ** 2 / 2


def peak_centre(scores: Array, middles: Array, window: int) -> float:
    """Find the middle of a peak: its centre of mass above half of its height.

    A step lasts longer than a window, and all windows within it match; which of them matches best
    is chance.

    Args:
        scores: A caption's, (windows,).
        middles: Of the windows, in seconds, rising, (windows,).
        window: Where the peak is. Neighbours count up to the first below half the height between
            the caption's mean and the peak, and up to 5 s away.

    Returns:
        Seconds.

    Example:
        >>> peak_centre(np.array([0.0, 0.0, 9.0, 9.0, 0.0]), np.arange(5.0), 2)
        2.5
    """
    floor = (scores[window] + scores.mean()) / 2
    counts = (scores > floor) & (np.abs(middles - middles[window]) <= _REACH)
    if not counts[window]:  # it is no peak: the caption matches the rest as well
        return float(middles[window])
    first = last = window
    while first > 0 and counts[first - 1]:
        first -= 1
    while last + 1 < len(counts) and counts[last + 1]:
        last += 1
    peak = slice(first, last + 1)
    return float(np.average(middles[peak], weights=scores[peak] - floor))


def _confidence(score: float) -> float:
    """Tell from a caption's score how likely it matches something.

    Args:
        score: Standard deviations above the mean of the video's similarities, less what the
            distance costs.

    Returns:
        From 0 to 1: a logistic curve, 0.5 at 1.3 standard deviations, 0.94 at 2.

    Example:
        >>> [round(_confidence(score), 2) for score in (0.0, 1.3, 2.0)]
        [0.01, 0.5, 0.94]
    """
    return float(0.5 + 0.5 * np.tanh(_STEEPNESS * (score - _LEAST_SCORE) / 2))


def _checked(similarity: Array, window_spans: Array, spoken: Array) -> Sequence[Array]:
    arrays = [np.asarray(array, np.float64) for array in (similarity, window_spans, spoken)]
    shapes = [array.shape for array in arrays]
    windows, captions = (*shapes[0], 0, 0)[:2]
    if shapes != [(windows, captions), (windows, 2), (captions, 2)] or not windows:
        message = (
            "expected similarity (windows, captions) of one window or more, window_spans (windows, "
            f"2) and spoken (captions, 2), got the shapes {', '.join(map(str, shapes))}"
        )
        raise ArgumentError(message)
    for spans in arrays[1:]:
        if not (np.isfinite(spans).all() and (spans[:, 0] <= spans[:, 1]).all()):
            message = "windows and captions must start and end at finite seconds, start first"
            raise ArgumentError(message)
    if not np.isfinite(arrays[0]).all():
        message = "the model's similarities are not finite numbers: its training has diverged"
        raise EvaluationError(message)
    return arrays
