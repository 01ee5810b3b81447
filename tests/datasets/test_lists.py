from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.test_shards import NO_TEXT
from vtlearn.datasets.lists import (
    Row,
    iterate_table,
    number_in,
    read_columns,
    read_durations,
    read_ids,
    read_table,
    require_disjoint,
)
from vtlearn.datasets.video_list import read_video_list
from vtlearn.errors import ArgumentError


@pytest.mark.parametrize("read", [read_video_list, read_durations])
def test_a_quote_that_is_not_closed_swallows_no_row(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    for rest in ("c,3\n", 'c,3\n"d",4\n'):
        path.write_text(f'video_id,seconds\na,1\n"b,2\n{rest}', encoding="utf-8")
        with pytest.raises(ArgumentError, match=r"list\.csv .* in the row from line 3 on"):
            read(path)


@pytest.mark.parametrize("header", ["", "vid,vlen\n", "vid, vlen\n", "vid,v2 \n"])
def test_durations_are_read_with_a_header_or_without(header: str, tmp_path: Path) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"{header}-CTPAZ2euJ2,125.4\na, 3\n", encoding="utf-8")
    assert read_durations(path) == {"-CTPAZ2euJ2": 125.4, "a": 3.0}
    path.write_text(f"{header}-CTPAZ2euJ2 ,125.4 \na , 3\n", encoding="utf-8")
    assert read_durations(path) == {"-CTPAZ2euJ2": 125.4, "a": 3.0}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_seconds_may_have_decimal_commas_where_nothing_else_has(mark: str, tmp_path: Path) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"a{mark}10,0\nb{mark}2.5\n")
    assert read_durations(path) == {"a": 10.0, "b": 2.5}
    path.write_text(f"video{mark}length\na{mark}10,25\n")
    assert read_durations(path) == {"a": 10.25}


@pytest.mark.parametrize("row", ["a", "a,-1", "a,nan", "a,inf", "a,12:30", ",5", "a,long"])
def test_a_row_that_is_not_a_duration_is_left_out_and_shown(
    row: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"b,3\n{row}\n")
    assert read_durations(path) == {"b": 3.0}
    assert caplog.messages == [
        f"{path}: 1 of 2 rows are not an id and its seconds, and are left out (first: the row "
        f"{row!r} in line 2)"
    ]


@pytest.mark.parametrize("row", ["a", "a,-1", "a,nan", "a,12:30", ",5"])
def test_a_first_row_that_is_not_a_header_is_not_skipped(row: str, tmp_path: Path) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"{row}\nb,3\nc,-1\n")
    with pytest.raises(ArgumentError, match=f"the row '{row}' in line 1; each has to be an id"):
        read_durations(path)


