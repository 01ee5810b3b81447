import os
import time
from pathlib import Path
from typing import Any

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


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    path = tmp_path / f"{'a' * (longest - 5)}.json"
    replace_text(path, "one")
    assert path.read_text() == "one"


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("whole")
    unfinished.write_text("cut off")  # as a process leaves it that is killed in the block
    remove_leftovers(tmp_path.parent)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, []),
        ({"nested": False}, ["deep/.b.1.unfinished"]),
        ({"unused_for": 3600.0}, [".young.2.unfinished"]),
    ],
)
def test_what_is_young_or_deep_may_be_spared(
    options: dict[str, Any], left: list[str], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    ages = {".a.0.unfinished": 4000, "deep/.b.1.unfinished": 4000, ".young.2.unfinished": 60}
    for name, age in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    remove_leftovers(tmp_path, **options)
    assert [name for name in ages if (tmp_path / name).exists()] == left
