"""Read the captions of a video, in whichever layout they come.

One table says which parser reads which suffix; of JSON, :mod:`json_layouts` has another, by what
the file holds. Nothing is repaired, and nothing left out in silence: what cannot be a caption is
counted, with its line and the reason, and a file with too many of them is refused.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import MetadataError, TranscriptError, UnreadableVideoError
from vtlearn.media.captions.caption import (
    MAX_BAD_CUES,
    Caption,
    Skipped,
    Track,
    Transcript,
    as_track,
    dedupe_rolling,
    no_captions,
    require_most,
    validate_captions,
)
from vtlearn.media.captions.encoding import decode_text
from vtlearn.media.captions.json_layouts import json_columns
from vtlearn.media.captions.pysubs2_formats import (
    parse_microdvd,
    parse_sami,
    parse_substation,
    sami_language,
)
from vtlearn.media.captions.rows import delimiter_of, read_rows, rejoined
from vtlearn.media.captions.subtitles import parse_sbv, parse_srt, parse_webvtt
from vtlearn.media.captions.timed_text import parse_timed_text
from vtlearn.media.captions.told_language import json_language, ttml_language, webvtt_language
from vtlearn.media.ids import VIDEO_SUFFIXES
from vtlearn.media.video.probing import probe
from vtlearn.unicode import parse_json

__all__ = ["Caption", "read_transcript"]

_MICRODVD = re.compile(r"^[ \t]*\{\d+\}\{\d*\}", re.MULTILINE)
_SHORTEST = 100  # milliseconds of a caption
_TIME_BUDGET = 60.0  # seconds that opening a video may take
_CHAT = re.compile(r"\{[^\n]{0,999}\"replayChatItemAction\"")  # a line of yt-dlp's .live_chat.json
_BLANK = 64  # bytes; a file of more is not looked through for text that is not there


def read_transcript(
    path: str | Path,
    *,
    rolling: bool | None = None,
    max_bad_cues: float = MAX_BAD_CUES,
    fps: float | None = None,
) -> Transcript:
    """Read the captions of one video.

    Args:
        path: A ``.json`` file ``{"start": [...], "end": [...], "text": [...]}`` or in one of the
            layouts of WhisperX, openai-whisper, whisper.cpp, Hugging Face's pipeline,
            youtube-transcript-api and yt-dlp (``.json3``); a ``.csv`` file with the columns
            ``start``, ``end`` and ``text`` in any case, with commas or semicolons (others, and
            spaces after them, are ignored); openai-whisper's ``.tsv``; or ``.srt``, ``.vtt``,
            ``.sbv``, ``.ttml``, ``.dfxp``, ``.srv1``, ``.srv2``, ``.srv3``, ``.ass``, ``.ssa``,
            ``.smi``, ``.sami``, or ``.sub`` (MicroDVD).
        rolling: Whether captions repeat what the one before still showed, which is then taken
            away (see :func:`~vtlearn.media.captions.dedupe_rolling`). None: in WebVTT that shows
            the two lines of YouTube's automatic captions; elsewhere no.
        max_bad_cues: The share of the file's captions that may be unreadable: those are left out,
            and are the list's ``skipped``, each with its line and the reason.
        fps: Frames per second of the video, for times in frames (``.sub``) that do not say; None:
            those of the video of the same name beside it.

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
        track = read_track(path, rolling=rolling, max_bad_cues=max_bad_cues, fps=fps)
        return _some(track.transcript())


def read_track(
    path: Path,
    *,
    rolling: bool | None = None,
    max_bad_cues: float = MAX_BAD_CUES,
    fps: float | None = None,
) -> Track:
    """Read the captions of one video as arrays.

    Args:
        path: A file that :func:`read_transcript` reads.
        rolling: As there.
        max_bad_cues: As there.
        fps: As there.

    Returns:
        The captions; there are none in a file of a header only, or of nothing at all, in any
        format.

    Raises:
        TranscriptError: If the file cannot be read, or too many of its captions, or none of what it
            holds is a caption. It does not say of which file.
    """
    suffix = path.suffix.lower()
    if suffix not in PARSERS:
        message = f"its name ends in none of {', '.join(SUFFIXES)}"
        raise TranscriptError(message)
    if _is_blank(path):
        return no_captions()
    track = _without_pictures(PARSERS[suffix](_File(path, rolling, fps)))
    require_most(track, max_bad_cues)
    if rolling and suffix != ".vtt":
        deduped = as_track(Transcript(dedupe_rolling(track.captions()), track.skipped))
        return deduped._replace(language=track.language)
    return track


class _File(NamedTuple):
    """What parsers are given.

    Attributes:
        path: The file.
        rolling: Whether its captions are said to repeat each other.
        fps: Frames per second of the video, where that is known.
    """

    path: Path
    rolling: bool | None = None
    fps: float | None = None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TranscriptError(str(error.strerror)) from error


def _is_blank(path: Path) -> bool:
    """Tell whether a file says nothing at all; one with a header or anything else does."""
    try:
        return (
            path.stat().st_size <= _BLANK and not _bytes(path).removeprefix(codecs.BOM_UTF8).strip()
        )
    except OSError as error:
        raise TranscriptError(str(error.strerror)) from error


def _text(path: Path) -> str:
    return decode_text(_bytes(path), path)


def _json(path: Path) -> Any:
    text = _text(path)
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        if _CHAT.match(text):
            message = "it is what viewers wrote during a live video, and holds no captions"
            raise MetadataError(message) from error
        message = f"it is not valid JSON: {error}"
        raise TranscriptError(message) from error


def _json_track(file: _File) -> Track:
    content = _json(file.path)
    track = validate_captions(json_columns(content), leave_out=True)
    return track._replace(language=json_language(content))


