from pathlib import Path

from vtlearn.datasets.lists import read_video_list
from vtlearn.datasets.video_list import write_video_list
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
