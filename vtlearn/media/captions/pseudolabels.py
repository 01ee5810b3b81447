"""Captions that a captioner wrote for windows of videos, with a score each, as JSON lines.

``vtlearn pseudolabel`` writes a folder of them: ``pseudolabels.json`` says how they were made,
``00000.jsonl`` and so on hold a record per window, ``{"video": ..., "start": ..., "end": ...,
"caption": ..., "score": ...}`` and more. Other JSON lines files of such records are read as well;
in these, lines may be blank, and those of a video need not follow each other.
"""

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.storage.progress import track
from vtlearn.storage.utf8 import read_lines
from vtlearn.unicode import escape_bytes, parse_json, replace_surrogates

__all__ = ["METADATA", "Kept", "keep_threshold", "read_records"]

METADATA = "pseudolabels.json"
"""The file by which a folder of them is known."""

_FIELDS = ("video", "start", "end", "caption", "score")
_COLUMNS = (("start", "start"), ("end", "end"), ("text", "caption"))  # of a track, of a record

_Track = dict[str, list[Any]]


class Kept(NamedTuple):
    """Which captions with a score are kept; where both are given, those that pass both.

    Attributes:
        min_score: The lowest score.
        share: The share of all captions, those with the highest scores; captions with the score of
            the last of them are kept as well.
    """

    min_score: float | None = None
    share: float | None = None

    def require_sense(self) -> None:
        """Validate the arguments.

        Raises:
            ArgumentError: If the score is not finite, or the share not above 0 and at most 1.
        """
        if self.min_score is not None and not math.isfinite(self.min_score):
            message = f"min_score={self.min_score} has to be finite"
            raise ArgumentError(message)
        if self.share is not None and not 0 < self.share <= 1:
            message = f"keep={self.share} has to be above 0 and at most 1, a share of the captions"
            raise ArgumentError(message)

    def threshold(self, files: Sequence[Path]) -> float:
        """Return the lowest score that is kept.

        Args:
            files: All that there are; the share is of their captions together.

        Raises:
            TranscriptError: If one cannot be read.
        """
        lowest = -math.inf if self.min_score is None else self.min_score
        if self.share is None:
            return lowest
        scores = array("d", (record["score"] for record in read_records(files)))
        return max(lowest, keep_threshold(scores, self.share))


EVERYTHING = Kept()


def label_files(source: Path) -> list[Path] | None:
    """List the files of pseudolabels.

    Args:
        source: A folder or a file.

    Returns:
        The files in their order; None where the source is something else.
    """
    if source.suffix.lower() == ".jsonl" and source.is_file():
        return [source]
    if not (source / METADATA).is_file():
        return None
    return sorted(path for path in source.glob("*.jsonl") if path.stem.isdecimal())


def missing_shards(folder: Path) -> int:
    """Count the shards of a folder of pseudolabels that are not there yet.

    Args:
        folder: The folder, or any other source of captions, which lacks none.
    """
    try:
        settings = json.loads((folder / METADATA).read_text(encoding="utf-8"))["settings"]
        wanted = -(-int(settings["videos"]) // int(settings["videos_per_shard"]))
    except (OSError, LookupError, ValueError, TypeError, ArithmeticError):
        return 0
    return max(0, wanted - len(label_files(folder) or []))


def keep_threshold(scores: Sequence[float], share: float) -> float:
    """Return the score at which a share of captions is kept.

    Args:
        scores: Of all captions.
        share: Above 0 and at most 1.

    Returns:
        The highest score that at least this share of them reach; infinite where there are none.

    Example:
        >>> keep_threshold([0.1, 0.5, 0.3, 0.4], 0.5)
        0.4
    """
    if not len(scores):
        return math.inf
    ordered = np.sort(np.asarray(scores, np.float64))
    return float(ordered[len(ordered) - math.ceil(share * len(ordered))])


def read_tracks(
    files: Sequence[Path], kept: Kept, *, progress: bool = False
) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Read the captions of one video after another.

    Args:
        files: Those of a source.
        kept: Which captions are kept.
        progress: Show a progress bar.

    Yields:
        The id of a video of which captions are kept, and their starts, ends and texts.

    Raises:
        TranscriptError: If a file cannot be read, or no score is high enough.
    """
    lowest = kept.threshold(files)
    every = read_records(track(files, "Indexing pseudolabels") if progress else files)
    records = _above(every, lowest)
    scattered: dict[str, _Track] = {one: _new_track() for one in _scattered(files)}
    for video_id, group in groupby(records, key=lambda record: record["video"]):
        whole = scattered.get(video_id) or _new_track()
        for record in group:
            for column, field in _COLUMNS:
                whole[column].append(record[field])
        if video_id not in scattered:
            yield video_id, whole
    yield from ((video_id, whole) for video_id, whole in scattered.items() if whole["text"])


def _scattered(files: Sequence[Path]) -> dict[str, None]:
    """Find the videos whose records do not follow each other, in the order of their return.

    In files of ours there is none, and they are not read for it.
    """
    if files and files[0].with_name(METADATA).is_file():
        return {}
    seen: set[str] = set()
    found: dict[str, None] = {}
    for video_id, _ in groupby(record["video"] for record in read_records(files)):
        if video_id in seen:
            found[video_id] = None
        seen.add(video_id)
    return found


def _new_track() -> _Track:
    return {column: [] for column, _ in _COLUMNS}


def _above(records: Iterable[dict[str, Any]], lowest: float) -> Iterator[dict[str, Any]]:
    """Leave out low scores; refuse to leave out all of them."""
    highest, is_any = -math.inf, False
    for record in records:
        highest = max(highest, record["score"])
        if record["score"] >= lowest:
            is_any = True
            yield record
    if not is_any and highest > -math.inf:
        message = f"no caption has a score of min_score={lowest:g}: the highest is {highest:g}"
        raise TranscriptError(message)


def read_records(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Read the records of files of pseudolabels.

    Args:
        files: The files.

    Yields:
        One record per window. Blank lines are skipped. Bytes that are not UTF-8 are halves of
        surrogate pairs in texts, and escaped in ids; they are logged.

    Raises:
        TranscriptError: If a file cannot be read, or a line is not such a record.
    """
    for path in files:
        try:
            for number, line in enumerate(read_lines(path), 1):
                if line.strip():
                    yield _record(path, number, line)
        except UnicodeError as error:
            message = f"{path.name} is not UTF-8; save it as UTF-8"
            raise TranscriptError(message) from error
        except OSError as error:
            message = f"{path.name}: {error.strerror or error}"
            raise TranscriptError(message) from error


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = parse_json(line)
    except ValueError as error:
        message = f"{path.name}, line {number} is not valid JSON: {error}"
        raise TranscriptError(message) from error
    missing = [key for key in _FIELDS if not isinstance(record, dict) or key not in record]
    if missing or not isinstance(record["video"], str) or not _is_number(record["score"]):
        message = (
            f"{path.name}, line {number} is not a pseudolabel: expected "
            f"{', '.join(_FIELDS)}, with a string and a finite number for video and score"
        )
        raise TranscriptError(message)
    return {**record, "video": replace_surrogates(escape_bytes(record["video"]))}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
