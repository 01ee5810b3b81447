"""Read the captions of a video, in whichever layout they come.

The layouts: HowTo100M's JSON and csv, WhisperX's JSON, SRT, WebVTT, TTML, and YouTube's own XML.
Nothing is repaired or left out in silence: what cannot be a caption is an error that names it.
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
from vtlearn.media.captions.caption import Caption, Track, dedupe_rolling, validate_captions
from vtlearn.media.captions.rows import read_rows
from vtlearn.media.captions.subtitles import parse_srt, parse_webvtt
from vtlearn.media.captions.timed_text import parse_timed_text
from vtlearn.media.captions.whisperx import whisperx_columns

__all__ = ["Caption", "read_transcript"]

SUFFIXES = (".json", ".csv", ".vtt", ".srt", ".ttml", ".dfxp", ".srv3", ".srv2", ".srv1")
"""Of the files that can be read, those with most to tell first."""


def read_transcript(path: str | Path, *, rolling: bool | None = None) -> list[Caption]:
    """Read the captions of one video.

    Args:
        path: A ``.json`` file ``{"start": [...], "end": [...], "text": [...]}`` or WhisperX's
            ``{"segments": [...]}``; a ``.csv`` file with the columns ``start,end,text`` (others,
            and spaces after commas, are ignored); or ``.srt``, ``.vtt``, ``.ttml``, ``.dfxp``,
            ``.srv1``, ``.srv2``, ``.srv3``.
        rolling: Whether captions repeat what the one before still showed, which is then taken
            away (see :func:`~vtlearn.media.captions.dedupe_rolling`). None: in WebVTT that shows
            the two lines of YouTube's automatic captions; elsewhere no.

    Returns:
        The captions, sorted by their start; of equal ones the order stays.

    Raises:
        TranscriptError: If the file cannot be read, holds no caption, or one that is none.

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
        return _some(read_track(path, rolling=rolling).captions())


def read_track(path: Path, *, rolling: bool | None = None, leave_out: bool = False) -> Track:
    """Read the captions of one video as arrays.

    Args:
        path: A file that :func:`read_transcript` reads.
        rolling: As there.
        leave_out: Leave out and count captions whose text is not a string, instead of raising.

    Returns:
        The captions; there may be none.

    Raises:
        TranscriptError: If the file cannot be read, or a caption is none. It does not say of
            which file.
    """
    track = validate_captions(_columns(path, rolling), leave_out=leave_out)
    if rolling and path.suffix.lower() != ".vtt":
        return validate_captions(_as_columns(dedupe_rolling(track.captions())))._replace(
            left_out=track.left_out
        )
    return track


def _columns(path: Path, rolling: bool | None) -> Any:
    """Read a file into the lists start, end and text."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message = f"its name ends in none of {', '.join(SUFFIXES)}"
        raise TranscriptError(message)
    if suffix == ".json":
        content = _json(path)
        is_whisperx = isinstance(content, Mapping) and "segments" in content
        return whisperx_columns(content) if is_whisperx else content
    if suffix == ".csv":
        return _csv(path)
    if suffix == ".vtt":
        return _as_columns(parse_webvtt(_text(path), rolling=rolling))
    if suffix == ".srt":
        return _as_columns(parse_srt(_text(path)))
    return _as_columns(parse_timed_text(_bytes(path)))


def _as_columns(captions: list[Caption]) -> dict[str, list[Any]]:
    return {field: [getattr(each, field) for each in captions] for field in Caption._fields}


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


def _some(captions: list[Caption]) -> list[Caption]:
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
