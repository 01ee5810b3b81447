import csv
import io
import random

import pytest

from vtlearn.media.captions.rows import delimiter_of, read_rows


def test_rows_begin_where_they_were_written() -> None:
    rng = random.Random(0)
    file, expected, lines = io.StringIO(newline=""), [], 1
    writer = csv.writer(file, lineterminator="\n")
    for _ in range(200):
        row = ["".join(rng.choices('a,"\n ', k=rng.randint(1, 5))).lstrip(" ") for _ in range(3)]
        expected.append((lines, row))
        writer.writerow(row)
        if rng.random() < 0.2:
            file.write("\n")  # an empty line
        lines = file.getvalue().count("\n") + 1
    assert list(read_rows(file.getvalue().splitlines(keepends=True))) == expected
    assert list(read_rows([])) == []


@pytest.mark.parametrize("rest", ["c,3\n", 'c,"3"\n', '"c",3\n', ""])
def test_what_a_quote_might_swallow_is_an_error(rest: str) -> None:
    rows = read_rows(f'a,"1\n1"\n\nb,"2\n{rest}'.splitlines(keepends=True))
    assert next(rows) == (1, ["a", "1\n1"])
    with pytest.raises(csv.Error, match="in the row from line 4 on; look for a quote"):
        next(rows)


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("vid,start,end,text\n", ","),
        ("vid;start;end;text\n", ";"),
        ("vid\tstart\ttext\n", "\t"),
        ("id;title, short;seconds\n", ";"),
        ("id,a;b\n", ","),
        ("video;10,0\n", ";"),
        ("1;33,54;39,94\n", ";"),
        ("1,33.54,39.94\n", ","),
        ("113,33,39\n", ","),
        ("-CTPAZ2euJ2,125.4\n", ","),
        ("a\n", ","),
        ("", ","),
    ],
)
def test_what_separates_cells_is_the_most_frequent(line: str, delimiter: str) -> None:
    assert delimiter_of(line) == delimiter
