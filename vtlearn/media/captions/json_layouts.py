"""The layouts of JSON that the transcript of one video comes in, by what tells them.

HowTo100M's are three parallel lists. Speech recognition writes segments (openai-whisper, WhisperX,
faster-whisper), a transcription (whisper.cpp) or chunks (Hugging Face); of YouTube there are events
(yt-dlp's json3), and a list of texts (youtube-transcript-api).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from vtlearn.errors import MetadataError, TranscriptError
from vtlearn.media.captions.whisperx import whisperx_columns

__all__: list[str] = []

Columns = Mapping[str, Any]
_METADATA = frozenset(("id", "_type", "extractor", "webpage_url"))
_NOTHING: Columns = MappingProxyType({"start": [], "end": [], "text": []})


def json_columns(content: Any) -> Columns:
    """Turn what a JSON file holds into the lists that HowTo100M's captions have.

    Args:
        content: What the file holds.

    Returns:
        ``start``, ``end`` and ``text``, one entry per caption; None stands for what is missing.
        There is none in an empty object or list.

    Raises:
        MetadataError: If it is what yt-dlp writes about a video.
        TranscriptError: If it is in none of the layouts; it lists them.

    Example:
        >>> json_columns([{"text": "so we", "start": 0.1, "duration": 0.2}])
        {'start': [0.1], 'end': [0.3], 'text': ['so we']}
    """
    if content == {}:
        return _NOTHING
    if isinstance(content, list):
        return _list_columns(content)
    if not isinstance(content, Mapping):
        raise _unknown(type(content).__name__)
    if {"start", "end", "text"} <= content.keys():
        return content
    for key, columns_of in LAYOUTS.items():
        if key in content:
            return _timed(content, key, columns_of(content))
    if "title" in content and not _METADATA.isdisjoint(content):
        message = "it is metadata of a video, and holds no captions; give a transcript of it"
        raise MetadataError(message)
    raise _unknown(sorted(map(str, content)))


def _timed(content: Columns, key: str, columns: Columns) -> Columns:
    """Refuse text as a whole without any of its times."""
    text = content.get("text")
    if not columns["text"] and isinstance(text, str) and text.strip():
        message = f"it has text, {text[:80]!r}, and no times: {key} has none of it"
        raise TranscriptError(message)
    return columns


def _unknown(held: object) -> TranscriptError:
    message = (
        f"captions need the lists start, end and text, but these are {held!s:.200}; read as well "
        "are segments of openai-whisper and WhisperX, whisper.cpp's transcription, Hugging Face's "
        "chunks, youtube-transcript-api's list, and yt-dlp's json3"
    )
    return TranscriptError(message)


def _list_columns(content: list[Any]) -> Columns:
    """Read youtube-transcript-api's list, or one of segments, alone or in another list."""
    if len(content) == 1 and isinstance(content[0], list):
        content = content[0]
    if not all(isinstance(each, Mapping) and "text" in each for each in content):
        raise _unknown(type(content).__name__)
    if not any("duration" in each for each in content):
        return whisperx_columns({"segments": content})
    ends = [_sum(each.get("start"), each.get("duration")) for each in content]
    return {**whisperx_columns({"segments": content}), "end": ends}


def _event_columns(content: Columns) -> Columns:
    """Read YouTube's events, which have text in pieces, and windows without."""
    events = [each for each in _mappings(content, "events") if _pieces(each)]
    texts = ["".join(_pieces(event)) for event in events]
    said = [(event, text) for event, text in zip(events, texts, strict=True) if text.strip()]
    starts = [event.get("tStartMs", 0) for event, _ in said]  # protocol buffers leave zeros out
    lengths = [event.get("dDurationMs") for event, _ in said]
    return {
        "start": [_seconds(start) for start in starts],
        "end": [_seconds(_sum(*times)) for times in zip(starts, lengths, strict=True)],
        "text": [" ".join(text.split()) for _, text in said],
    }


def _pieces(event: Columns) -> list[str]:
    segments = event.get("segs")
    pieces = segments if isinstance(segments, list) else []
    texts = [piece.get("utf8") for piece in pieces if isinstance(piece, Mapping)]
    return [text for text in texts if isinstance(text, str)]


def _transcription_columns(content: Columns) -> Columns:
    """Read what whisper.cpp writes: milliseconds."""
    entries = _mappings(content, "transcription")
    offsets = [entry.get("offsets") for entry in entries]
    spans = [each if isinstance(each, Mapping) else {} for each in offsets]
    return {
        "start": [_seconds(span.get("from")) for span in spans],
        "end": [_seconds(span.get("to")) for span in spans],
        "text": [_stripped(entry.get("text")) for entry in entries],
    }


def _chunk_columns(content: Columns) -> Columns:
    """Read what Hugging Face's pipeline gives; an end that it does not know is the start."""
    chunks = _mappings(content, "chunks")
    pairs = [_pair(chunk.get("timestamp")) for chunk in chunks]
    return {
        "start": [start for start, _ in pairs],
        "end": [start if end is None else end for start, end in pairs],
        "text": [_stripped(chunk.get("text")) for chunk in chunks],
    }


def _pair(times: Any) -> Sequence[Any]:
    return times if isinstance(times, list) and len(times) == 2 else (None, None)


LAYOUTS: Mapping[str, Callable[[Columns], Columns]] = MappingProxyType(
    {
        "segments": whisperx_columns,
        "events": _event_columns,
        "transcription": _transcription_columns,
        "chunks": _chunk_columns,
        "snippets": lambda content: _list_columns(_mappings(content, "snippets")),
    }
)
"""By the key of an object that holds its captions."""


def _mappings(content: Columns, key: str) -> list[Columns]:
    entries = content[key]
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) for each in entries):
        message = f"{key} must be a list of mappings"
        raise TranscriptError(message)
    return entries


def _stripped(text: Any) -> Any:
    return text.strip() if isinstance(text, str) else text


def _sum(start: Any, length: Any) -> Any:
    """Add decimals as they are written, so that 0.1 and 0.2 are 0.3; None where one is none."""
    try:
        return float(Decimal(str(start)) + Decimal(str(length)))
    except (InvalidOperation, OverflowError):
        return None


def _seconds(milliseconds: Any) -> Any:
    """Turn milliseconds into seconds; None where they are not numbers."""
    if not isinstance(milliseconds, (int, float)):
        return None
    try:
        return milliseconds / 1000
    except OverflowError:
        return None
