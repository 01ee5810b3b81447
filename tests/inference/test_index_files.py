import json
import logging
import stat
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from vtlearn.errors import VTLearnError
from vtlearn.inference.index_files import FileStamp, IndexedVideo, IndexFolder, PackedVideos


def video(place: str, windows: int = 2, size: int = 5) -> IndexedVideo:
    vectors = torch.arange(windows * 3).view(windows, 3).half()
    spans = torch.arange(windows * 2).view(windows, 2).double()
    return IndexedVideo(FileStamp(place, size, 7), vectors, spans)


def lost(place: str) -> IndexedVideo:
    nothing = PackedVideos.of([])
    return IndexedVideo(FileStamp(place, 5, 7), *nothing[1:], "open", "moov atom not found")


def same(one: IndexedVideo, other: IndexedVideo) -> bool:
    plain = (one.stamp, one.stage, one.reason) == (other.stamp, other.stage, other.reason)
    if not len(one.vectors):  # without rows there is no width
        return plain and not len(other.vectors) and not len(other.spans)
    return plain and one.vectors.equal(other.vectors) and one.spans.equal(other.spans)


def test_a_stamp_tells_a_file_from_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lesson" / "a.mp4"
    path.parent.mkdir()
    assert FileStamp.of(tmp_path, path) == ("lesson/a.mp4", -1, 0)
    path.write_text("12345")
    stamp = FileStamp.of(tmp_path, path)
    assert stamp[:2] == ("lesson/a.mp4", 5)
    path.write_text("54321")
    assert FileStamp.of(tmp_path, path)[:2] == stamp[:2]
    assert FileStamp.of(tmp_path, path).mtime_ns >= stamp.mtime_ns


@pytest.mark.parametrize("place", ["a.mp4", "caf\udce9/ü.mp4"])
def test_what_is_added_and_packed_is_read_again(tmp_path: Path, place: str) -> None:
    files = IndexFolder(tmp_path, {"model": "m"})
    mine, other = video(place), lost("b.mp4")
    files.add(mine)
    files.add(other)
    packed, new = IndexFolder(tmp_path, {"model": "m"}).read()
    assert not packed.videos
    assert same(new[mine.stamp], mine)
    assert same(new[other.stamp], other)
    found = files.find(mine.stamp)
    assert found is not None
    assert same(found, mine)
    assert files.find(mine.stamp._replace(size=6)) is None
    files.pack(PackedVideos.of([other, mine]), [mine.stamp, other.stamp])
    packed, new = files.read()
    assert not new
    assert [same(*pair) for pair in zip(packed.videos, [other, mine], strict=True)] == [True, True]
    assert packed.vectors.equal(mine.vectors)
    assert json.loads((tmp_path / "index.json").read_text())["model"] == "m"


def test_others_may_read_what_they_may_read_of_the_folder(tmp_path: Path) -> None:
    files = IndexFolder(tmp_path, {})
    files.pack(PackedVideos.of([video("a.mp4")]), [])
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("videos.safetensors", "index.json")
    ]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("kept", [0, 4, 50, -1])
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_damaged_is_said_and_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: int, packed: bool
) -> None:
    files = IndexFolder(tmp_path, {})
    if packed:
        files.pack(PackedVideos.of([video("a.mp4")]), [])
        path = tmp_path / "videos.safetensors"
    else:
        files.add(video("a.mp4"))
        (path,) = (tmp_path / "new").iterdir()
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        there, new = files.read()
    assert not there.videos
    assert not new
    assert f"{path} is damaged" in caplog.text
    assert not path.exists()


def test_counts_have_to_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = IndexFolder(tmp_path, {})
    one = video("a.mp4")
    files.pack(PackedVideos([one], one.vectors[:1], one.spans[:1]), [])
    assert not files.read()[0].videos
    assert "1 vectors and 1 spans of 2 windows" in caplog.text


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "Error while serializing: I/O error: No space left on device (os error 28)"
        raise SafetensorError(message)

    files = IndexFolder(tmp_path, {})
    monkeypatch.setattr("vtlearn.inference.index_files.save_file", fail)
    with pytest.raises(VTLearnError, match=r"cannot be written .*No space left.*: make room"):
        files.add(video("a.mp4"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "index.json"]
