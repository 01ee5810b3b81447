import hashlib
from pathlib import Path

import pytest

from vtlearn.datasets import annotations
from vtlearn.datasets.annotations import are_published, hash_annotations
from vtlearn.errors import ArgumentError


def write(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content)
    return path


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_one_file_has_its_own_hash(tmp_path: Path) -> None:
    assert hash_annotations([write(tmp_path, "a.csv", "abc")]) == sha256("abc")


def test_several_files_have_a_hash_of_names_and_contents(tmp_path: Path) -> None:
    a, b = write(tmp_path, "a.csv", "1"), write(tmp_path, "b.csv", "2")
    expected = sha256(f"a.csv {sha256('1')}\nb.csv {sha256('2')}\n")
    assert hash_annotations([a, b]) == hash_annotations([b, a]) == expected
    moved = [write(tmp_path / "moved", path.name, path.read_text()) for path in (a, b)]
    assert hash_annotations(moved) == expected
    b.write_text("3")
    assert hash_annotations([a, b]) != expected
    b.write_text("1")
    a.write_text("2")
    assert hash_annotations([a, b]) != expected  # contents that changed places


def test_published_files_are_told_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations, "_PUBLISHED", {"a.csv": sha256("1"), "b.csv": sha256("2")})
    a, b = write(tmp_path, "a.csv", "1"), write(tmp_path, "b.csv", "2")
    other = write(tmp_path, "other.json", "{}")
    assert are_published([a]) is True
    assert are_published([a, b]) is True
    assert are_published([other]) is None
    assert are_published([a, other]) is None
    b.write_text("2\n")
    assert are_published([b]) is False
    assert are_published([a, b]) is False
    assert are_published([b, other]) is False


def test_known_hashes_are_hashes() -> None:
    known = annotations._PUBLISHED
    assert all(len(bytes.fromhex(one)) == 32 for one in known.values())
    assert known["MSRVTT_JSFUSION_test.csv"] == known["msrvtt_test.csv"]


def test_a_rendered_file_is_not_the_published_one(
    youcook2_root: Path, crosstask_root: Path, webvid_root: Path, tmp_path: Path
) -> None:
    assert are_published([youcook2_root / "validation_youcook.csv"]) is False
    assert are_published([crosstask_root / "crosstask.csv"]) is False
    assert are_published([crosstask_root / "videos.csv"]) is False
    assert are_published([webvid_root / "metadata" / "results_2M_val.csv"]) is False
    (tmp_path / "manifest.json").write_text("{}")  # another program's
    assert are_published([write(tmp_path, "results_2M_val.csv", "")]) is None


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "validation_youcook.csv", tmp_path):
        with pytest.raises(ArgumentError, match=f"{path} cannot be read: "):
            hash_annotations([path])
    with pytest.raises(ArgumentError, match="cannot be read: No such file"):
        are_published([tmp_path / "validation_youcook.csv"])
