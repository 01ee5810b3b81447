"""YouCook2: two thousand cooking videos, each step of which has a sentence.

Its authors published the segments of training and validation in one file. Retrieval is scored on
those validation videos that are not in HowTo100M, which a table of MIL-NCE's authors lists.
"""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.caption_files import read_json
from vtlearn.datasets.captioned import (
    CaptionedClip,
    SegmentCorpus,
    list_segments,
    require_clips,
)
from vtlearn.datasets.files import first_file, require_paths
from vtlearn.datasets.lists import number_in, read_table
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import Caption
from vtlearn.suggestions import nearest

__all__ = ["YouCook2", "read_youcook2"]

SPLITS = ("training", "validation")
"""What can be read."""

_JSON = ["youcookii_annotations_trainval.json"]
_TABLE = ["validation_youcook.csv"]
_FOLDERS = ("", "annotations", "splits", "data", "csv")
_NAME = "YouCook2"
_SOURCE = (
    "http://youcook2.eecs.umich.edu/download; the table of validation clips is in "
    "https://github.com/antoine77340/MIL-NCE_HowTo100M/tree/master/csv. "
    "`vtlearn data kitchen --layout youcook2` renders a small corpus in this layout"
)


class YouCook2(SegmentCorpus):
    """Runs of annotated segments of videos; see :func:`read_youcook2` for the files."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say which videos the annotation files name, and how long they last.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If no annotation file is there.
            ArgumentError: If one cannot be read.
        """
        table, database = _files(root)
        _require_files(root, "validation")
        videos = _read_database(database) if database.is_file() else {}
        listed = dict.fromkeys(videos)
        annotated = {video: None for video, entry in videos.items() if entry.get("annotations")}
        if table.is_file():
            rows = dict.fromkeys(_read_table(table)[0])
            listed |= rows
            annotated |= rows
        return Expectations(
            _NAME,
            root,
            captions=list(annotated),
            listed=list(listed),
            durations=read_video_durations(root),
        )


