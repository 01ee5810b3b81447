"""Read the captions of a video, in whichever layout they come.

The layouts: HowTo100M's JSON and csv, WhisperX's JSON, SRT, WebVTT, TTML, and YouTube's own XML.
Nothing is repaired, and nothing left out in silence: what cannot be a caption is counted, with its
line and the reason, and a file with too many of them is refused.
"""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import (
    MAX_BAD_CUES,
    Caption,
    Track,
    Transcript,
    as_track,
    dedupe_rolling,
    require_most,
    validate_captions,
)
from vtlearn.media.captions.rows import read_rows
from vtlearn.media.captions.subtitles import parse_srt, parse_webvtt
from vtlearn.media.captions.timed_text import parse_timed_text
from vtlearn.media.captions.whisperx import whisperx_columns

__all__ = ["Caption", "read_transcript"]

SUFFIXES = (".json", ".csv", ".vtt", ".srt", ".ttml", ".dfxp", ".srv3", ".srv2", ".srv1")
"""Of the files that can be read, those with most to tell first."""


def read_transcript(
    path: str | Path, *, rolling: bool | None = None, max_bad_cues: float = MAX_BAD_CUES
) -> Transcript:
    """Read the captions of one video.

    Args:
        path: A ``.json`` file ``{"start": [...], "end": [...], "text": [...]}`` or WhisperX's
            ``{"segments": [...]}``; a ``.csv`` file with the columns ``start,end,text`` (others,
            and spaces after commas, are ignored); or ``.srt``, ``.vtt``, ``.ttml``, ``.dfxp``,
            ``.srv1``, ``.srv2``, ``.srv3``.
        rolling: Whether captions repeat what the one before still showed, which is then taken
            away (see :func:`~vtlearn.media.captions.dedupe_rolling`). None: in WebVTT that shows
            the two lines of YouTube's automatic captions; elsewhere no.
        max_bad_cues: The share of the file's captions that may be unreadable: those are left out,
            and are the list's ``skipped``, each with its line and the reason.

    Returns:
        The captions, sorted by their start; of equal ones the order stays.

    Raises:
        TranscriptError: If the file cannot be read, holds no caption, or more unreadable ones than
            ``max_bad_cues`` allows; it names the first.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "nVbIUDjzWY4.json")
        ...     _ = file.write_text('{"start": [4.13], "end": [6.5], "text": ["so we"]}')
        ...     read_transcript(file)
        [Caption(start=4.13, end=6.5, text='so we')]
    """
    path = Path(path)
    with _naming(path):
        track = read_track(path, rolling=rolling, max_bad_cues=max_bad_cues)
        return _some(track.transcript())


def read_track(
    path: Path, *, rolling: bool | None = None, max_bad_cues: float = MAX_BAD_CUES
) -> Track:
    """Read the captions of one video as arrays.

    Args:
        path: A file that :func:`read_transcript` reads.
        rolling: As there.
        max_bad_cues: As there.

    Returns:
        The captions; there may be none.

    Raises:
        TranscriptError: If the file cannot be read, or too many of its captions. It does not say
            of which file.
    """
    track = require_most(_parsed(path, rolling), max_bad_cues)
    if rolling and path.suffix.lower() != ".vtt":
        return as_track(Transcript(dedupe_rolling(track.captions()), track.skipped))
    return track


def _parsed(path: Path, rolling: bool | None) -> Track:
    """Read a file in the layout that its name ends in."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message = f"its name ends in none of {', '.join(SUFFIXES)}"
        raise TranscriptError(message)
    if suffix == ".json":
        content = _json(path)
        is_whisperx = isinstance(content, Mapping) and "segments" in content
        columns = whisperx_columns(content) if is_whisperx else content
        return validate_captions(columns, leave_out=True)
    if suffix == ".csv":
        return validate_captions(_csv(path), leave_out=True)
    if suffix == ".vtt":
        return as_track(parse_webvtt(_text(path), rolling=rolling))
    if suffix == ".srt":
        return as_track(parse_srt(_text(path)))
    return as_track(Transcript(parse_timed_text(_bytes(path))))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TranscriptError(str(error.strerror)) from error


def _text(path: Path) -> str:
    content = _bytes(path)
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeError as error:
        message = "it is not UTF-8; save it as UTF-8"
        raise TranscriptError(message) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        message = f"it is not valid JSON: {error}"
        raise TranscriptError(message) from error


def _csv(path: Path) -> dict[str, list[Any]]:
    """Turn rows under a header into columns; None stands where a row is too short."""
    try:
        rows = [row for _, row in read_rows(io.StringIO(_text(path)))]
    except csv.Error as error:
        message = f"it is not a valid csv: {error}"
        raise TranscriptError(message) from error
    header, *body = rows or [[]]
    return {
        name.strip(): [row[i] if i < len(row) else None for row in body]
        for i, name in enumerate(header)
    }


def _some(captions: Transcript) -> Transcript:
    if not captions:
        message = "it holds no caption; leave its video out"
        raise TranscriptError(message)
    return captions


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except TranscriptError as error:
        message = f"{path} cannot be read as captions: {error}"
        raise TranscriptError(message) from error
