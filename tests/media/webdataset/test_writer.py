import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.webdataset.index import INDEX, open_shards, read_entries
from vtlearn.media.webdataset.reader import LARGEST, read_shard
from vtlearn.media.webdataset.writer import ShardWriter, require_unfinished


def files(number: int) -> dict[str, bytes]:
    return {"mp4": bytes([number]) * (700 * number), "json": json.dumps({"n": number}).encode()}


def pack(folder: Path, numbers: range = range(10), **limits: Any) -> ShardWriter:
    with ShardWriter(folder, **limits) as writer:
        for number in numbers:
            if f"{number:03d}" not in writer.done:
                writer.add(f"{number:03d}", files(number))
    return writer


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    pack(tmp_path, max_samples=4)
    samples = [
        sample for shard in open_shards(tmp_path).shards for sample in read_shard(shard.path)
    ]
    assert [(sample.key, sample.files) for sample in samples] == [
        (f"{number:03d}", files(number)) for number in range(10)
    ]
    assert list(samples[0].files) == ["json", "mp4"]


def test_the_index_says_what_is_there(tmp_path: Path) -> None:
    pack(tmp_path, max_samples=4)
    _, entries, finished = read_entries(tmp_path / INDEX)
    assert finished
    assert [entry.samples for entry in entries] == [4, 4, 2]
    for entry in entries:
        data = (tmp_path / entry.shard).read_bytes()
        assert entry.bytes == len(data)
        assert entry.sha256 == hashlib.sha256(data).hexdigest()
        with tarfile.open(tmp_path / entry.shard) as archive:
            assert archive.getnames() == [
                f"{key}.{extension}" for key in entry.keys for extension in ("json", "mp4")
            ]