def test_cells_may_be_separated_by_tabs(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id\ttext\na\tx, y; z\n")
    assert read_table(path, ["id"]) == [Row(2, {"id": "a", "text": "x, y; z"})]
    path.write_text("id,text\na,x\ty\n")
    assert read_table(path, ["id"]) == [Row(2, {"id": "a", "text": "x\ty"})]


def test_tables_have_lines_and_named_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffid; text\r\n\r\na; "x; y"\r\nb;z\r\n')
    rows = read_table(path, ["text"], unique="id")
    assert [(row.line, dict(row.cells)) for row in rows] == [
        (3, {"id": "a", "text": "x; y"}),
        (4, {"id": "b", "text": "z"}),
    ]
    path.write_text("id,text\na,x\nb,y\na,z\n")
    with pytest.raises(ArgumentError, match="has the id a in lines 2 and 4; remove one"):
        read_table(path, ["id", "text"], unique="id")
    assert len(read_table(path, ["id", "text"])) == 3


def test_ids_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeff video1 \r\n\r\n-x_y\n__z\nvideo1\n".encode())
    assert read_ids(path) == ["video1", "-x_y", "__z"]
    with pytest.raises(ArgumentError, match=r"absent\.txt cannot be read as a list of ids"):
        read_ids(tmp_path / "absent.txt")
    path.write_bytes("café\n".encode("utf-16"))
    assert read_ids(path) == ["café"]
    path.write_bytes(NO_TEXT)
    with pytest.raises(ArgumentError, match=r"list\.txt cannot be read as a list of ids"):
        read_ids(path)


def test_a_long_table_is_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,name\n1,one\n2,\n3\n")
    rows = iterate_table(path, ["id"], unique="id", may_be_blank="name")
    assert next(rows) == Row(2, {"id": "1", "name": "one"})
    assert next(rows) == Row(3, {"id": "2", "name": ""})
    with pytest.raises(ArgumentError, match="has 1 cells in line 4 and 2 in its header"):
        next(rows)
    with pytest.raises(ArgumentError, match=r"no column text; its columns are \['id', 'name'\]"):
        next(iterate_table(path, ["id"], may_be_blank="text"))


def test_a_table_may_be_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id;text\na;une crème brûlée à la carte\n".encode("cp1252"))
    assert read_table(path, ["id"])[0].cells["text"] == "une crème brûlée à la carte"


def test_a_byte_of_a_long_table_that_is_not_utf8_costs_its_cell_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"id,name,file\n1,caf\xe9,caf\xe9.jpg\n2,a,b\n")
    first, second = iterate_table(path, ["id"], named="file")
    assert first == Row(2, {"id": "1", "name": "caf\ufffd", "file": "caf\udce9.jpg"})
    assert second == Row(3, {"id": "2", "name": "a", "file": "b"})
    (message,) = caplog.messages
    assert message.startswith(f"{path}: 2 places are not UTF-8 (first: line 2, ")


def test_columns_are_named_where_no_header_names_them(tmp_path: Path) -> None:
    path = tmp_path / "annotation.csv"
    path.write_text("1, 33.54,39.94\r\n\r\n2;,3,4\n")
    assert read_columns(path, ["step", "start", "end"]) == [
        Row(1, {"step": "1", "start": "33.54", "end": "39.94"}),
        Row(3, {"step": "2;", "start": "3", "end": "4"}),
    ]
    path.write_text("")
    assert read_columns(path, ["step"]) == []
    with pytest.raises(ArgumentError, match=r"absent\.csv cannot be read as a csv"):
        read_columns(tmp_path / "absent.csv", ["step"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,2,3\n1,2\n", "has 2 cells in line 2, and should have 3: step, start, end"),
        ("1,2,3,4\n", "has 4 cells in line 1, and should have 3: step, start, end"),
        ("1,,3\n", "has no start in line 1"),
        ('1,"2,3\n', "cannot be read as a csv"),
    ],
)
def test_a_row_with_other_columns_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "annotation.csv"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=sentence) as caught:
        read_columns(path, ["step", "start", "end"])
    assert str(path) in str(caught.value)
    assert "header" not in str(caught.value)


def test_numbers_of_a_row() -> None:
    row = Row(7, {"start": "33.54", "end": "1e2", "step": "x", "far": "inf", "none": "nan"})
    path = Path("a.csv")
    assert (number_in(path, row, "start"), number_in(path, row, "end")) == (33.54, 100.0)
    for column in ("step", "far", "none"):
        sentence = f"a.csv, line 7: expected a number for {column}, got '{row.cells[column]}'"
        with pytest.raises(ArgumentError, match=sentence):
            number_in(path, row, column)


def test_a_list_that_has_ids_of_the_test_is_refused() -> None:
    listed, test = Path("train.txt"), Path("test.txt")
    require_disjoint(listed, ["a", "b"], test, ["c"])
    with pytest.raises(ArgumentError) as caught:
        require_disjoint(listed, ["d", "c", "b"], test, ["a", "b", "c"])
    assert str(caught.value) == (
        "2 of 3 ids of train.txt are those of the test test.txt (first: b): it is another split's "
        "list; download this one's"
    )
