from pathlib import Path

import pytest

from tests.media.video.sounds import tone, write_sound
from tests.media.video.writing import write_video
from vtlearn.transcription.formats import SoundBeside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Formats of one video, and what is none of it."""
    for name in ("a.f251.webm", "a.f140.m4a", "a.m4a", "a.MKA", "ab.m4a", "a.f1.m4a.part", "a.srt"):
        (tmp_path / name).touch()
    write_video(tmp_path / "a.f399.mp4", range(3))
    write_video(tmp_path / "a.f2.mp4", range(3))
    return tmp_path


def test_files_of_its_own_name_come_first_and_those_with_a_picture_are_others(folder: Path) -> None:
    def found(name: str) -> list[str]:
        return [path.name for path in SoundBeside().of(folder / name)]

    formats = ["a.f140.m4a", "a.f251.webm"]
    assert found("a.f399.mp4") == ["a.MKA", *formats, "a.m4a"]
    assert found("a.mp4") == ["a.MKA", "a.m4a", *formats]
    assert found("ab.mp4") == []
    assert found("b.mp4") == []


def test_a_file_of_its_own_name_may_have_a_picture(folder: Path) -> None:
    write_sound(folder / "c.mkv", tone(0, 1, 1), picture=1)
    write_video(folder / "c.mp4", range(3))
    assert SoundBeside().of(folder / "c.mp4") == [folder / "c.mkv"]


def test_each_folder_is_looked_at(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.mp4").touch()
    (folder / "deep" / "a.ogg").touch()
    beside = SoundBeside()
    assert len(beside.of(folder / "a.mp4")) == 4
    assert beside.of(folder / "deep" / "a.mp4") == [folder / "deep" / "a.ogg"]
