"""The csv that holds the captions of a whole corpus, in whatever order its rows come."""

import csv
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.rows import delimiter_of, read_rows, rejoined
from vtlearn.unicode import escape_bytes, replace_surrogates

__all__: list[str] = []

Columns = dict[str, list[str | None]]


def group_rows(pieces: Iterator[str], scratch: Path) -> Iterator[tuple[str, Columns]]:
    r"""Group the rows of a csv by their video.

    Args:
        pieces: Its text, cut anywhere, with half a surrogate pair for each byte that is not UTF-8;
            its header has the columns ``vid,timestamp,text`` or ``vid,start,end,text``, in any
            order.
        scratch: An empty folder for a database, which does it on disk.

    Yields:
        The id of each video, empty for rows without one, and its captions as lists; these are empty
        where no row has more than the id.

    Raises:
        TranscriptError: If it is not valid, or lacks a column.
        OSError: If the database cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     list(group_rows(iter(["vid,timestamp,text\na,284,salt\n"]), Path(folder)))
        [('a', {'start': ['284'], 'end': ['284'], 'text': ['salt']})]
    """
    lines = _lines(pieces)
    first = next(lines, "")
    delimiter = delimiter_of(first)
    rows = read_rows(itertools.chain([first], lines), delimiter)
    try:
        _, names = next(rows, (1, []))
        header = [name.strip().lower() for name in names]
        wanted = _wanted(header)
        with closing(sqlite3.connect(scratch / "rows.sqlite")) as table:
            table.execute("PRAGMA synchronous = OFF")
            table.execute("CREATE TABLE captions (number, id, begins, ends, text)")
            columns = [header.index(name) for name in wanted]
            whole = (rejoined(row, header, delimiter) for _, row in rows)
            numbered = _numbered(whole, columns, has_commas=delimiter != ",")
            table.executemany("INSERT INTO captions VALUES (?, ?, ?, ?, ?)", numbered)
            grouped = table.execute("SELECT * FROM captions ORDER BY number, rowid")
            for (_, video_id), group in itertools.groupby(grouped, key=lambda row: row[:2]):
                _, _, starts, ends, texts = map(list, zip(*group, strict=True))
                yield video_id, _said(starts, ends, texts)
    except csv.Error as error:
        message = f"it is not a valid csv: {error}"
        raise TranscriptError(message) from error
    except sqlite3.Error as error:  # the disk is full, mostly
        raise OSError(0, str(error)) from error


def _said(*columns: list[str | None]) -> Columns:
    """Return the captions of a video; there are none where no row has more than its id."""
    if not any(cell and cell.strip() for cells in columns for cell in cells):
        columns = ([], [], [])
    return dict(zip(("start", "end", "text"), columns, strict=True))


def _wanted(header: list[str]) -> list[str]:
    """Return the columns of a csv that hold id, start, end and text."""
    for times in (["timestamp", "timestamp"], ["start", "end"]):
        for name in ("vid", "video_id"):
            if {name, *times, "text"} <= set(header):
                return [name, *times, "text"]
    message = f"it needs the columns vid, timestamp and text, but has {header}"
    raise TranscriptError(message)


def _numbered(
    rows: Iterable[list[str]], columns: list[int], *, has_commas: bool
) -> Iterator[list[Any]]:
    """Put before each row the number of its video, in the order in which videos come first.

    Where cells are not separated by commas, those in its times are decimal ones.
    """
    numbers: dict[str, int] = {}
    for row in rows:
        cells: list[Any] = [row[column] if column < len(row) else None for column in columns]
        cells[0] = cells[0] and escape_bytes(cells[0])
        cells = [cell and replace_surrogates(cell) for cell in cells]
        video_id = (cells[0] or "").strip()
        if has_commas:
            cells[1:3] = [cell and cell.replace(",", ".") for cell in cells[1:3]]
        yield [numbers.setdefault(video_id, len(numbers)), video_id, *cells[1:]]


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
    yield rest
