import hashlib
from pathlib import Path

import pytest

from vtlearn.datasets import annotations
from vtlearn.datasets.annotations import are_published, hash_annotations
from vtlearn.errors import ArgumentError


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_one_file_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x\n")
    assert hash_annotations([path]) == hashlib.sha256(b"x\n").hexdigest()


def test_several_files_are_hashed_by_name_in_any_order(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.csv", "x\n"), write(tmp_path / "b.csv", "y\n")
    both = hash_annotations([one, two])
    assert both == hash_annotations([two, one])
    lines = "".join(
        f"{name} {hashlib.sha256(text).hexdigest()}\n"
        for name, text in (("a.csv", b"x\n"), ("b.csv", b"y\n"))
    )
    assert both == hashlib.sha256(lines.encode()).hexdigest()
    write(two, "z\n")
    assert both != hash_annotations([one, two])


def test_published_files_are_known_by_name_and_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = write(tmp_path / "known.csv", "x\n")
    unknown = write(tmp_path / "unknown.csv", "y\n")
    monkeypatch.setitem(
        vars(annotations)["_PUBLISHED"], "known.csv", hashlib.sha256(b"x\n").hexdigest()
    )
    assert are_published([known]) is True
    assert are_published([unknown]) is None
    assert are_published([known, unknown]) is None
    write(known, "x \n")
    assert are_published([known]) is False
    assert are_published([known, unknown]) is False


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"none\.csv cannot be read: No such file"):
        hash_annotations([tmp_path / "none.csv"])
