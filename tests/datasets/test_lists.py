from pathlib import Path

import pytest

from vtlearn.datasets.lists import read_durations, read_video_list
from vtlearn.errors import ArgumentError


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("video_path\nfood/a_b.webm\n-x.f137.mp4\n", ["a_b", "-x"]),
        ("video_id, video_path\nq, food/a.mp4\n", ["a"]),  # howtocaption's space after the comma
        ("video_id,category_1\na,Cars & Other Vehicles\na,Food\n\nb,Food\n", ["a", "b"]),
        ('\ufeffvideo_path\n"a,b.mp4"\n', ["a,b"]),
        ("rank,video_path\n1\n2,c.mp4\n3,\n", ["c"]),
        ("video_path\n", []),
    ],
)
def test_ids_are_read_from_paths_or_ids(text: str, ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    assert read_video_list(path) == ids


def test_a_list_without_ids_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("path,rank\na.mp4,1\n", encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"list\.csv has no column video_path .*'path', 'rank'"):
        read_video_list(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(ArgumentError, match="no column video_path"):
        read_video_list(path)
    with pytest.raises(ArgumentError, match="No such file"):
        read_video_list(tmp_path / "absent.csv")


@pytest.mark.parametrize("header", ["", "vid,vlen\n", "vid, vlen\n"])
def test_durations_are_read_with_a_header_or_without(header: str, tmp_path: Path) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"{header}-CTPAZ2euJ2,125.4\na, 3\n", encoding="utf-8")
    assert read_durations(path) == {"-CTPAZ2euJ2": 125.4, "a": 3.0}


@pytest.mark.parametrize("row", ["a,long", "a", "a,-1", "a,nan"])
def test_a_row_that_is_no_duration_is_shown(row: str, tmp_path: Path) -> None:
    path = tmp_path / "htm_vlen.csv"
    path.write_text(f"b,3\n{row}\n", encoding="utf-8")
    with pytest.raises(ArgumentError, match=f"the row '{row}'"):
        read_durations(path)