def test_bytes_are_a_function_of_what_is_packed(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(b"video")
    for name in ("a", "b"):
        with ShardWriter(tmp_path / name) as writer:
            writer.add("x", {"mp4": video, "json": b"{}"})
        os.utime(video, (1, 1))
        video.chmod(0o600)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with tarfile.open(tmp_path / "a" / "00000.tar") as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            assert member.mode == 0o644


def test_shards_keep_to_their_bytes(tmp_path: Path) -> None:
    limit = 20480
    entries = pack(tmp_path, range(20), max_bytes=limit).entries
    assert all(entry.bytes <= limit for entry in entries)
    assert len(entries) > 2
    for one, after in pairwise(entries):  # and no shard could have taken one sample more
        assert 1024 + sum(map(size, one.keys)) + size(after.keys[0]) > limit


def size(key: str) -> int:
    """What a sample takes in a tar file."""
    return sum(512 + -(-len(data) // 512) * 512 for data in files(int(key)).values())


def test_one_large_sample_has_a_shard_of_its_own(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, max_bytes=5000) as writer:
        for key, size in (("a", 10), ("b", 9000), ("c", 10)):
            writer.add(key, {"mp4": bytes(size)})
    assert [entry.keys for entry in writer.entries] == [["a"], ["b"], ["c"]]


def test_packing_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    pack(tmp_path / "whole", max_samples=3)
    with pytest.raises(RuntimeError, match="interrupted"):
        interrupt(tmp_path / "again", 8)
    assert [path.name for path in sorted((tmp_path / "again").glob("*.tar"))] == [
        "00000.tar",
        "00001.tar",
    ]
    assert "000" in ShardWriter(tmp_path / "again", max_samples=3).done
    pack(tmp_path / "again", max_samples=3)
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def interrupt(folder: Path, after: int) -> None:
    with ShardWriter(folder, max_samples=3) as writer:
        for number in range(after):
            writer.add(f"{number:03d}", files(number))
        message = "interrupted"
        raise RuntimeError(message)


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from vtlearn.media.webdataset.writer import ShardWriter
from tests.media.webdataset.test_writer import files

class Killed(ShardWriter):
    def _note(self, record):
        if record.get("shard") == "00002.tar":  # it is there, and its line half written
            with (self.folder / "index.jsonl").open("a") as file:
                file.write('{"shard": "00002.t')
            (self.folder / ".00003.tar.1.unfinished").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        super()._note(record)

with Killed(Path(sys.argv[1]), max_samples=3) as writer:
    for number in range(10):
        writer.add(f"{number:03d}", files(number))
"""


def test_packing_that_was_killed_gives_the_same_bytes(tmp_path: Path) -> None:
    pack(tmp_path / "whole", max_samples=3)
    folder = tmp_path / "killed"
    code = subprocess.run([sys.executable, "-c", KILLED, folder], check=False).returncode
    assert code == -signal.SIGKILL
    with pytest.raises(ShardError, match="not packed to the end"):
        open_shards(folder)
    writer = pack(folder, max_samples=3)
    assert len(writer.entries) == 4
    assert contents(folder) == contents(tmp_path / "whole")


def test_other_limits_do_not_go_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="interrupted"):
        interrupt(tmp_path, 4)
    with pytest.raises(ArgumentError, match="other settings: max_samples: 3 there, 4 now"):
        ShardWriter(tmp_path, max_samples=4)
    with pytest.raises(ArgumentError, match=r"other settings: keep: None there, 0\.5 now"):
        ShardWriter(tmp_path, max_samples=3, settings={"keep": 0.5})
    (tmp_path / "00000.tar").write_bytes(b"short")
    with pytest.raises(ArgumentError, match=r"00000\.tar is not what index\.jsonl says"):
        ShardWriter(tmp_path, max_samples=3)


def test_limits_may_change_where_nothing_is_packed(tmp_path: Path) -> None:
    ShardWriter(tmp_path, max_samples=3)
    assert [entry.samples for entry in pack(tmp_path, max_samples=4).entries] == [4, 4, 2]
    assert read_entries(tmp_path / INDEX)[0]["max_samples"] == 4


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/absent", "occupied"])
def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "occupied" / INDEX).mkdir(parents=True)
    with pytest.raises(ArgumentError, match=f"{place} cannot be written to .*; choose another"):
        ShardWriter(tmp_path / place)


def test_what_is_there_stays(tmp_path: Path) -> None:
    pack(tmp_path / "a")
    with pytest.raises(ArgumentError, match="holds finished shards"):
        ShardWriter(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "00000.tar").write_bytes(b"somebody's")
    with pytest.raises(ArgumentError, match=r"00000\.tar is there, but no index\.jsonl"):
        ShardWriter(tmp_path / "b")
    with pytest.raises(ArgumentError, match="max_samples=0"):
        ShardWriter(tmp_path / "c", max_samples=0)


def test_a_folder_can_be_looked_at_before_there_is_anything_to_write(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_samples": 3, "max_bytes": 1_000_000_000}
    require_unfinished(tmp_path / "new", **limits, settings={"keep": 0.5})
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(RuntimeError, match="interrupted"):
        interrupt(tmp_path / "begun", 8)
    require_unfinished(tmp_path / "begun", **limits)
    with pytest.raises(ArgumentError, match=r"other settings: keep: None there, 0\.5 now"):
        require_unfinished(tmp_path / "begun", **limits, settings={"keep": 0.5})
    pack(tmp_path / "begun", max_samples=3)
    with pytest.raises(ArgumentError, match="holds finished shards"):
        require_unfinished(tmp_path / "begun", **limits)


@pytest.mark.parametrize("key", ["a.b", "", ".a", "../a", "/a", "x/../../a", "./a", "C:a"])
def test_keys_that_could_not_be_read_back_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ArgumentError, match="could not be read back"):
        ShardWriter(tmp_path).add(key, {"txt": b""})


def test_a_member_that_the_reader_refuses_for_its_size_is_not_written(tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)  # a hole, which takes no room
    with ShardWriter(tmp_path / "shards") as writer:
        with pytest.raises(ArgumentError, match=r"'a' .* its \.mp4 has 4294967297 bytes; 42949"):
            writer.add("a", {"json": b"{}", "mp4": large})
        writer.add("b", {"json": b"{}", "mp4": b"video"})
    assert list(open_shards(tmp_path / "shards").keys) == ["b"]
    info = tarfile.TarInfo("a.mp4")
    info.size = LARGEST + 1
    (tmp_path / "large.tar").write_bytes(info.tobuf())
    with pytest.raises(ShardError, match="4294967297 bytes; 4294967296 are the most"):
        next(read_shard(tmp_path / "large.tar"))


def test_samples_that_cannot_be_packed(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path)
    for files in ({"MP4": b""}, {}):
        with pytest.raises(ArgumentError, match="could not be read back"):
            writer.add("a", files)
    with pytest.raises(ShardError, match=r"absent\.mp4 cannot be packed: No such file"):
        writer.add("a", {"mp4": tmp_path / "absent.mp4"})
    writer.add("a", {"txt": b""})
    with pytest.raises(ArgumentError, match="'a' is packed already"):
        writer.add("a", {"txt": b""})


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(1000))
    writer = ShardWriter(tmp_path / "shards")
    writer.add("a", {"mp4": video})
    video.unlink()
    with pytest.raises(ShardError, match=r"video\.mp4 cannot be packed: No such file"):
        writer.finish()
    assert [path.name for path in (tmp_path / "shards").iterdir()] == [INDEX]
    video.write_bytes(bytes(1000))
    (tmp_path / "shards" / "00000.tar").mkdir()
    with pytest.raises(ShardError, match=r"00000\.tar cannot be written: .*[Dd]irectory"):
        writer.finish()


@pytest.mark.parametrize("key", ["nVbIUDjzWY4", "-CTPAZ2euJ2", "x" * 300, "möhre/karotte"])
def test_webdataset_reads_ours(tmp_path: Path, key: str) -> None:
    webdataset = pytest.importorskip("webdataset")
    with ShardWriter(tmp_path) as writer:
        writer.add(key, {"mp4": b"video", "json": b'{"caption": "chop"}'})
        writer.add("other", {"mp4": b"more", "json": b"{}"})
    data = webdataset.WebDataset(str(tmp_path / "00000.tar"), shardshuffle=False)
    first, second = list(data)
    assert (first["__key__"], first["mp4"], first["json"]) == (
        key,
        b"video",
        b'{"caption": "chop"}',
    )
    assert second["__key__"] == "other"


def test_we_read_webdatasets(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "00000.tar")) as sink:
        for number in range(3):
            sink.write({"__key__": f"{number:09d}", "jpg": b"picture", "txt": "two apples"})
    index = open_shards(tmp_path, progress=False)
    assert list(index.keys) == ["000000000", "000000001", "000000002"]
    sample = next(read_shard(index.shards[0].path))
    assert sample.files == {"jpg": b"picture", "txt": b"two apples"}


def test_gnu_tar_agrees(tmp_path: Path) -> None:
    pack(tmp_path / "shards")
    listed = subprocess.run(
        ["tar", "tf", tmp_path / "shards" / "00000.tar"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    assert listed.stderr == ""
    assert len(listed.stdout.splitlines()) == 20
    assert io.StringIO(listed.stdout).readline() == "000.json\n"
