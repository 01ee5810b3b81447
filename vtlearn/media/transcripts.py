"""Read captions with their times, in the layouts that HowTo100M's captions are published in.

Times are float seconds, a caption covers ``start`` up to but not including ``end``, and nothing is
repaired or left out in silence: what cannot be a caption is an error that names it.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import TranscriptError

__all__ = ["Caption", "read_captions", "read_transcript"]

_FIELDS = ("start", "end", "text")


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


def read_transcript(path: str | Path) -> list[Caption]:
    """Read the captions of one video.

    Args:
        path: A ``.json`` file ``{"start": [...], "end": [...], "text": [...]}``, or a ``.csv`` file
            with the columns ``start,end,text`` (others, and spaces after commas, are ignored).

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
    if path.suffix not in {".json", ".csv"}:
        message = f"{path} is neither a .json nor a .csv file, the transcripts that can be read"
        raise TranscriptError(message)
    columns = _read_json(path) if path.suffix == ".json" else _read_csv(path)
    captions = _captions(str(path), columns)
    if not captions:
        message = f"{path} holds no caption; leave its video out"
        raise TranscriptError(message)
    return captions


def read_captions(path: str | Path) -> dict[str, list[Caption]]:
    """Read the captions of many videos from one file.

    Args:
        path: A JSON file ``{video id: {"start": [...], "end": [...], "text": [...]}}``, such as
            HowTo100M's ``raw_caption.json`` and ``caption.json``.

    Returns:
        The captions of each video, sorted by their start; none for a video without any.

    Raises:
        TranscriptError: If the file cannot be read, or a caption is none.
    """
    path = Path(path)
    videos = _read_json(path)
    if not isinstance(videos, dict):
        message = f"{path} must map video ids to captions, but holds a {type(videos).__name__}"
        raise TranscriptError(message)
    return {
        video: _captions(f"{path}, video {video}", columns) for video, columns in videos.items()
    }


def _captions(where: str, columns: Any) -> list[Caption]:
    """Check and sort what a file gives as parallel lists."""
    if not isinstance(columns, Mapping) or any(field not in columns for field in _FIELDS):
        held = sorted(columns) if isinstance(columns, Mapping) else type(columns).__name__
        message = f"{where}: captions need the lists start, end and text, but these are {held}"
        raise TranscriptError(message)
    lists = [columns[field] for field in _FIELDS]
    if not all(isinstance(values, list) for values in lists):
        message = f"{where}: start, end and text must be lists"
        raise TranscriptError(message)
    lengths = [len(values) for values in lists]
    if len(set(lengths)) > 1:
        message = f"{where}: start, end and text differ in length: {lengths}"
        raise TranscriptError(message)
    captions = [_caption(where, i, *entry) for i, entry in enumerate(zip(*lists, strict=True))]
    return sorted(captions, key=lambda caption: caption.start)


def _caption(where: str, index: int, start: Any, end: Any, text: Any) -> Caption:
    here = f"{where}: caption {index}"
    begin, finish = _seconds(here, "start", start), _seconds(here, "end", end)
    if finish < begin:
        message = f"{here} ends at {finish} s, before it starts at {begin} s"
        raise TranscriptError(message)
    if not isinstance(text, str):
        message = f"{here} has {text!r} for a text; remove it, or write what is said"
        raise TranscriptError(message)
    return Caption(begin, finish, text)


def _seconds(here: str, field: str, value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds):
        message = f"{here} has {value!r} for its {field}, which must be a finite number of seconds"
        raise TranscriptError(message)
    return seconds


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _read_csv(path: Path) -> dict[str, list[Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _columns(csv.reader(file, skipinitialspace=True))
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _columns(rows: Iterable[Sequence[str]]) -> dict[str, list[Any]]:
    """Turn rows under a header into columns; None stands where a row is too short."""
    header, *body = [row for row in rows if row] or [[]]
    names = [name.strip() for name in header]
    return {
        name: [row[i] if i < len(row) else None for row in body] for i, name in enumerate(names)
    }


def _unreadable(path: Path, error: Exception) -> TranscriptError:
    reason = error.strerror if isinstance(error, OSError) else error
    return TranscriptError(f"{path} cannot be read as captions: {reason}")
