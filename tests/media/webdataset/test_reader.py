import json
import random
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.webdataset.tars import member, pictures, write_tar
from vtlearn.errors import ShardError
from vtlearn.media.webdataset.reader import (
    ShardSample,
    leads_outside,
    read_pairs,
    read_shard,
    sample_id,
    sample_key,
    split_member,
)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder for a shard; afterwards, nothing may have appeared anywhere around."""
    folder = tmp_path / "shards"
    folder.mkdir()
    yield folder
    assert [path.name for path in tmp_path.rglob("*")] == ["shards", "00000.tar"]


def test_samples_are_members_of_one_name_up_to_the_first_dot(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "00000.tar",
        member("train", type=tarfile.DIRTYPE),
        member("./train/a.seg.PNG", b"1"),
        member("./train/a.txt", b"2"),
        member("README", b"no sample"),
        member("train/.hidden", b"neither"),
        member("train/b.jpg", b"3"),
    )
    assert list(read_shard(path)) == [
        ShardSample("train/a", {"seg.png": b"1", "txt": b"2"}),
        ShardSample("train/b", {"jpg": b"3"}),
    ]


def test_what_is_not_wanted_is_passed_over(tmp_path: Path) -> None:
    path = pictures(tmp_path / "00000.tar", "000000012")
    (sample,) = read_pairs(path, ("txt",))
    unread = frozenset({"jpg", "json", "npy"})
    assert sample == ShardSample("000000012", {"txt": b"two apples"}, unread)
    assert sample.media == "jpg"
    (sample,) = read_pairs(path)
    assert sample.unread == {"npy"}


def test_media_of_any_suffix_and_a_picture_before_what_may_be_times(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "00000.tar",
        member("a.ts", b"1"),
        member("a.txt", b"2"),
        member("b.jpg", b"3"),
        member("b.ts", b"4"),
        member("b.txt", b"5"),
        member("c.jpg", b"6"),
        member("c.mp4", b"7"),
        member("c.txt", b"8"),
    )
    assert [sample.media for sample in read_pairs(path)] == ["ts", "jpg", "mp4"]


def test_only_pairs_of_media_and_text_count(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "00000.tar",
        member("a.jpg"),
        member("b.txt"),
        member("c.webm"),
        member("c.json"),
        member("d.npy"),
        member("d.txt"),
    )
    assert [sample.key for sample in read_pairs(path)] == ["c"]


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:\\evil.txt", "a/.."],
)
def test_members_that_lead_outside_are_refused(outside: Path, name: str) -> None:
    path = write_tar(outside / "00000.tar", member("good.txt", b"x"), member(name, b"evil"))
    samples = read_shard(path)
    with pytest.raises(ShardError, match=r"00000\.tar has a member .*outside of its folder") as got:
        list(samples)
    assert repr(name) in str(got.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a link to '/etc/passwd'"),
        (tarfile.LNKTYPE, "a link to '/etc/passwd'"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
    ],
)
def test_links_and_devices_are_refused(outside: Path, kind: bytes, words: str) -> None:
    info = member("a.txt", type=kind, linkname="/etc/passwd", devmajor=1, devminor=3)
    path = write_tar(outside / "00000.tar", info)
    with pytest.raises(ShardError, match=rf"00000\.tar has a member 'a\.txt' .*{words}"):
        list(read_shard(path))


def test_a_harmless_name_beside_a_link_that_points_outside(outside: Path) -> None:
    """The trick of two members: a folder that is a link, and a file in it."""
    link = member("out", type=tarfile.SYMTYPE, linkname="..")
    path = write_tar(outside / "00000.tar", link, member("out/evil.txt", b"evil"))
    with pytest.raises(ShardError, match=r"'out' .*link to '\.\.'"):
        list(read_shard(path))


def test_members_too_large_for_memory_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "00000.tar", member("a.mp4", bytes(1001)))
    assert len(next(read_shard(path, largest=1001)).files["mp4"]) == 1001
    with pytest.raises(ShardError, match=r"'a\.mp4' .*1001 bytes; 1000 are the most"):
        list(read_shard(path, largest=1000))


def test_sparse_members_are_refused(tmp_path: Path) -> None:
    """A few bytes that claim to be many."""
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a.mp4"}
    info, _ = member("a.mp4", pax_headers=pax | {"GNU.sparse.realsize": "1000000000000"})
    info.size = 512
    path = write_tar(tmp_path / "00000.tar", (info, b"0\n".ljust(512, b"\0")))
    with pytest.raises(ShardError, match=r"'a\.mp4'"):
        list(read_shard(path))


@pytest.mark.parametrize("left", range(0, 20480, 512))
def test_a_shard_cut_short_at_any_block_is_refused(tmp_path: Path, left: int) -> None:
    """At a member's end too, where tarfile sees nothing wrong."""
    path = pictures(tmp_path / "00000.tar", "000000000", "000000001")
    data = path.read_bytes()
    assert len(data) == 20480  # every cut is tried
    end = -(-len(data.rstrip(b"\0")) // 512) * 512
    path.write_bytes(data[:left])
    if left > end:  # all is there, and some of the zeros that mark the end
        assert len(list(read_shard(path))) == 2
        return
    with pytest.raises(ShardError, match=r"00000\.tar .*download it again"):
        list(read_shard(path))


def test_damage_is_an_error_of_ours_or_none(tmp_path: Path) -> None:
    data = pictures(tmp_path / "00000.tar", "000000000", "000000001").read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        start = rng.randrange(0, 8192, 512)  # headers and contents
        for _ in range(3):
            damaged[start + rng.randrange(512)] = rng.randrange(256)
        (tmp_path / "damaged.tar").write_bytes(damaged)
        try:
            list(read_shard(tmp_path / "damaged.tar"))
        except ShardError:
            refused += 1
    assert refused > 50


def test_a_chain_of_long_names_is_refused(tmp_path: Path) -> None:
    """It would end the interpreter's recursion."""
    link = member("././@LongLink", b"a".ljust(512, b"\0"), type=tarfile.GNUTYPE_LONGNAME)
    path = write_tar(tmp_path / "00000.tar", *[link] * (2 * sys.getrecursionlimit()))
    with pytest.raises(ShardError, match="cannot be read"):
        list(read_shard(path))


def test_other_files_are_no_shards(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz"):
        pass
    (tmp_path / "b.tar").write_bytes(b"")
    for name in ("a.tar", "b.tar"):
        with pytest.raises(ShardError, match="cannot be read as an uncompressed tar file"):
            list(read_shard(tmp_path / name))
    with pytest.raises(ShardError, match="No such file"):
        list(read_shard(tmp_path / "c.tar"))


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "00000.tar", member("a.jpg", b"1"), member("a.JPG", b"2"))
    with pytest.raises(ShardError, match=r"'a\.JPG' twice"):
        list(read_shard(path))


@pytest.mark.parametrize(
    "name", ["a.jpg", "x/a.b.jpg", "x.y/a.jpg", ".hidden", "README", "x/a/b.c.d", "-C_x.mp4"]
)
def test_names_split_as_webdataset_splits_them(name: str) -> None:
    webdataset = pytest.importorskip("webdataset.tariterators")
    key, extension = webdataset.base_plus_ext(name)
    assert split_member(name) == (key or "", extension or "")


IDS = ["-CTPAZ2euJ2", "1. Intro", "1%2E Intro", "50%", "a.b/v.1", "a%2Eb/v.1", "%25", "v..2", "ä."]


def test_a_key_of_an_id_has_no_dots_and_gives_it_back() -> None:
    keys = [sample_key(video_id) for video_id in IDS]
    assert len(set(keys)) == len(IDS)
    for video_id, key in zip(IDS, keys, strict=True):
        assert split_member(f"{key}.mp4") == (key, "mp4")
        for record in ({"id": video_id}, {"id": video_id, "caption": "x"}):
            assert sample_id(key, json.dumps(record).encode()) == video_id
        assert sample_id(key, b"damaged") == video_id
    assert keys[0] == IDS[0]


@pytest.mark.parametrize(
    "record", [b'{"id": "1. Outro"}', b'{"id": 7}', b'{"caption": "x"}', b"[]", None]
)
def test_ids_of_other_programs_are_keys(record: bytes | None) -> None:
    for key in ("000000012", "1%2E Intro", "50%", "a%20b"):
        assert sample_id(key, record) == key


def test_names_with_dots_are_not_names_outside() -> None:
    assert not leads_outside("a..b/...c.jpg")
    assert not leads_outside("-CTPAZ2euJ2.mp4")
