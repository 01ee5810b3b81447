"""Which of a captioner's sentences are dropped before they are scored, and why."""

import re
from enum import StrEnum

__all__: list[str] = []

_FEWEST_WORDS = 3
_LONGEST_LOOP = 3  # words of what is said again and again
_TIMES = 3
_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


class Dropped(StrEnum):
    """Why a window, or a sentence of it, is not there."""

    EMPTY = "empty"
    SHORT = "under 3 words"
    LOOPING = "looping"
    UNSCORED = "without a finite score"


def normalize(text: str) -> str:
    r"""Put a sentence on one line, with single spaces.

    Args:
        text: As a captioner wrote it.

    Example:
        >>> normalize(" a man\nchops  a carrot ")
        'a man chops a carrot'
    """
    return " ".join(text.split())


def why_dropped(text: str) -> Dropped | None:
    """Tell what is wrong with a sentence, if anything.

    Args:
        text: A sentence.

    Returns:
        That it is empty, has under 3 words, or says 1 to 3 words three times running; None where it
        is kept.

    Example:
        >>> why_dropped("a man chops a carrot") is None
        True
        >>> str(why_dropped("a pan and a pan and a pan and a pan"))
        'looping'
    """
    words = _WORD.findall(text.lower())
    if not words:
        return Dropped.EMPTY
    if len(words) < _FEWEST_WORDS:
        return Dropped.SHORT
    return Dropped.LOOPING if any(_loops(words, n) for n in range(1, _LONGEST_LOOP + 1)) else None


def _loops(words: list[str], size: int) -> bool:
    """Tell whether so many words in a row come three times running."""
    length = size * _TIMES
    runs = (words[first : first + length] for first in range(len(words) - length + 1))
    return any(run == run[:size] * _TIMES for run in runs)
