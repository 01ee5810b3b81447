"""The tables that go with a corpus: which videos it has, and how long they are said to last."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.rows import read_rows

__all__ = ["read_durations", "read_video_list"]


def read_video_list(path: Path) -> list[str]:
    r"""Read which videos a corpus has.

    Args:
        path: A csv with a column ``video_path``, of which the file's name up to the first dot is
            the id, or else ``video_id``. Others, and spaces after commas, are ignored.

    Returns:
        The ids in the list's order, each once.

    Raises:
        ArgumentError: If the file cannot be read, has neither column, or a row names no video.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     _ = file.write_text("video_path\nfood/nVbIUDjzWY4.webm\n")
        ...     read_video_list(file)
        ['nVbIUDjzWY4']
    """
    (_, names), *rows = _rows(path) or [(1, [])]
    wanted = next((name for name in ("video_path", "video_id") if name in names), None)
    if wanted is None:
        message = f"{path} has no column video_path or video_id; its columns are {names}"
        raise ArgumentError(message)
    column = names.index(wanted)
    ids: dict[str, None] = {}
    for line, row in rows:
        cell = row[column] if column < len(row) else ""
        video_id = Path(cell).name.split(".", 1)[0] if wanted == "video_path" else cell
        if not video_id:
            message = (
                f"{path} has the row {','.join(row)!r} in line {line}, which names no video; "
                "complete or remove it"
            )
            raise ArgumentError(message)
        ids[video_id] = None
    return list(ids)


def read_durations(path: Path) -> dict[str, float]:
    r"""Read how long videos are said to last.

    Args:
        path: A csv of ids and seconds, such as TAN's ``htm_vlen.csv``; a first row that names the
            columns, the second of which begins with a letter, is passed over.

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
    if rows and _is_header(rows[0][1]):
        del rows[0]
    return dict(_durations(path, rows))


def _is_header(row: list[str]) -> bool:
    return len(row) > 1 and row[1][:1].isalpha() and _number(row[1]) is None


def _durations(path: Path, rows: list[tuple[int, list[str]]]) -> Iterator[tuple[str, float]]:
    for line, row in rows:
        seconds = _number(row[1]) if len(row) > 1 else None
        if not row[0] or seconds is None or not math.isfinite(seconds) or seconds < 0:
            message = (
                f"{path} has the row {','.join(row)!r} in line {line}; "
                "each has to be an id and its seconds"
            )
            raise ArgumentError(message)
        yield row[0], seconds


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read the rows that are not blank and the lines that they begin in, less outer spaces."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(line, [cell.strip() for cell in row]) for line, row in read_rows(file)]
            return [(line, row) for line, row in rows if any(row)]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path} cannot be read as a csv: {reason}"
        raise ArgumentError(message) from error
