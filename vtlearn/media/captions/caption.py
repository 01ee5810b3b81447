"""What a caption is, and how the lists that files give become captions.

Times are float seconds, a caption covers ``start`` up to but not including ``end``, and nothing is
repaired: what cannot be a caption is an error that names it. Captions whose text is no string, of
which HowTo100M has some, may be left out where they are counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import TranscriptError

__all__ = ["Caption", "dedupe_rolling", "validate_captions"]

_FIELDS = ("start", "end", "text")
_STAYS = 0.1  # a line that is still on screen was there less than so many seconds ago


class Caption(NamedTuple):
    """One sentence and when it is said.

    Attributes:
        start: Seconds from the start of the video.
        end: Seconds from the start of the video, not before ``start``.
        text: The sentence; may be empty where a corpus removes stop words.
    """

    start: float
    end: float
    text: str


_MAKE: Callable[[tuple[float, float, str]], Caption] = partial(tuple.__new__, Caption)


class Track(NamedTuple):
    """The captions of one video, sorted by their start; of equal ones the order stays.

    Attributes:
        spans: Start and end in seconds, (captions, 2), float64.
        texts: What is said, one string a caption.
        left_out: How many captions are missing here because their text was no string.
    """

    spans: NDArray[np.float64]
    texts: list[str]
    left_out: int = 0

    def captions(self) -> list[Caption]:
        """Return them one by one."""
        starts, ends = self.spans.T.tolist()
        return make_captions(starts, ends, self.texts)


def make_captions(starts: list[float], ends: list[float], texts: list[str]) -> list[Caption]:
    """Make captions of parallel lists, in a little more than half of the usual time.

    Args:
        starts: In seconds.
        ends: In seconds.
        texts: As many.

    Returns:
        One caption an entry.

    Example:
        >>> make_captions([4.13], [6.5], ["so we"])
        [Caption(start=4.13, end=6.5, text='so we')]
    """
    return list(map(_MAKE, zip(starts, ends, texts, strict=True)))


def validate_captions(columns: Any, *, leave_out: bool = False) -> Track:
    """Check and sort the captions of one video.

    Args:
        columns: What its file holds: a mapping with the lists ``start``, ``end`` and ``text``, of
            equal length. Where a text is a list (HowToCaption), each of its items is a caption of
            that span; an item is a string, or a pair of a string and its score.
        leave_out: Leave out captions whose text is no string, and count them, instead of raising.

    Returns:
        The captions; there may be none.

    Raises:
        TranscriptError: If these are no captions. It does not say of which video.

    Example:
        >>> columns = {"start": [8, 0], "end": [16, 8], "text": [["stir"], ["chop", "cut"]]}
        >>> validate_captions(columns).captions()
        ... # doctest: +NORMALIZE_WHITESPACE
        [Caption(start=0.0, end=8.0, text='chop'), Caption(start=0.0, end=8.0, text='cut'),
         Caption(start=8.0, end=16.0, text='stir')]
    """
    starts, ends, texts = _lists(columns)
    numbers, said, left_out = _said(texts, leave_out=leave_out)
    spans = np.empty((len(said), 2))
    spans[:, 0] = _seconds("start", starts, numbers)
    spans[:, 1] = _seconds("end", ends, numbers)
    late = np.flatnonzero(spans[:, 1] < spans[:, 0])
    if late.size:
        start, end = spans[late[0]].tolist()
        message = f"caption {numbers[late[0]]} ends at {end} s, before it starts at {start} s"
        raise TranscriptError(message)
    if np.any(spans[1:, 0] < spans[:-1, 0]):
        order = spans[:, 0].argsort(kind="stable")
        spans, said = spans[order], [said[index] for index in order.tolist()]
    return Track(spans, said, left_out)


def dedupe_rolling(captions: Iterable[Caption]) -> list[Caption]:
    r"""Undo the rolling of captions, so that each word is there once, when it is new.

    YouTube's automatic captions show two lines: the last one again, and a new one below it. Read
    one by one, they say everything two or three times. Here a caption loses what the one before
    it, up to a tenth of a second earlier, still showed: its last line or lines, whole ones only,
    since a speaker may well begin with the word before.

    Args:
        captions: Sorted by their start. A text that begins with an empty line, such as
            ``"\nso we"``, shows nothing from before.

    Returns:
        The captions that say something new, without the rest, on one line each.

    Example:
        >>> rolling = [Caption(0, 2, "chop the"), Caption(2, 2.01, "chop the")]
        >>> dedupe_rolling([*rolling, Caption(2.01, 4, "chop the\ncarrot")])
        [Caption(start=0, end=2, text='chop the'), Caption(start=2.01, end=4, text='carrot')]
    """
    captions = list(captions)
    fresh = [
        caption.text.split()[repeated:]
        for caption, repeated in zip(captions, _repeated_words(captions), strict=True)
    ]
    return [
        caption._replace(text=" ".join(words))
        for caption, words in zip(captions, fresh, strict=True)
        if words
    ]


def _repeated_words(captions: Iterable[Caption]) -> list[int]:
    """Count the words at the start of each rolling caption that the one before still showed."""
    counts: list[int] = []
    shown: list[list[str]] = []  # the lines on screen, as words
    until = -np.inf
    for caption in captions:
        words = caption.text.split()
        shown = [] if _is_cleared(caption, until) else _still_shown(shown, words)
        counts.append(sum(map(len, shown)))
        shown = [*shown, words[counts[-1] :]] if len(words) > counts[-1] else shown
        until = caption.end
    return counts


def _is_cleared(caption: Caption, until: float) -> bool:
    """Say whether nothing from before is on screen, though the words may be the same."""
    first, *others = caption.text.split("\n")
    if others and not first.strip():
        return True
    return caption.start > until + _STAYS and not any(map(str.strip, others))


def _still_shown(lines: list[list[str]], words: list[str]) -> list[list[str]]:
    """Return the longest run of last lines that words begin with."""
    for first in range(len(lines)):
        run = [word for line in lines[first:] for word in line]
        if words[: len(run)] == run:
            return lines[first:]
    return []


def _lists(columns: Any) -> list[list[Any]]:
    """Take the three lists out of what a file holds."""
    if not isinstance(columns, Mapping) or any(field not in columns for field in _FIELDS):
        held = sorted(map(str, columns)) if isinstance(columns, Mapping) else type(columns).__name__
        message = f"captions need the lists start, end and text, but these are {held}"
        raise TranscriptError(message)
    lists = [_listed(columns[field]) for field in _FIELDS]
    lengths = [len(values) for values in lists]
    if len(set(lengths)) > 1:
        message = f"start, end and text differ in length: {lengths}"
        raise TranscriptError(message)
    return lists


def _listed(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return list(values.tolist())
    if not isinstance(values, list):
        message = "start, end and text must be lists"
        raise TranscriptError(message)
    return values


def _said(texts: list[Any], *, leave_out: bool) -> tuple[Sequence[int], list[str], int]:
    """Return the texts, the number of the caption that each is of, and how many were none."""
    if set(map(type, texts)) <= {str}:
        return range(len(texts)), texts, 0
    entries = [(number, item) for number, text in enumerate(texts) for item in _items(text)]
    numbers = [number for number, item in entries if isinstance(item, str)]
    said = [str(item) for _, item in entries if isinstance(item, str)]
    if len(said) < len(entries) and not leave_out:
        number, item = next(entry for entry in entries if not isinstance(entry[1], str))
        message = f"caption {number} has {item!r} for a text; remove it, or write what is said"
        raise TranscriptError(message)
    return numbers, said, len(entries) - len(said)


def _items(text: Any) -> list[Any]:
    """Return the captions of a window, which may be a list, each with or without its score."""
    if isinstance(text, np.ndarray):
        text = text.tolist()
    window = text if isinstance(text, list) and not _has_score(text) else [text]
    return [item[0] if _has_score(item) else item for item in window]


def _has_score(item: Any) -> bool:
    """Tell a string and its score, which JSON turns from a tuple into a list."""
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    return isinstance(item[0], str) and isinstance(item[1], (int, float, np.number))


def _seconds(field: str, values: list[Any], numbers: Sequence[int]) -> NDArray[np.float64]:
    """Return the times of the captions that are kept, which have to be finite."""
    if not isinstance(numbers, range):
        values = [values[number] for number in numbers]
    try:
        seconds = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        seconds = np.array([_float(value) for value in values])
    if seconds.ndim > 1:  # lists of one number each
        seconds = np.full(len(values), np.nan)
    wrong = np.flatnonzero(~np.isfinite(seconds))
    if wrong.size:
        message = (
            f"caption {numbers[wrong[0]]} has {values[wrong[0]]!r} for its {field}, "
            "which must be a finite number of seconds"
        )
        raise TranscriptError(message)
    return seconds


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
