import os
from pathlib import Path

import pytest

from tests.media.tars import member, pictures, write_tar
from vtlearn.errors import ShardError
from vtlearn.media.shard_index import INDEX, expand_braces, open_shards, read_entries
from vtlearn.media.shard_writer import ShardWriter


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
    assert "1 samples without" in caplog.text
    counts = tmp_path / ".vtlearn" / "shards.jsonl"
    counts.write_text(counts.read_text().replace('"samples": 2', '"samples": 7'))
    assert open_shards(tmp_path, progress=False).shards[0].samples == 7  # it was not counted again
    os.utime(tmp_path / "00000.tar", ns=(1, 1))
    assert open_shards(tmp_path, progress=False).shards[0].samples == 2


def test_counts_can_be_kept_elsewhere(tmp_path: Path) -> None:
    pictures(tmp_path / "00000.tar", "000000000")
    open_shards(tmp_path / "00000.tar", cache=tmp_path / "cache", progress=False)
    assert not (tmp_path / ".vtlearn").exists()
    assert (tmp_path / "cache" / "shards.jsonl").exists()


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


@pytest.mark.parametrize(
    "pattern",
    [
        "shards/{00000..00012}.tar",
        "{a,b,c}/{8..11}.tar",
        "{098..102}.tar",
        "{3..1}.tar",
        "plain.tar",
        "{a}.tar",
        "{x,}.tar",
    ],
)
def test_braces_expand_as_webdataset_expands_them(pattern: str) -> None:
    braceexpand = pytest.importorskip("braceexpand")
    assert expand_braces(pattern) == list(braceexpand.braceexpand(pattern))


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
