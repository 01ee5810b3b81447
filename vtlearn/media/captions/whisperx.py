"""Read what WhisperX writes: segments of speech, most of them with the times of their words."""

from collections.abc import Mapping
from itertools import groupby, islice
from typing import Any

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, validate_captions

__all__ = ["whisperx_columns", "whisperx_words"]


def whisperx_columns(content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Turn segments into the lists that HowTo100M's captions have.

    Args:
        content: What the file holds, with its list ``segments``. The release for HowTo100M has
            the English translation there where another language is spoken; the speech itself is
            then in ``segments_native``, which is not read.

    Returns:
        ``start``, ``end`` and ``text``, one entry a segment; None stands for what is missing.

    Raises:
        TranscriptError: If these are no segments.

    Example:
        >>> whisperx_columns({"segments": [{"start": 0.5, "end": 2.0, "text": " So we"}]})
        {'start': [0.5], 'end': [2.0], 'text': ['So we']}
    """
    return _columns(content.get("segments"), "segments", "text")


def whisperx_words(content: Mapping[str, Any]) -> list[Caption]:
    """Read the times of single words.

    Args:
        content: What the file holds, with its list ``segments``.

    Returns:
        The words as captions, sorted by their start; whole segments where they have none. Words
        that WhisperX gave no time (numbers, mostly) stand together in one caption that lasts from
        the word before to the word after, within their segment.

    Raises:
        TranscriptError: If a segment or a word cannot be what it claims.

    Example:
        >>> words = [{"word": "add", "start": 1.0, "end": 1.5}, {"word": "200"}]
        >>> segment = {"start": 1.0, "end": 3.0, "text": "add 200", "words": words}
        >>> whisperx_words({"segments": [segment]})
        [Caption(start=1.0, end=1.5, text='add'), Caption(start=1.5, end=3.0, text='200')]
    """
    segments = content.get("segments")
    whole = validate_captions(_columns(segments, "segments", "text"))  # says which segment is none
    if not any(segment.get("words") for segment in segments or []):
        return whole.captions()
    pieces = [piece for segment in segments or [] for piece in _pieces(segment)]
    return sorted(pieces, key=lambda piece: piece.start)


def _pieces(segment: Mapping[str, Any]) -> list[Caption]:
    """Return a segment's words, and runs of words without times as one piece."""
    start, end = float(segment["start"]), float(segment["end"])
    words = segment.get("words")
    if not words:
        return [Caption(start, end, segment["text"].strip())]
    texts = _columns(words, "words", "word")["text"]
    if not all(isinstance(text, str) for text in texts):
        message = f"the segment at {start} s has words that are no text: {texts}"
        raise TranscriptError(message)
    timed = [word for word in words if _is_timed(word)]
    captions = iter(validate_captions(_columns(timed, "words", "word")).captions())
    pieces: list[Caption] = []
    for is_timed, run in groupby(words, key=_is_timed):
        said = [word["word"].strip() for word in run]
        before = pieces[-1].end if pieces else start
        if is_timed:
            pieces += islice(captions, len(said))
        else:
            pieces.append(Caption(before, end, " ".join(said)))
    # What has no time ends where the next word begins.
    following = [piece.start for piece in pieces[1:]] + [end]
    return [
        piece._replace(end=max(piece.start, min(piece.end, after)))
        for piece, after in zip(pieces, following, strict=True)
    ]


def _is_timed(word: Mapping[str, Any]) -> bool:
    return word.get("start") is not None and word.get("end") is not None


def _columns(entries: Any, name: str, text_key: str) -> dict[str, list[Any]]:
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) for each in entries):
        message = f"{name} must be a list of mappings with start, end and {text_key}"
        raise TranscriptError(message)
    texts = [entry.get(text_key) for entry in entries]
    return {
        "start": [entry.get("start") for entry in entries],
        "end": [entry.get("end") for entry in entries],
        "text": [text.strip() if isinstance(text, str) else text for text in texts],
    }
