"""Make sentences of what speech recognition cut anywhere.

Home-made although pysbd and nltk split text into sentences: they know no times, and what has no
punctuation is split at its pauses here.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import Caption

__all__ = ["sentences"]

_CLOSING = r"[\"')\]\u2019\u201d\u00bb]*"  # quotes and brackets
_END = re.compile(rf".*[.!?\u2026\u3002\uff01\uff1f]{_CLOSING}")  # Chinese and Japanese too
_NO_END = re.compile(r"\W*(?:(?i:mr|mrs|ms|dr|st|vs|approx|e\.g|i\.e)|[A-Z])\.")
_PERHAPS = re.compile(
    rf"(?:.*(?:\.\.|\u2026)|\W*(?:\w\.){{2,}}){_CLOSING}"
)  # unless it goes on in lower case


def sentences(
    captions: Iterable[Caption], *, pause: float = 0.7, max_words: int = 30
) -> list[Caption]:
    """Split and join captions so that each is a sentence.

    A sentence ends at a full stop, question or exclamation mark, wherever in a caption that is.
    What has no such mark at its end, or more than ``max_words`` words, is split at pauses; what is
    still longer, near its middle, where the speaker hesitates longest.

    The words stay as they are, in their order, and no sentence overlaps the next. Where captions
    are single words, the times are exact. Elsewhere a caption is taken to be spoken evenly, letter
    by letter, until it ends or the next one starts, and pauses are those between captions.

    Args:
        captions: Captions or words of one video, which do not repeat each other (rolling ones:
            :func:`~vtlearn.media.captions.dedupe_rolling`).
        pause: Seconds of silence that end a sentence that has no mark.
        max_words: The most words a sentence has; from 1.

    Returns:
        The sentences, sorted by their start.

    Raises:
        ArgumentError: If ``pause`` is not positive, or ``max_words`` is less than 1.

    Example:
        >>> said = [Caption(0.0, 4.0, "Wash it. Chop"), Caption(4.0, 6.0, "the onion.")]
        >>> for sentence in sentences(said):
        ...     print(sentence)
        Caption(start=0.0, end=2.5714285714285716, text='Wash it.')
        Caption(start=2.5714285714285716, end=6.0, text='Chop the onion.')
    """
    if not pause > 0 or max_words < 1:
        message = (
            f"sentences cannot have pause={pause}, which must be positive, "
            f"and max_words={max_words}, 1 or more"
        )
        raise ArgumentError(message)
    return [
        Caption(part[0].start, part[-1].end, " ".join(word.text for word in part))
        for run in _runs(_words(captions))
        for part in _parts(run, pause, max_words)
    ]


def _words(captions: Iterable[Caption]) -> list[Caption]:
    """Give each word its time, in order and without overlaps."""
    spoken = sorted((each for each in captions if each.text.strip()), key=lambda each: each.start)
    stops = [caption.start for caption in spoken[1:]] + [float("inf")]
    return [
        word
        for caption, stop in zip(spoken, stops, strict=False)
        for word in _spoken_evenly(caption, max(caption.start, min(caption.end, stop)))
    ]


def _spoken_evenly(caption: Caption, end: float) -> list[Caption]:
    texts = caption.text.split()
    letters = sum(len(text) + 1 for text in texts)
    times, said = [caption.start], 0
    for text in texts[:-1]:
        said += len(text) + 1
        times.append(min(end, caption.start + (end - caption.start) * said / letters))
    return list(map(Caption, times, [*times[1:], end], texts))


def _runs(words: Sequence[Caption]) -> list[Sequence[Caption]]:
    """Split words after those that end a sentence."""
    ends = [
        index
        for index, (word, after) in enumerate(pairwise(words), 1)
        if _ends_sentence(word.text, after.text)
    ]
    runs = [words[start:end] for start, end in pairwise([0, *ends, len(words)])]
    return [run for run in runs if run]


def _ends_sentence(word: str, after: str) -> bool:
    if not _END.fullmatch(word) or _NO_END.fullmatch(word):
        return False
    return not (_PERHAPS.fullmatch(word) and after[:1].islower())


def _parts(run: Sequence[Caption], pause: float, max_words: int) -> list[Sequence[Caption]]:
    if len(run) <= max_words and _ends_sentence(run[-1].text, ""):
        return [run]
    gaps = [after.start - word.end for word, after in pairwise(run)]
    cuts = [index for index, gap in enumerate(gaps, 1) if gap >= pause]
    parts = [run[start:end] for start, end in pairwise([0, *cuts, len(run)])]
    return [short for part in parts for short in _short(part, max_words)]


def _short(part: Sequence[Caption], max_words: int) -> list[Sequence[Caption]]:
    """Halve what is too long, where the gap is longest, not far from its middle."""
    if len(part) <= max_words:
        return [part]
    middle, quarter = len(part) / 2, len(part) // 4
    candidates = range(max(1, quarter), len(part) - quarter)
    cut = max(
        candidates,
        key=lambda index: (part[index].start - part[index - 1].end, -abs(index - middle)),
    )
    return [*_short(part[:cut], max_words), *_short(part[cut:], max_words)]
