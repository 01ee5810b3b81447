import os
import shutil
from pathlib import Path

import pytest

from vtlearn.media.features.fingerprints import fingerprint, fingerprints

SIZES = [0, 1, 64 * 1024, 64 * 1024 + 1, 128 * 1024, 300_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_is_the_same_and_another_file_is_not(tmp_path: Path, size: int) -> None:
    data = bytearray(os.urandom(size))
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    known = fingerprint(path)
    shutil.copy(path, tmp_path / "copy")
    os.utime(tmp_path / "copy", (0, 0))
    assert fingerprint(tmp_path / "copy") == known
    others = {known}
    for place in {0, min(size, 64 * 1024) - 1, max(0, size - 64 * 1024), size - 1} if size else ():
        data[place] ^= 1
        path.write_bytes(data)
        data[place] ^= 1
        others.add(fingerprint(path))
    path.write_bytes(data + b"x")
    others.add(fingerprint(path))
    path.write_bytes(data[:-1])
    others.add(fingerprint(path))
    places = {0, min(size, 64 * 1024) - 1, max(0, size - 64 * 1024), size - 1} if size else set()
    assert len(others) == 1 + len(places) + 1 + (size > 0)


def test_what_is_no_file_has_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a writer, for ever
    assert fingerprint(tmp_path / "pipe") == ""
    assert fingerprint(tmp_path) == ""
    assert fingerprint(tmp_path / "absent") == ""


def test_several_in_their_order(tmp_path: Path) -> None:
    paths = {str(number): tmp_path / str(number) for number in range(30, 0, -1)}
    for number, path in paths.items():
        path.write_text(number)
    paths["absent"] = tmp_path / "absent"
    found = fingerprints(paths)
    assert list(found) == list(paths)[:-1]
    assert found == {one: fingerprint(paths[one]) for one in found}
