import json
import os
from pathlib import Path

import pytest

from tests.media.webdataset.tars import member, pictures, write_tar
from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.webdataset import index as shard_index
from vtlearn.media.webdataset.index import (
    INDEX,
    ShardEntry,
    id_prefixes,
    open_shards,
    read_entries,
)
from vtlearn.media.webdataset.reader import sample_key
from vtlearn.media.webdataset.writer import ShardWriter


def test_shards_of_others_are_counted_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures(tmp_path / "00000.tar", "000000000", "000000001")
    pictures(tmp_path / "00001.tar", "000010000")
    write_tar(tmp_path / "00002.tar", member("x.jpg"), member("y.jpg"), member("y.txt"))
    index = open_shards(tmp_path, progress=False)
    assert [(shard.path.name, shard.samples) for shard in index.shards] == [
        ("00000.tar", 2),
        ("00001.tar", 1),
        ("00002.tar", 1),
    ]
    assert list(index.keys) == ["000000000", "000000001", "000010000", "y"]
    assert "1 of 5 samples have no video or picture, or no text" in caplog.text
    (counts,) = (tmp_path / ".vtlearn").iterdir()
    counts.write_text(counts.read_text().replace('"samples": 2', '"samples": 7'))
    assert open_shards(tmp_path, progress=False).shards[0].samples == 7  # it was not counted again
    os.utime(tmp_path / "00000.tar", ns=(1, 1))
    assert open_shards(tmp_path, progress=False).shards[0].samples == 2


def test_counts_can_be_kept_elsewhere(tmp_path: Path) -> None:
    pictures(tmp_path / "00000.tar", "000000000")
    open_shards(tmp_path / "00000.tar", cache=tmp_path / "cache", progress=False)
    assert not (tmp_path / ".vtlearn").exists()
    assert len(list((tmp_path / "cache").glob("shards-*.jsonl"))) == 1


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The shards that are counted from now on."""
    paths: list[Path] = []
    real = shard_index._count

    def count(path: Path) -> ShardEntry:
        paths.append(path)
        return real(path)

    monkeypatch.setattr(shard_index, "_count", count)
    return paths


def test_folders_that_share_a_cache_keep_their_counts_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in (("a", "000"), ("b", "111")):
        (tmp_path / name).mkdir()
        pictures(tmp_path / name / "00000.tar", key)
        os.utime(tmp_path / name / "00000.tar", ns=(1, 1))  # of one size too
    paths = counted(monkeypatch)
    for name, key in (("a", "000"), ("b", "111"), ("a", "000")):
        index = open_shards(tmp_path / name, cache=tmp_path / "cache", progress=False)
        assert list(index.keys) == [key]
    assert len(paths) == 2  # each once
    (tmp_path / "moved").mkdir()
    for name in ("a", "cache"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    open_shards(tmp_path / "moved" / "a", cache=tmp_path / "moved" / "cache", progress=False)
    assert len(paths) == 2


@pytest.mark.parametrize("cache", ["file", "file/below", "/proc/absent", None])
def test_a_cache_that_cannot_be_written_is_found_out_before_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str | None
) -> None:
    pictures(tmp_path / "00000.tar", "000")
    (tmp_path / "file").touch()
    (tmp_path / ".vtlearn").touch()  # beside read-only shards it is no better
    paths = counted(monkeypatch)
    words = r"00000\.tar has no index\.jsonl.* cannot be written to .*; give another .* cache"
    with pytest.raises(ArgumentError, match=words):
        open_shards(tmp_path, cache=cache and tmp_path / cache, progress=False)  # type: ignore[arg-type]
    assert paths == []


def test_keys_that_repeat_are_told_apart_by_their_shards(tmp_path: Path) -> None:
    """img2dataset numbers the samples of each set from 0."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pictures(tmp_path / name / "00000.tar", "000000000", "000000001")
    pictures(tmp_path / "a" / "00001.tar", "000010000")
    both = open_shards([tmp_path / "a", tmp_path / "b"], progress=False)
    ids = [
        *("a/00000.tar/000000000", "a/00000.tar/000000001"),
        "a/00001.tar/000010000",
        *("b/00000.tar/000000000", "b/00000.tar/000000001"),
    ]
    assert list(both.keys) == ids
    assert [shard.prefix for shard in both.shards] == [
        "a/00000.tar/",
        "a/00001.tar/",
        "b/00000.tar/",
    ]
    alone = open_shards(tmp_path / "a", progress=False)
    assert list(alone.keys) == ["000000000", "000000001", "000010000"]
    assert {shard.prefix for shard in alone.shards} == {""}


def test_prefixes_take_as_many_folders_as_it_needs() -> None:
    paths = [Path("/x/a/s/0.tar"), Path("/x/b/s/0.tar"), Path("/x/b/s/1.tar")]
    assert id_prefixes(paths, ["k", "k"]) == ["a/s/0.tar/", "b/s/0.tar/", "b/s/1.tar/"]
    assert id_prefixes(paths[1:], ["k", "k"]) == ["0.tar/", "1.tar/"]
    assert id_prefixes(paths, ["j", "k"], ["k"]) == ["", "", ""]
    assert id_prefixes(paths[1:], ["j", "k"], ["k", "k"]) == ["0.tar/", "1.tar/"]


