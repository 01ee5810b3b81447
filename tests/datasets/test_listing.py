import os
from pathlib import Path

import pytest

from vtlearn.datasets import listing
from vtlearn.datasets.files import find_videos, video_names
from vtlearn.datasets.listing import Listing, list_videos

NAMES = ("b/part1.mp4", "a/part1.mp4", "a/1. Intro.webm", "top.mkv", "a/text.txt", "a/.x.mp4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(listing, "_LARGE", 1)
    for name in NAMES:
        add(tmp_path / "videos" / name)
    return tmp_path / "videos"


def add(path: Path) -> None:
    """Add a file, at a time long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    for number, each in enumerate((path.parent, path.parent.parent)):
        os.utime(each, ns=(0, len(list(each.iterdir())) * 10**9 + number))


def require_found(listed: Listing, folder: Path) -> None:
    """Compare with what is found anew."""
    found = find_videos(folder)
    assert dict(listed.sources.items()) == {one: str(path) for one, path in found.items()}
    assert list(listed.sources) == list(found)
    names = video_names(folder, found)
    assert dict(listed.names.paths.items()) == dict(names.paths)
    for name in ("part1", "b/part1", "1. Intro", "absent"):
        assert listed.names.meant(name) == names.meant(name)
        assert (name in listed.sources) == (name in found)
        assert listed.sources.get(name) == (str(found[name]) if name in found else None)


def is_kept(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """List again, and tell whether nothing had to be searched."""
    calls = []

    def counted(where: Path) -> dict[str, Path]:
        calls.append(where)
        return find_videos(where)

    with monkeypatch.context() as patched:
        patched.setattr(listing, "find_videos", counted)
        require_found(list_videos(folder, cache), folder)
    return not calls


def test_videos_are_listed_once_until_a_folder_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    before = sorted(folder.rglob("*"))
    assert not is_kept(folder, cache, monkeypatch)
    assert is_kept(folder, cache, monkeypatch)
    assert sorted(folder.rglob("*")) == before  # it may be a disk of someone else's
    add(folder / "b" / "new.mp4")
    assert not is_kept(folder, cache, monkeypatch)
    assert is_kept(folder, cache, monkeypatch)
    (folder / "b" / "part1.mp4").unlink()
    assert not is_kept(folder, cache, monkeypatch)
    (next(cache.glob("videos-*")) / "states").write_bytes(b"cut")
    add(folder / "c" / "deep" / "new.mp4")
    assert not is_kept(folder, cache, monkeypatch)


def test_a_folder_that_has_just_changed_may_change_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    os.utime(folder / "a")
    assert not is_kept(folder, cache, monkeypatch)
    assert not list(tmp_path.glob("cache/*"))


@pytest.mark.parametrize("name", ["a/x.f251.webm", "a/code.ts", "a/part1.webm"])
def test_what_only_files_tell_is_found_each_time(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(folder / name)
    for _ in range(2):
        assert not is_kept(folder, tmp_path / "cache", monkeypatch)


def test_a_cache_that_cannot_be_written_to_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()
    for _ in range(2):
        assert not is_kept(folder, tmp_path / "cache", monkeypatch)
