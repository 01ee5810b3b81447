from pathlib import Path

import pytest

from vtlearn.storage.atomic import remove_leftovers, replace_text, replacing


def test_what_is_not_whole_does_not_appear_and_what_was_there_stays(tmp_path: Path) -> None:
    replace_text(tmp_path / "a.txt", "one")

    def break_off() -> None:
        with replacing(tmp_path / "a.txt") as unfinished:
            unfinished.write_text("tw")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_text_is_replaced(tmp_path: Path) -> None:
    replace_text(tmp_path / "a.json", "one")
    replace_text(tmp_path / "a.json", "two")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["two"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("whole")
    unfinished.write_text("cut off")  # as a process leaves it that is killed in the block
    remove_leftovers(tmp_path.parent)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