def test_a_shard_given_in_two_ways_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path / "00000.tar", "000")
    monkeypatch.chdir(tmp_path)
    index = open_shards([Path("00000.tar"), tmp_path / "00000.tar", Path()], progress=False)
    assert list(index.keys) == ["000"]


def test_a_key_twice_in_a_shard_is_refused(tmp_path: Path) -> None:
    names = [f"{key}.{extension}" for key in ("a", "b", "a") for extension in ("jpg", "txt")]
    write_tar(tmp_path / "00000.tar", *(member(name) for name in names))
    with pytest.raises(ShardError, match=r"00000\.tar has samples 'a' in several places"):
        open_shards(tmp_path, progress=False)


def packed(folder: Path, count: int = 5) -> Path:
    with ShardWriter(folder, max_samples=2) as writer:
        for number in range(count):
            writer.add(f"{number}", {"mp4": b"video", "json": b"{}"})
    return folder


def test_packed_shards_have_their_index(tmp_path: Path) -> None:
    index = open_shards(packed(tmp_path / "a"))
    assert [shard.samples for shard in index.shards] == [2, 2, 1]
    assert list(index.keys) == ["0", "1", "2", "3", "4"]
    assert not (tmp_path / "a" / ".vtlearn").exists()


def test_ids_that_are_no_keys_are_in_the_index_or_in_the_samples(tmp_path: Path) -> None:
    ids = ["1. Intro", "a/v.1", "b", "50%"]
    for name in "xy":
        with ShardWriter(tmp_path / name, max_samples=2) as writer:
            for one in ids:
                record = json.dumps({"id": one, "caption": "so"}).encode()
                writer.add(sample_key(one), {"mp4": b"", "json": record}, video_id=one)
        assert list(open_shards(tmp_path / name).keys) == ids
    assert '"ids": ["1. Intro", "a/v.1"]' in (tmp_path / "x" / INDEX).read_text()
    (tmp_path / "y" / INDEX).unlink()
    for _ in range(2):  # counted, and then remembered
        assert list(open_shards(tmp_path / "y", progress=False).keys) == ids
    both = open_shards([tmp_path / "x", tmp_path / "y"], progress=False)
    assert list(both.keys)[:2] == ["x/00000.tar/1. Intro", "x/00000.tar/a/v.1"]
    packed(tmp_path / "plain")
    assert '"ids"' not in (tmp_path / "plain" / INDEX).read_text()


def test_shards_are_named_in_several_ways(tmp_path: Path) -> None:
    packed(tmp_path / "a")
    packed(tmp_path / "b")

    def names(source: Path | list[Path]) -> list[str]:
        index = open_shards(source)
        return [str(shard.path.relative_to(tmp_path)) for shard in index.shards]

    assert names(tmp_path / "{a,b}" / "{00000..00001}.tar") == [
        *("a/00000.tar", "a/00001.tar"),
        *("b/00000.tar", "b/00001.tar"),
    ]
    assert names(Path(f"{tmp_path}/b/00002.tar::{tmp_path}/a/00000.tar")) == [
        "b/00002.tar",
        "a/00000.tar",
    ]
    assert names([tmp_path / "a", tmp_path / "a" / "00000.tar"]) == [
        f"a/0000{number}.tar" for number in range(3)
    ]


def test_what_does_not_fit_its_index_is_refused(tmp_path: Path) -> None:
    folder = packed(tmp_path / "a")
    with (folder / "00001.tar").open("ab") as file:
        file.write(bytes(512))
    with pytest.raises(
        ShardError, match=r"00001\.tar has 10752 bytes, but index\.jsonl says 10240"
    ):
        open_shards(folder)
    with pytest.raises(ShardError, match=r"absent is not there: give a folder"):
        open_shards(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ShardError, match=r"holds no \.tar file"):
        open_shards(tmp_path / "empty")
    with pytest.raises(ShardError, match="names no shard"):
        open_shards([])


def test_a_shard_that_is_gone_is_missed(tmp_path: Path) -> None:
    folder = packed(tmp_path / "a")
    (folder / "00001.tar").unlink()
    with pytest.raises(ShardError, match=r"00001\.tar.*not there"):
        open_shards(folder)
    assert len(open_shards(folder / "00000.tar").keys) == 2  # one may still be chosen


def test_an_index_without_its_end_is_refused(tmp_path: Path) -> None:
    folder = packed(tmp_path / "a")
    lines = (folder / INDEX).read_text().splitlines(keepends=True)
    (folder / INDEX).write_text("".join(lines[:-1]))
    with pytest.raises(ShardError, match="not packed to the end; the same `vtlearn data pack`"):
        open_shards(folder)


@pytest.mark.parametrize(
    "text", ["[1]\n", "nonsense\n", '{"version": 2}\n', '{"version": 1}\n{}\n']
)
def test_what_is_no_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(ShardError, match=r"index\.jsonl, line [12]"):
        read_entries(tmp_path / INDEX)


def test_samples_that_are_torn_apart_are_told(tmp_path: Path) -> None:
    names = ("a.jpg", "b.jpg", "a.txt", "b.txt")
    write_tar(tmp_path / "00000.tar", *(member(name) for name in names))
    with pytest.raises(ShardError, match=r"hold no pair .* 4 samples .*follow each other"):
        open_shards(tmp_path, progress=False)
