"""What a caption is, and how the lists that files give become captions.

Times are float seconds, a caption covers ``start`` up to but not including ``end``, and nothing is
repaired: what cannot be a caption is left out, with its line and the reason, or an error.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.checks import allowed_count
from vtlearn.errors import TranscriptError
from vtlearn.unicode import replace_surrogates

__all__ = ["Caption", "Skipped", "Transcript", "dedupe_rolling", "validate_captions"]

MAX_BAD_CUES = 0.5
"""Of the captions of a file, the share that may be unreadable."""

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


class Skipped(NamedTuple):
    """What should have been a caption and is not one.

    Attributes:
        line: The line of the file, from 1; in JSON, the number of the caption, from 0.
        reason: What is wrong with it; it names the line, or the caption, as well.
    """

    line: int
    reason: str


class Transcript(list[Caption]):
    """The captions of one video, and what of its file is none of them.

    Args:
        captions: The captions.
        skipped: What was left out.

    Attributes:
        skipped: What was left out, in the order of the file.

    Example:
        >>> Transcript([Caption(4.13, 6.5, "so we")]).skipped
        []
    """

    def __init__(
        self, captions: Iterable[Caption] = (), skipped: Iterable[tuple[int, str]] = ()
    ) -> None:
        super().__init__(captions)
        self.skipped = [Skipped(*each) for each in skipped]


_MAKE: Callable[[tuple[float, float, str]], Caption] = partial(tuple.__new__, Caption)


class Track(NamedTuple):
    """The captions of one video, sorted by their start; of equal ones the order stays.

    Attributes:
        spans: Start and end in seconds, (captions, 2), float64.
        texts: What is said, one string per caption.
        skipped: What was left out.
        language: What their file says that they are in, such as "en"; empty where it does not.
    """

    spans: NDArray[np.float64]
    texts: list[str]
    skipped: Sequence[Skipped] = ()
    language: str = ""

    def captions(self) -> list[Caption]:
        """Return them one by one."""
        starts, ends = self.spans.T.tolist()
        return make_captions(starts, ends, self.texts)

    def transcript(self) -> Transcript:
        """Return them one by one, with what was left out."""
        return Transcript(self.captions(), self.skipped)


def no_captions() -> Track:
    """Make the captions of a video in which nothing is said."""
    return Track(np.empty((0, 2)), [])


def as_track(transcript: Transcript) -> Track:
    """Turn captions, in any order, into arrays.

    Args:
        transcript: Captions with finite times, none of which ends before it starts.
    """
    spans = np.array([each[:2] for each in transcript], np.float64).reshape(-1, 2)
    return _sorted(Track(spans, [each.text for each in transcript], transcript.skipped))


def require_most(track: Track, max_bad_cues: float) -> Track:
    """Refuse the captions of a file of which too many are unreadable.

    Args:
        track: The captions.
        max_bad_cues: The share of the file's captions that may be left out; above 0 it allows one.
            Where none is left, the file is refused in any case.

    Returns:
        The same.

    Raises:
        TranscriptError: If there are more; it names the first.

    Example:
        >>> skipped = [Skipped(3, "line 3 is not the time of a caption: '1 --> 2'")]
        >>> require_most(Track(np.zeros((0, 2)), [], skipped), 1.0)
        Traceback (most recent call last):
            ...
        vtlearn.errors.TranscriptError: line 3 is not the time of a caption: '1 --> 2'
    """
    bad, total = len(track.skipped), len(track.skipped) + len(track.texts)
    if bad and (not track.texts or bad > allowed_count(max_bad_cues, total)):
        message = track.skipped[0].reason
        if total > 1:
            most = allowed_count(max_bad_cues, total)
            limit = f", more than the {most} that max_bad_cues={max_bad_cues:g} allows"
            message += f" ({bad} of {total} captions cannot be read{limit if track.texts else ''})"
        raise TranscriptError(message)
    return track


def _sorted(track: Track) -> Track:
    spans, texts = track.spans, track.texts
    if not np.any(spans[1:, 0] < spans[:-1, 0]):
        return track
    order = spans[:, 0].argsort(kind="stable")
    return track._replace(spans=spans[order], texts=[texts[index] for index in order.tolist()])


def make_captions(starts: list[float], ends: list[float], texts: list[str]) -> list[Caption]:
    """Make captions of parallel lists, in a little more than half of the usual time.

    Args:
        starts: In seconds.
        ends: In seconds.
        texts: As many.

    Returns:
        One entry per caption.

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
        leave_out: Leave out what cannot be a caption (no text, no time, an end before its start),
            with the reason, instead of raising.

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
    numbers, said = _said(texts)
    said = [replace_surrogates(text) if isinstance(text, str) else text for text in said]
    spans = np.empty((len(said), 2))
    spans[:, 0] = _seconds(starts, numbers)
    spans[:, 1] = _seconds(ends, numbers)
    sound = np.isfinite(spans).all(axis=1) & (spans[:, 1] >= spans[:, 0])
    if set(map(type, said)) <= {str} and sound.all():
        return _sorted(Track(spans, said))
    sound &= np.fromiter((isinstance(text, str) for text in said), bool, len(said))
    lists, skipped = (starts, ends), []
    for place in np.flatnonzero(~sound).tolist():
        number = numbers[place]
        values = [values[number] for values in lists]
        skipped.append(Skipped(number, _fault(number, values, spans[place].tolist(), said[place])))
    if skipped and not leave_out:
        raise TranscriptError(skipped[0].reason)
    kept = [str(said[place]) for place in np.flatnonzero(sound).tolist()]
    return _sorted(Track(spans[sound], kept, skipped))


def _fault(number: int, values: Sequence[Any], span: Sequence[float], text: Any) -> str:
    """Say why something is not a caption."""
    if not isinstance(text, str):
        return f"caption {number} has {text!r} for a text; remove it, or write what is said"
    for field, value, seconds in zip(_FIELDS, values, span, strict=False):
        if not np.isfinite(seconds):
            must = "which must be a finite number of seconds"
            return f"caption {number} has {value!r:.80} for its {field}, {must}"
    return f"caption {number} ends at {span[1]} s, before it starts at {span[0]} s"


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


def _said(texts: list[Any]) -> tuple[Sequence[int], list[Any]]:
    """Return what stands where texts should, and the number of the caption that each is of."""
    if set(map(type, texts)) <= {str}:
        return range(len(texts)), texts
    entries = [(number, item) for number, text in enumerate(texts) for item in _items(text)]
    return [number for number, _ in entries], [item for _, item in entries]


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


def _seconds(values: list[Any], numbers: Sequence[int]) -> NDArray[np.float64]:
    """Return the times of captions, NaN where they are not numbers."""
    if not isinstance(numbers, range):
        values = [values[number] for number in numbers]
    try:
        seconds = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        seconds = np.array([_float(value) for value in values])
    if seconds.ndim > 1:  # lists of one number each
        seconds = np.full(len(values), np.nan)
    return seconds


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