def _csv_track(file: _File) -> Track:
    """Turn rows under a header into columns; None stands where a row is too short."""
    lines = io.StringIO(_text(file.path), newline="")
    delimiter = delimiter_of(lines.readline())
    lines.seek(0)
    try:
        rows = list(read_rows(lines, delimiter))
    except csv.Error as error:
        message = f"it is not a valid csv: {error}"
        raise TranscriptError(message) from error
    return _row_track(rows, delimiter)


def _tsv_track(file: _File) -> Track:
    """Read openai-whisper's table, which has no quotes, and whole milliseconds for times."""
    lines = enumerate(_text(file.path).splitlines(), 1)
    rows = [(number, line.split("\t")) for number, line in lines if line.strip()]
    track = _row_track(rows, "\t")
    return track._replace(spans=track.spans / 1000) if _in_milliseconds(track.spans) else track


def _in_milliseconds(spans: NDArray[np.float64]) -> bool:
    """Tell from most captions: seconds mostly have fractions, and no caption lasts 100 of them."""
    if not len(spans):
        return False
    whole = float(np.mean(spans == np.floor(spans)))
    return whole > 0.5 and float(np.median(spans[:, 1] - spans[:, 0])) >= _SHORTEST


def _row_track(rows: list[tuple[int, list[str]]], delimiter: str) -> Track:
    """Read rows with the line of each; with no commas between cells numbers may have some."""
    (_, header), *body = rows or [(1, [])]
    body = [(line, rejoined(row, header, delimiter)) for line, row in body]
    columns: dict[str, list[str | None]] = {
        name.strip().lower(): [row[i] if i < len(row) else None for _, row in body]
        for i, name in enumerate(header)
    }
    if delimiter != ",":
        for field in ("start", "end"):
            cells = columns.get(field, [])
            columns[field] = [cell and cell.replace(",", ".") for cell in cells]
    track = validate_captions(columns, leave_out=True)
    lines = [line for line, _ in body]
    skipped = [Skipped(lines[at], f"line {lines[at]}: {why}") for at, why in track.skipped]
    return track._replace(skipped=skipped)


def _text_track(
    parse: Callable[[str], Transcript],
    file: _File,
    *,
    language_of: Callable[[str], str] | None = None,
) -> Track:
    """Read subtitles by what they hold, or else as their name says."""
    text = _text(file.path)
    first = text.lstrip()
    if first.startswith("WEBVTT"):
        track = as_track(parse_webvtt(first, rolling=file.rolling))
        return track._replace(language=webvtt_language(first))
    if "-->" not in text and _MICRODVD.search(text):
        return _microdvd_track(file, text)
    return as_track(parse(text))._replace(language=language_of(text) if language_of else "")


def _microdvd_track(file: _File, text: str) -> Track:
    try:
        return as_track(parse_microdvd(text, file.fps))
    except TranscriptError:
        fps = _rate_beside(file.path)
        if fps is None:
            raise
        return as_track(parse_microdvd(text, fps))


def _rate_beside(path: Path) -> float | None:
    """Return the frames per second of the video of the same name beside a transcript."""
    for suffix in VIDEO_SUFFIXES:
        video = path.with_suffix(suffix)
        if video.is_file():
            found = probe(video, _TIME_BUDGET)
            return None if isinstance(found, UnreadableVideoError) else found.fps
    return None


def _timed_text_track(file: _File) -> Track:
    content = _bytes(file.path)
    try:
        return _timed_text(content)
    except TranscriptError:
        try:
            content.decode()
        except UnicodeDecodeError:  # in an encoding that it does not declare
            return _timed_text(decode_text(content, file.path))
        raise


def _timed_text(content: bytes | str) -> Track:
    return as_track(parse_timed_text(content))._replace(language=ttml_language(content))


_SSA = partial(parse_substation, kind="ssa")
_SAMI = partial(_text_track, parse_sami, language_of=sami_language)

PARSERS: Mapping[str, Callable[[_File], Track]] = MappingProxyType(
    {
        ".json": _json_track,
        ".json3": _json_track,
        ".csv": _csv_track,
        ".tsv": _tsv_track,
        ".vtt": partial(_text_track, parse_webvtt),
        ".srt": partial(_text_track, parse_srt),
        ".sbv": partial(_text_track, parse_sbv),
        ".ttml": _timed_text_track,
        ".dfxp": _timed_text_track,
        ".srv3": _timed_text_track,
        ".srv2": _timed_text_track,
        ".srv1": _timed_text_track,
        ".ass": partial(_text_track, parse_substation),
        ".ssa": partial(_text_track, _SSA),
        ".smi": _SAMI,
        ".sami": _SAMI,
        ".sub": partial(_text_track, parse_sbv),
    }
)
"""What reads a file, by the end of its name; those with most to tell first."""

SUFFIXES = tuple(PARSERS)
"""Of the files that can be read, in the order of :data:`PARSERS`."""

_PICTURE = re.compile(r"\S+\.(?:jpe?g|png|webp|gif|bmp|avif)(?:[?#]\S*)?", re.IGNORECASE)


def _without_pictures(track: Track) -> Track:
    """Leave out the names of pictures, which players show while a viewer looks for a place."""
    pictures = [place for place, text in enumerate(track.texts) if _PICTURE.fullmatch(text)]
    if not pictures:
        return track
    texts = track.texts
    kept = sorted(set(range(len(texts))) - set(pictures))
    found = [Skipped(n, f"caption {n} names a picture: {texts[n][:80]!r}") for n in pictures]
    skipped = [*track.skipped, *found]
    return track._replace(spans=track.spans[kept], texts=[texts[n] for n in kept], skipped=skipped)


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