def read_youcook2(
    root: Path, split: str, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[CaptionedClip]:
    r"""List the annotated segments of a split of YouCook2.

    Where two segments of a video are the same stretch, each is a clip of its own.

    Args:
        root: The corpus's folder. ``youcookii_annotations_trainval.json`` and
            ``validation_youcook.csv`` are looked for in it and in its folders ``annotations``,
            ``splits``, ``data`` and ``csv``, videos anywhere below it.
        split: ``training``, or ``validation``: the rows of the table, or else, where that is not
            there, all validation segments of the JSON.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the videos may not be there (a share of them, if a float);
            their segments are listed all the same, so that they are counted where they are read.
            None for any number, where features are read and videos need not be there.

    Returns:
        The segments, video by video, with one sentence each. Ids of segments and sentences are
        ``<video>_<k>``, k the segment's number among those of the video.

    Raises:
        CorpusNotFoundError: If the folder, the annotation file, or every video is not there.
        ArgumentError: If there is no such split, a file holds anything else, the table is of
            another split, or more videos than may be are not there, or have several files.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "xHr8X2Wpmno.mkv").touch()
        ...     _ = (root / "validation_youcook.csv").write_text(
        ...         "end,start,task,text,video_id\n60,47,226,pick the ends off,xHr8X2Wpmno\n"
        ...     )
        ...     clip, = read_youcook2(root, "validation")
        >>> clip.id, clip.path.name, clip.start, clip.end, clip.texts
        ('xHr8X2Wpmno_0', 'xHr8X2Wpmno.mkv', 47.0, 60.0, ('pick the ends off',))
    """
    if max_missing is None:
        _require_files(root, split)
    else:
        _require_files(root, split, videos or root)
    listed = annotation_files(root, split)[0]
    clips = list_segments(videos or root, _segments(root, split, listed))
    if max_missing is not None:
        check = f"{root} --data YouCook2"
        require_clips(_NAME, clips, listed, _SOURCE, max_missing, check)
    return clips


def read_recipe_types(root: Path, split: str) -> dict[str, str]:
    """Return the type of recipe that each video of a split shows, by its number as a string.

    Args:
        root: The corpus's folder.
        split: ``training`` or ``validation``.

    Raises:
        CorpusNotFoundError: If the annotation file is not there.
        ArgumentError: If it cannot be read, or a video has no type.
    """
    _require_files(root, split)
    listed = annotation_files(root, split)[0]
    if listed.suffix == ".csv":
        return _read_table(listed)[1]
    return {
        video: _string(f"{listed}: {video}", entry, "recipe_type")
        for video, entry in _of_subset(listed, split).items()
    }


def read_video_durations(root: Path) -> dict[str, float]:
    """Return how long videos are said to last, in seconds.

    Args:
        root: The corpus's folder.

    Returns:
        Seconds by video; nothing where the authors' file is not there.

    Raises:
        ArgumentError: If it cannot be read.
    """
    database = _files(root)[1]
    videos = _read_database(database) if database.is_file() else {}
    return {
        video: float(entry["duration"])
        for video, entry in videos.items()
        if _is_number(entry.get("duration"))
    }


def annotation_files(root: Path, split: str) -> list[Path]:
    """Return the file that says what there is in a split.

    Args:
        root: The corpus's folder.
        split: ``training`` or ``validation``.
    """
    if split not in SPLITS:
        message = (
            f"{_NAME} has no split {split!r}; it has {', '.join(SPLITS)}{nearest(split, SPLITS)}"
        )
        raise ArgumentError(message)
    table, database = _files(root)
    if split == "training" or (database.is_file() and not table.is_file()):
        return [database]
    return [table]


def _files(root: Path) -> tuple[Path, Path]:
    return first_file(root, _TABLE, _FOLDERS), first_file(root, _JSON, _FOLDERS)


def _require_files(root: Path, split: str, videos: Path | None = None) -> None:
    (listed,) = annotation_files(root, split)
    either = f"{' or '.join([*_TABLE, *_JSON])}" if split == "validation" else _JSON[0]
    expected = {listed: f"the segments of {split} ({either})"}
    if videos is not None:
        expected[videos] = "videos, <id>.mp4, .mkv or .webm, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)


def _segments(root: Path, split: str, listed: Path) -> Mapping[str, list[Caption]]:
    if listed.suffix != ".csv":
        return {
            video: [
                _segment(listed, video, index, record)
                for index, record in enumerate(entry.get("annotations") or [])
            ]
            for video, entry in _of_subset(listed, split).items()
        }
    segments = _read_table(listed)[0]
    database = _files(root)[1]
    if database.is_file():
        _require_split(listed, segments, split, database)
    return segments


def _require_split(
    listed: Path, segments: Mapping[str, object], split: str, database: Path
) -> None:
    """Refuse a table of another split, where the authors' file tells."""
    subsets = {video: entry.get("subset") for video, entry in _read_database(database).items()}
    strangers = [video for video in segments if subsets.get(video) != split]
    if not strangers:
        return
    known = Counter(str(subsets[video]) for video in strangers if video in subsets)
    where = "".join(f"; {count} of them are in split {one!r}" for one, count in known.items())
    message = (
        f"{len(strangers)} of {len(segments)} videos of {listed} are not in split {split!r} of "
        f"{database} (first: {strangers[0]}){where}. Download the table of this split"
    )
    raise ArgumentError(message)


def _read_table(path: Path) -> tuple[dict[str, list[Caption]], dict[str, str]]:
    """Read the segments of each video, and its type of recipe."""
    segments: dict[str, list[Caption]] = {}
    types: dict[str, str] = {}
    for row in read_table(path, ["end", "start", "task", "text", "video_id"]):
        video = row.cells["video_id"]
        start, end = (number_in(path, row, column) for column in ("start", "end"))
        _require_span(f"{path}, line {row.line}", start, end)
        segments.setdefault(video, []).append(Caption(start, end, row.cells["text"]))
        if types.setdefault(video, row.cells["task"]) != row.cells["task"]:
            message = (
                f"{path}, line {row.line}: {video} has the task {row.cells['task']}, and "
                f"{types[video]} before; a video has one"
            )
            raise ArgumentError(message)
    if not segments:
        message = f"{path} lists no segments; download it again"
        raise ArgumentError(message)
    return segments, types


def _of_subset(path: Path, split: str) -> dict[str, dict[str, Any]]:
    videos = {
        video: entry
        for video, entry in _read_database(path).items()
        if entry.get("subset") == split
    }
    if not videos:
        message = f"{path} has no videos of split {split!r}; download it again"
        raise ArgumentError(message)
    return videos


def _read_database(path: Path) -> dict[str, dict[str, Any]]:
    content = read_json(path)
    videos = content.get("database") if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not all(isinstance(one, dict) for one in videos.values()):
        message = f"{path} has no database of videos: it is not YouCook2's file; download it again"
        raise ArgumentError(message)
    return videos


def _segment(path: Path, video: str, index: int, record: object) -> Caption:
    where = f"{path}: annotation {index} of {video}"
    span = record.get("segment") if isinstance(record, dict) else None
    if not isinstance(span, list) or len(span) != 2 or not all(map(_is_number, span)):
        message = f"{where}: expected a segment [start, end] in seconds, got {span!r}"
        raise ArgumentError(message)
    start, end = map(float, span)
    _require_span(where, start, end)
    text = _string(where, record, "sentence").strip()  # type: ignore[arg-type]  # a dict
    return Caption(start, end, text)


def _require_span(where: str, start: float, end: float) -> None:
    if not 0 <= start < end:
        message = f"{where}: a segment from {start:g} s to {end:g} s; it has to end after it starts"
        raise ArgumentError(message)


def _string(where: str, record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        message = f"{where} has no string {key}; download the file again"
        raise ArgumentError(message)
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)
