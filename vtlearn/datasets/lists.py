"""The tables that go with a corpus: which videos it has, and how long they are said to last."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from vtlearn.errors import ArgumentError

__all__ = ["read_durations", "read_video_list"]


def read_video_list(path: Path) -> list[str]:
    r"""Read which videos a corpus has.

    Args:
        path: A csv with a column ``video_path``, of which the file's name up to the first dot is
            the id, or else ``video_id``. Others, and spaces after commas, are ignored.

    Returns:
        The ids in the list's order, each once.

    Raises:
        ArgumentError: If the file cannot be read, or has neither column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     _ = file.write_text("video_path\nfood/nVbIUDjzWY4.webm\n")
        ...     read_video_list(file)
        ['nVbIUDjzWY4']
    """
    header, *rows = _rows(path) or [[]]
    names = [name.strip() for name in header]
    if "video_path" in names:
        column = names.index("video_path")
        ids = (Path(row[column]).name.split(".", 1)[0] for row in rows if len(row) > column)
    elif "video_id" in names:
        column = names.index("video_id")
        ids = (row[column] for row in rows if len(row) > column)
    else:
        message = f"{path} has no column video_path or video_id; its columns are {names}"
        raise ArgumentError(message)
    return [video_id for video_id in dict.fromkeys(ids) if video_id]


def read_durations(path: Path) -> dict[str, float]:
    r"""Read how long videos are said to last.

    Args:
        path: A csv of ids and seconds, such as TAN's ``htm_vlen.csv``; a first row that names the
            columns is passed over.

    Returns:
        Seconds by id.

    Raises:
        ArgumentError: If the file cannot be read, or a row holds anything else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "htm_vlen.csv")
        ...     _ = file.write_text("nVbIUDjzWY4,125.4\n")
        ...     read_durations(file)
        {'nVbIUDjzWY4': 125.4}
    """
    rows = _rows(path)
    if rows and _seconds(rows[0]) is None:
        del rows[0]
    return dict(_durations(path, rows))


def _durations(path: Path, rows: list[list[str]]) -> Iterator[tuple[str, float]]:
    for row in rows:
        seconds = _seconds(row)
        if seconds is None:
            message = f"{path} has the row {','.join(row)!r}; each has to be an id and its seconds"
            raise ArgumentError(message)
        yield row[0], seconds


def _seconds(row: list[str]) -> float | None:
    try:
        seconds = float(row[1])
    except (IndexError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [row for row in csv.reader(file, skipinitialspace=True) if row]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path} cannot be read as a csv: {reason}"
        raise ArgumentError(message) from error
