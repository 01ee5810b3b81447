"""Rows of csv files, with the line that each begins in."""

import csv
import re
from collections.abc import Iterable, Iterator

__all__ = ["delimiter_of", "read_rows"]

_DECIMAL = re.compile(r"(?<=\d),(?=\d)")


def read_rows(lines: Iterable[str], delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    r"""Read a csv, and take no liberties with its quotes.

    Args:
        lines: Its lines, with their ends. Spaces after commas are ignored.
        delimiter: What separates its cells.

    Yields:
        The line that a row begins in, from 1, and its cells; empty rows are skipped.

    Raises:
        csv.Error: If a quote is not closed, or text follows one that is: the next rows might be
            swallowed otherwise. It says in which line the row begins.

    Example:
        >>> list(read_rows(["vid, text\n", "\n", 'a, "so\n', 'we"\n', "b,\n"]))
        [(1, ['vid', 'text']), (3, ['a', 'so\nwe']), (5, ['b', ''])]
    """
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    first = 1
    try:
        for row in rows:
            if row:
                yield first, row
            first = rows.line_num + 1
    except csv.Error as error:
        message = f"{error}, in the row from line {first} on; look for a quote that is not closed"
        raise csv.Error(message) from error


def delimiter_of(header: str) -> str:
    """Tell what separates the cells of a csv, by its first line.

    Args:
        header: The line; where it does not name the columns, it may be of ids and numbers.

    Returns:
        A semicolon, as spreadsheets write where numbers have commas, or a tab, if the line has
        more of these than of commas between cells; or else a comma.

    Example:
        >>> [delimiter_of(line) for line in ("Start;End;Text", "start,end,text", "a;10,0", "a,1.5")]
        [';', ',', ';', ',']
    """
    between = _DECIMAL.sub("", header)
    return max(",;\t", key=between.count)


def rejoined(row: list[str], header: list[str], delimiter: str) -> list[str]:
    """Put a text together that has separators in it and no quotes, if its column is the last.

    Args:
        row: Cells, which may be more than the columns.
        header: The columns' names.
        delimiter: What separates cells.

    Returns:
        As many cells as there are columns, where the last one is called ``text``; or else the row.

    Example:
        >>> rejoined(["1", "2", "chop", "then stir"], ["start", "end", "text"], ",")
        ['1', '2', 'chop, then stir']
    """
    last = len(header) - 1
    if len(row) <= len(header) or header[last].strip().lower() != "text":
        return row
    return [*row[:last], f"{delimiter.strip()} ".join(row[last:])]
