"""The csv that says which videos a corpus has."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.lists import table_rows
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.encoding import decode_text
from vtlearn.media.ids import VideoNames, closeness, distinct_ids, video_stem
from vtlearn.storage.atomic import replace_text
from vtlearn.unicode import escape_bytes, escape_name

__all__ = ["read_video_list", "write_video_list"]


def read_video_list(path: Path, known: VideoNames | None = None) -> list[str]:
    r"""Read which videos a corpus has.

    Args:
        path: A csv with a column ``video_path``, of which the file's name less its video suffix is
            the id (its path, where the list has another of that name), or else ``video_id``, whose
            cells are ids as they are. Others, and spaces around cells, are ignored. Names may hold
            any bytes, as ``ls`` writes them.
        known: The videos there are. A path then means the one of its name, and of several the one
            whose path it shares the most of.

    Returns:
        The ids in the list's order, each once; ids of videos that are not among the known ones too.

    Raises:
        ArgumentError: If the file cannot be read, has neither column, or a row names no video, or
            may mean several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     _ = file.write_text("video_path\nfood/nVbIUDjzWY4.webm\n")
        ...     read_video_list(file)
        ['nVbIUDjzWY4']
    """
    rows = table_rows(path, _lines, strip=False)
    names = [name.strip() for name in next(rows, (1, []))[1]]
    wanted = next((name for name in ("video_path", "video_id") if name in names), None)
    if wanted is None:
        message = f"{path} has no column video_path or video_id; its columns are {names}"
        raise ArgumentError(message)
    listed: dict[str, _Listed] = {}
    for line, row in rows:
        cell = row[names.index(wanted)] if names.index(wanted) < len(row) else ""
        if known is None or cell not in known.paths:  # an id may begin or end with a space
            cell = cell.strip()
        name = _place(cell) if wanted == "video_path" else escape_bytes(cell)
        if not name:
            message = (
                f"{path} has the row {','.join(row)!r} in line {line}, which names no video; "
                "complete or remove it"
            )
            raise ArgumentError(message)
        listed.setdefault(name, _Listed(line, cell))
    ids = list(listed) if wanted == "video_id" else distinct_ids(list(listed))
    if known is None:
        return ids
    if wanted == "video_id":
        _require_clear(path, listed, known)
        return ids
    return list(dict.fromkeys(_known_videos(path, listed, ids, known)))


def write_video_list(path: Path, ids: Iterable[str]) -> None:
    """Write a list of videos: a csv with the column ``video_id``.

    :func:`read_video_list` reads it. Ids that begin or end with a space
    are read back where the videos are known.

    Args:
        path: The file, which is whole or not there.
        ids: The videos.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     write_video_list(file, ["lesson1/1. Intro", "salt, pepper"])
        ...     read_video_list(file)
        ['lesson1/1. Intro', 'salt, pepper']
    """
    file = io.StringIO()
    rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(["video_id"])
    rows.writerows([video_id] for video_id in ids)
    replace_text(path, file.getvalue())


def _lines(path: Path) -> Iterator[str]:
    """Read the lines of a list; bytes that are not UTF-8 stay, since names may hold any."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell writes
        text = decode_text(content, path)
    else:
        text = content.decode("utf-8-sig", "surrogateescape")
    yield from io.StringIO(text, newline="")


class _Listed(NamedTuple):
    line: int
    cell: str


def _place(cell: str) -> str:
    """Return a path less its video suffix; nothing where it has no name."""
    path = Path(cell)
    return "" if path.name.startswith(".") else video_stem(path.as_posix()) if path.name else ""


def _require_clear(path: Path, listed: Mapping[str, _Listed], known: VideoNames) -> None:
    """Refuse ids that are the names of several videos."""
    for video_id, row in listed.items():
        if video_id not in known.paths and len(known.called(video_id)) > 1:
            raise ArgumentError(_may_mean(path, row, known.called(video_id)))


def _known_videos(
    path: Path, listed: Mapping[str, _Listed], ids: Sequence[str], known: VideoNames
) -> list[str]:
    """Turn listed paths, which have these ids in the list alone, into ids of known videos."""
    rivals: dict[str, list[str]] = {}  # paths that may mean a video, by its id
    for name, row in listed.items():
        # an id without a suffix may end like one: "Node.ts"
        meant = known.meant(name) or known.meant(Path(row.cell).as_posix())
        if len(meant) > 1:
            raise ArgumentError(_may_mean(path, row, meant))
        for video_id in meant:
            rivals.setdefault(video_id, []).append(name)
    found = {
        _fitting(path, listed, video_id, group, known): video_id
        for video_id, group in rivals.items()
    }
    return [found.get(name, video_id) for name, video_id in zip(listed, ids, strict=True)]


def _fitting(
    path: Path, listed: Mapping[str, _Listed], video_id: str, names: list[str], known: VideoNames
) -> str:
    """Choose the one of several paths that is a video's; others are of folders that lack it."""
    place = known.paths[video_id]
    fits = {
        name: max(closeness(form, place) for form in (name, escape_name(name))) for name in names
    }
    first, *others = [name for name in names if fits[name] == max(fits.values())]
    if others:
        one, other = listed[first], listed[others[0]]
        message = (
            f"{path} has {one.cell} in line {one.line} and {other.cell} in line {other.line}, "
            f"which may both mean {video_id}; remove one, or bring the video that is missing"
        )
        raise ArgumentError(message)
    return first


def _may_mean(path: Path, row: _Listed, videos: list[str]) -> str:
    return (
        f"{path} has {row.cell} in line {row.line}, which may mean {' or '.join(videos)}; write "
        "the path below the videos' folder"
    )
