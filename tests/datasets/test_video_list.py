from pathlib import Path

import pytest

from vtlearn.datasets.video_list import read_video_list, write_video_list
from vtlearn.errors import ArgumentError
from vtlearn.media.ids import VideoNames

IDS = ["1. Intro.mp4", "salt, pepper", 'a "b" c', "x/talk", "y/talk", "two\nlines", "a;b", "#1"]
SPACED = [" before", "after ", "\tboth\t"]


def test_ids_are_read_back_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_video_list(path, IDS)
    assert read_video_list(path) == IDS
    write_video_list(path, [*IDS, *SPACED])  # over the former one
    known = VideoNames({one: one for one in [*IDS, *SPACED]})
    assert read_video_list(path, known) == [*IDS, *SPACED]
    assert list(tmp_path.iterdir()) == [path]


def test_a_list_may_be_empty(tmp_path: Path) -> None:
    write_video_list(tmp_path / "list.csv", [])
    assert read_video_list(tmp_path / "list.csv") == []


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("video_path\nfood/a_b.webm\n-x.f137.MP4\n", ["a_b", "-x.f137"]),
        ("video_path\n1. Intro.mp4\n1. Outro.mp4\n1. Intro.webm\n", ["1. Intro", "1. Outro"]),
        ("video_path\na/1.mp4\n./b/1.mp4\nb/2.mp4\n", ["a/1", "b/1", "2"]),
        ("video_id\n1. Intro\na/1.mp4\n", ["1. Intro", "a/1.mp4"]),
        ("video_id, video_path\nq, food/a.mp4\n", ["a"]),  # howtocaption's space after the comma
        ("video_id,category_1\na,Cars & Other Vehicles\na,Food\n\nb,Food\n", ["a", "b"]),
        ('\ufeffvideo_path\n"a,b.mp4"\n', ["a,b"]),
        ("video_id,rank\nv1 ,1\n v1,2\n,\n  \nv2\t,3\n", ["v1", "v2"]),
        ("video_path \nfood/v1 \n", ["v1"]),
        ("video_path\n", []),
    ],
)
def test_ids_are_read_from_paths_or_ids(text: str, ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    assert read_video_list(path) == ids


TWINS = VideoNames({"a/part": "a/part", "b/part": "b/part", "one": "a/one", "1. x": "1. x"})


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("video_path\n/data/b/part.mp4\na/part.mp4\nmoved/one.mp4\n", ["b/part", "a/part", "one"]),
        ("video_path\n1. x.mp4\n1. y.mp4\n", ["1. x", "1. y"]),
        ("video_path\na/one.mp4\nb/one.mp4\n", ["one", "b/one"]),  # the other is missing
        ("video_id\na/part\n1. x\nc/one\n", ["a/part", "1. x", "c/one"]),
    ],
)
def test_a_list_means_the_videos_there_are(text: str, ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    assert read_video_list(path, TWINS) == ids


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("video_path\none.mp4\npart.mp4\n", "part.mp4 in line 3, which may mean a/part or b/part"),
        ("video_path\nc/part.mp4\n", "c/part.mp4 in line 2, which may mean a/part or b/part"),
        ("video_id\npart\n", "part in line 2, which may mean a/part or b/part"),
        ("video_path\nx/one.mp4\ny/one.mp4\n", "x/one.mp4 in line 2 and y/one.mp4 in line 3"),
    ],
)
def test_a_row_that_may_mean_two_videos_is_refused(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArgumentError, match=sentence):
        read_video_list(path, TWINS)


def test_names_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"video_path\nfood/caf\xe9.mp4\n100%25.mp4\n")
    assert read_video_list(path) == ["caf%E9", "100%2525"]
    known = VideoNames({"x/caf%E9": "x/caf%E9", "y/caf%E9": "y/caf%E9", "100%2525": "100%2525"})
    path.write_bytes(b"video_path\ny/caf\xe9.mp4\n100%25.mp4\nx/caf%E9.mp4\n")
    assert read_video_list(path, known) == ["y/caf%E9", "100%2525", "x/caf%E9"]
    one = VideoNames({"caf%E9": "x/caf%E9"})
    path.write_bytes(b"video_path\nx/caf\xe9.mp4\ny/caf\xe9.mp4\n")  # the other is missing
    assert read_video_list(path, one) == ["caf%E9", "y/caf%E9"]
    path.write_bytes(b"video_id\ncaf\xe9\ncaf%E9\n")
    assert read_video_list(path) == ["caf%E9"]


def test_a_list_may_be_as_powershell_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("video_path\r\ncafé.mp4\r\n".encode("utf-16"))
    assert read_video_list(path) == ["café"]


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


@pytest.mark.parametrize("row", ["3", "3,", "3, ", "3,.mp4"])
def test_a_row_that_names_no_video_is_shown(row: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f'rank,video_path\n1,"a\nb.mp4"\n\n{row}\n4,c.mp4\n', encoding="utf-8")
    message = rf"list\.csv has the row '{row.strip()}' in line 5, which names no video"
    with pytest.raises(ArgumentError, match=message):
        read_video_list(path)


def test_an_id_may_end_like_a_video(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("video_path\ntalks/Node.ts\nfilm.ts\ngone.ts\n")
    known = VideoNames({"Node.ts": "talks/Node.ts", "film": "film"})
    assert read_video_list(path, known) == ["Node.ts", "film", "gone"]
