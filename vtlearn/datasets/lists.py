"""The lists and tables that go with a corpus: rows under a header or without, ids, durations."""

import csv
import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.files import why_unreadable
from vtlearn.datasets.texts import read_text, whole_lines
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.rows import delimiter_of, read_rows
from vtlearn.storage.utf8 import read_lines
from vtlearn.unicode import replace_surrogates

__all__ = ["read_durations", "read_table"]

_LOG = logging.getLogger(__name__)


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        line: The line that it begins in, from 1.
        cells: What its columns hold, by name.
    """

    line: int
    cells: Mapping[str, str]


def read_table(path: Path, columns: Sequence[str], unique: str | None = None) -> list[Row]:
    r"""Read a csv with a header, separated by commas, semicolons or tabs.

    Args:
        path: The file. Spaces around cells are ignored.
        columns: What every row has to have; other columns are read as well.
        unique: One of them in which no cell may stand twice.

    Returns:
        Its rows.

    Raises:
        ArgumentError: If the file cannot be read, a column is not there, a row has more or fewer
            cells than the header, or lacks one of these columns, or one that is to be unique.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     _ = file.write_text("key;video_id\nret0;video9770\n")
        ...     read_table(file, ["video_id"])
        [Row(line=2, cells={'key': 'ret0', 'video_id': 'video9770'})]
    """
    return list(_under_header(path, table_rows(path), columns, unique))


def iterate_table(
    path: Path,
    columns: Sequence[str],
    unique: str | None = None,
    *,
    may_be_blank: str | None = None,
    named: str | None = None,
) -> Iterator[Row]:
    """Read a csv as :func:`read_table` does, row by row: it may have millions.

    Args:
        path: The file, in UTF-8; a few bytes that are not are U+FFFD, which is logged.
        columns: What every row has to have; other columns are read as well.
        unique: One of them in which no cell may stand twice.
        may_be_blank: Another column that has to be there, and whose cells may be blank.
        named: A column of names of files, which may hold any bytes, as Python has them: with
            ``surrogateescape``.

    Yields:
        Its rows.

    Raises:
        ArgumentError: As :func:`read_table`.
    """
    wanted = columns if may_be_blank is None else [*columns, may_be_blank]
    rows = table_rows(path, read_lines)
    for row in _under_header(path, rows, columns, unique, wanted):
        valid = {
            name: cell if name == named else replace_surrogates(cell)
            for name, cell in row.cells.items()
        }
        yield Row(row.line, valid)


def _under_header(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    columns: Sequence[str],
    unique: str | None,
    wanted: Sequence[str] | None = None,
) -> Iterator[Row]:
    """Name the cells of rows after the first one; refuse a table without what is wanted."""
    wanted = columns if wanted is None else wanted
    _, names = next(rows, (1, []))
    absent = [column for column in wanted if column not in names]
    if absent:
        message = f"{path} has no column {' or '.join(absent)}; its columns are {names}"
        raise ArgumentError(message)
    lines: dict[str, int] = {}
    for line, row in rows:
        cells = _cells(path, line, row, names, columns)
        first = lines.setdefault(cells[unique], line) if unique is not None else line
        if first != line:
            message = (
                f"{path} has the {unique} {cells[str(unique)]} in lines {first} and {line}; "
                "remove one"
            )
            raise ArgumentError(message)
        yield Row(line, cells)


def read_ids(path: Path) -> list[str]:
    r"""Read a list of ids, one per line.

    Args:
        path: The file. Blank lines are skipped.

    Returns:
        The ids in the list's order, each once.

    Raises:
        ArgumentError: If the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.txt")
        ...     _ = file.write_text("video1\nvideo0\n")
        ...     read_ids(file)
        ['video1', 'video0']
    """
    lines = read_text(path, "a list of ids").splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def require_disjoint(
    listed: Path, ids: Sequence[str], test: Path, test_ids: Collection[str]
) -> None:
    """Refuse a training list that names clips of the test, as another split's does.

    Args:
        listed: The list, for the message.
        ids: What it names.
        test: The list of the test, for the message.
        test_ids: What that names.

    Raises:
        ArgumentError: If they have any in common.

    Example:
        >>> require_disjoint(Path("train.txt"), ["video0"], Path("test.txt"), ["video1"])
    """
    shared = set(ids) & set(test_ids)
    if shared:
        message = (
            f"{len(shared)} of {len(ids)} ids of {listed} are those of the test {test} (first: "
            f"{min(shared)}): it is another split's list; download this one's"
        )
        raise ArgumentError(message)


def read_columns(path: Path, columns: Sequence[str]) -> list[Row]:
    r"""Read a csv that has no header.

    Args:
        path: The file. Spaces around cells are ignored.
        columns: What its columns hold, in order.

    Returns:
        Its rows.

    Raises:
        ArgumentError: If the file cannot be read, or a row has more or fewer cells, or a blank one.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "113766__uAZw6L_R5g.csv")
        ...     _ = file.write_text("1,33.54,39.94\n")
        ...     read_columns(file, ["step", "start", "end"])
        [Row(line=1, cells={'step': '1', 'start': '33.54', 'end': '39.94'})]
    """
    rows = list(table_rows(path))
    for line, row in rows:
        if len(row) != len(columns):
            message = (
                f"{path} has {len(row)} cells in line {line}, and should have {len(columns)}: "
                f"{', '.join(columns)}"
            )
            raise ArgumentError(message)
    return [Row(line, _cells(path, line, row, columns, columns)) for line, row in rows]


def number_in(path: Path, row: Row, column: str) -> float:
    """Read a number of a row.

    Args:
        path: The file, for the message.
        row: One of its rows.
        column: The column.

    Raises:
        ArgumentError: If it is not a number, or not finite.
    """
    number = _number(row.cells[column])
    if number is None or not math.isfinite(number):
        message = (
            f"{path}, line {row.line}: expected a number for {column}, got {row.cells[column]!r}"
        )
        raise ArgumentError(message)
    return number


def _cells(
    path: Path, line: int, row: list[str], names: Sequence[str], columns: Sequence[str]
) -> dict[str, str]:
    """Name the cells of a row, of which some have to be there."""
    if len(row) != len(names):
        message = (
            f"{path} has {len(row)} cells in line {line} and {len(names)} in its header; "
            "complete the row, or put the cell that contains a separator in quotes"
        )
        raise ArgumentError(message)
    cells = dict(zip(names, row, strict=True))
    blank = [column for column in columns if not cells[column]]
    if blank:
        message = f"{path} has no {blank[0]} in line {line}; complete or remove the row"
        raise ArgumentError(message)
    return cells


def read_durations(path: Path) -> dict[str, float]:
    r"""Read how long videos are said to last.

    Args:
        path: A csv of ids and seconds, such as TAN's ``htm_vlen.csv``; a first row that names the
            columns, the second of which begins with a letter, is skipped. With semicolons between
            them, seconds may have decimal commas.

    Returns:
        Seconds by id. Rows without any are left out, which is logged.

    Raises:
        ArgumentError: If the file cannot be read, or most of its rows hold anything else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "htm_vlen.csv")
        ...     _ = file.write_text("nVbIUDjzWY4,125.4\n")
        ...     read_durations(file)
        {'nVbIUDjzWY4': 125.4}
    """
    rows = list(table_rows(path, number=1))
    if rows and _is_header(rows[0][1]):
        del rows[0]
    seconds = [_seconds(row) for _, row in rows]
    bad = [place for place, each in enumerate(seconds) if each is None]
    if bad:
        line, row = rows[bad[0]]
        shown = f"the row {','.join(row)!r} in line {line}"
        if 2 * len(bad) > len(rows):
            message = f"{path} has {shown}; each has to be an id and its seconds"
            raise ArgumentError(message)
        left_out = "%s: %d of %d rows are not an id and its seconds, and are left out (first: %s)"
        _LOG.warning(left_out, path, len(bad), len(rows), shown)
    found = zip(rows, seconds, strict=True)
    return {row[0]: each for (_, row), each in found if each is not None}


def _is_header(row: list[str]) -> bool:
    return len(row) > 1 and row[1][:1].isalpha() and _number(row[1]) is None


def _seconds(row: list[str]) -> float | None:
    """Return how long the video of a row lasts; None where it does not say."""
    seconds = _number(row[1]) if len(row) > 1 and row[0] else None
    return seconds if seconds is not None and 0 <= seconds < math.inf else None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def table_rows(
    path: Path,
    lines_of: Callable[[Path], Iterator[str]] = whole_lines,
    *,
    strip: bool = True,
    number: int | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Read a csv as rows of cells.

    Args:
        path: The file.
        lines_of: How its lines are read.
        strip: Whether spaces around cells are ignored.
        number: The place of a cell that holds a number, which has a decimal comma where cells are
            not separated by commas.

    Yields:
        The line that a row begins in, from 1, and its cells; rows of blank cells are skipped.

    Raises:
        ArgumentError: If the file cannot be read.
    """
    try:
        lines = lines_of(path)
        header = next(lines, "")
        delimiter = delimiter_of(header)
        for line, row in read_rows(chain([header], lines), delimiter):
            cells = [cell.strip() for cell in row]
            if number is not None and number < len(cells) and delimiter != ",":
                cells[number] = cells[number].replace(",", ".")
            if any(cells):
                yield line, cells if strip else row
    except (OSError, ValueError, csv.Error, TranscriptError) as error:
        message = f"{path} cannot be read as a csv: {why_unreadable(error)}"
        raise ArgumentError(message) from error
