from pathlib import Path

import pytest

from vtlearn.cli.commands.chosen_videos import choose_videos
from vtlearn.errors import ArgumentError


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    for name in ("b.mp4", "lesson1/part1.mp4", "lesson2/part1.webm", "a.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_all_videos_of_a_folder_are_chosen(videos: Path) -> None:
    chosen = choose_videos(videos)
    assert chosen.paths == {
        "b": videos / "b.mp4",
        "lesson1/part1": videos / "lesson1" / "part1.mp4",
        "lesson2/part1": videos / "lesson2" / "part1.webm",
    }
    assert chosen.names.meant("b") == ["b"]


def test_those_of_a_list_are_chosen_in_its_order(videos: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("video_path\nlesson2/part1.webm\nb.mp4\n")
    chosen = choose_videos(videos, listed)
    assert list(chosen.paths) == ["lesson2/part1", "b"]
    assert len(chosen.names.paths) == 3


def test_videos_have_to_be_there(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="is not a directory; VIDEOS is where the videos are"):
        choose_videos(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match=r"no video is in .*empty; give a folder of videos"):
        choose_videos(tmp_path / "empty")
    listed = tmp_path / "list.csv"
    listed.write_text("video_path\nc.mp4\nb.mp4\n")
    with pytest.raises(ArgumentError, match=r"1 of 2 videos of .* are not in .*: c\. Download"):
        choose_videos(videos, listed)
