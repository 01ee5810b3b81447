import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.media.features.stores import fill_store, make_spec
from vtlearn.batch import Unreadable
from vtlearn.errors import ArgumentError, FeatureError
from vtlearn.media.features.shard import StoredVideo, shard_records
from vtlearn.media.features.store import FeatureStore

IDS = ["b", "a", "-c_d", "e", "f"]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_shards_follow_the_list_and_the_order_of_writing_does_not_matter(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder, backwards in zip(folders, (False, True), strict=True):
        store = FeatureStore(folder, make_spec(), IDS, videos_per_shard=2)
        assert [store.shard_ids(shard) for shard in range(3)] == [IDS[:2], IDS[2:4], IDS[4:]]
        for shard in sorted(store.pending(), reverse=backwards):
            ids = sorted(store.shard_ids(shard), reverse=backwards)
            videos = {one: StoredVideo(torch.full((2, 4), float(ord(one[0]))), 1.5) for one in ids}
            store.write(shard, videos, {})
        assert store.pending() == []
    assert contents(folders[0]) == contents(folders[1])


def test_a_killed_writer_leaves_no_whole_shard(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), IDS, videos_per_shard=2)
    videos = {one: StoredVideo(torch.ones(1, 4), 1.0) for one in IDS[:2]}
    store.write(0, videos, {})
    (tmp_path / "00001.safetensors").write_bytes(b"vectors without a record")
    (tmp_path / ".00001.json.4711.unfinished").write_text("{")
    assert store.pending() == [1, 2]
    assert [number for number, _ in shard_records(tmp_path)] == [0]
    store.remove_leftovers()


def test_only_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), IDS)
    (tmp_path / "deep").mkdir()
    names = [".00000.json.1.unfinished", ".00001.json.2.unfinished", "deep/.a.unfinished"]
    for name, age in zip(names, (4000, 60, 4000), strict=True):
        (tmp_path / name).write_text("{")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    store.remove_leftovers()  # another command may be at work, and subfolders are not the store's
    assert [(tmp_path / name).exists() for name in names] == [False, True, True]


def test_frames_taken_otherwise_are_other_settings(tmp_path: Path) -> None:
    for there, now in (("nearest", "screen"), ("screen", "nearest")):
        folder = tmp_path / there
        FeatureStore(folder, make_spec(frame_at=there), IDS)
        FeatureStore(folder, make_spec(frame_at=there), IDS)
        with pytest.raises(
            FeatureError, match=f"other settings: frame_at: '{there}' there, '{now}' now. Resume"
        ):
            FeatureStore(folder, make_spec(frame_at=now), IDS)


def test_a_shard_holds_all_its_videos_and_no_others(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), IDS, videos_per_shard=2)
    one = StoredVideo(torch.ones(1, 4), 1.0)
    for videos in ({"b": one}, {"b": one, "a": one, "e": one}):
        with pytest.raises(FeatureError, match=r"is to hold \['b', 'a'\]"):
            store.write(0, videos, {})
    store.write(0, {"b": one}, {"a": Unreadable("a", "a.mp4", "open", "gone")})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights_sha256": "1" * 64}, f"weights_sha256: '{'0' * 64}' there, '{'1' * 64}' now"),
        ({"fps": 2.0, "stride": 0.5}, r"fps: 1\.0 there, 2\.0 now; stride: 1\.0 there, 0\.5 now"),
    ],
)
def test_a_store_of_other_settings_is_not_resumed(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    FeatureStore(tmp_path, make_spec(), IDS)
    with pytest.raises(FeatureError, match=words):
        FeatureStore(tmp_path, make_spec(**change), IDS)


def test_nor_one_of_other_videos(tmp_path: Path) -> None:
    FeatureStore(tmp_path, make_spec(), IDS, layout={"windows_per_chunk": 16})
    options = {"layout": {"windows_per_chunk": 16}}
    FeatureStore(tmp_path, make_spec(), IDS, **options)  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="videos: 5 there, 4 now"):
        FeatureStore(tmp_path, make_spec(), IDS[:4], **options)  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="created with other settings: ids_sha256: "):
        FeatureStore(tmp_path, make_spec(), IDS[::-1], **options)  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="windows_per_chunk: 16 there, None now"):
        FeatureStore(tmp_path, make_spec(), IDS)
    with pytest.raises(ArgumentError, match="videos_per_shard"):
        FeatureStore(tmp_path, make_spec(), IDS, videos_per_shard=0)


def test_a_folder_of_other_shards(tmp_path: Path) -> None:
    (tmp_path / "00000.safetensors").touch()
    with pytest.raises(FeatureError, match=r"no features\.json"):
        FeatureStore(tmp_path, make_spec(), IDS)


def fill(folder: Path, sources: Path, late: str = "") -> tuple[FeatureStore, list[str]]:
    """Write two shards of a store whose videos are files; "e" cannot be read."""
    paths = [str(sources / f"{one}.mp4") for one in IDS]
    store = FeatureStore(folder, make_spec(), IDS, videos_per_shard=2)
    for shard in range(2):
        known = store.sources(shard, paths)
        ids = [one for one in store.shard_ids(shard) if one != "e"]
        videos = {one: StoredVideo(torch.ones(1, 4), 1.0) for one in ids}
        lost = {"e": Unreadable("e", "e.mp4", late or "open", "gone")} if shard else {}
        store.write(shard, videos, lost, known)
    return store, paths


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, one in enumerate(IDS):
        (folder / f"{one}.mp4").write_bytes(bytes([number]) * (100_000 * number + 7))
    return folder


def test_a_video_that_was_replaced_is_named(tmp_path: Path, sources: Path) -> None:
    store, paths = fill(tmp_path / "store", sources)
    assert store.stale([0, 1], paths) == ([], {})
    os.utime(sources / "a.mp4", (0, 0))  # a copy of a corpus is the same corpus
    (sources / "b.mp4").unlink()  # and one that is gone mixes with nothing
    assert store.stale([0, 1], paths) == ([], {})
    (sources / "a.mp4").write_bytes(bytes([9]) * 100_007)
    (sources / "f.mp4").write_bytes(b"in no shard yet")
    stale = store.stale([0, 1], paths)
    assert (stale.again, stale.replaced) == ([], {"a": 0})
    with pytest.raises(FeatureError, match=r"1 videos are other files .*: a\. .* 00000\.json"):
        store.require_unreplaced(stale.replaced)


def test_what_is_worth_another_try(tmp_path: Path, sources: Path) -> None:
    store, paths = fill(tmp_path / "late", sources, "time")
    assert store.stale([0, 1], paths) == ([1], {})
    store, paths = fill(tmp_path / "store", sources)
    (sources / "e.mp4").write_bytes(b"mended")
    assert store.stale([0, 1], paths) == ([1], {})
    (sources / "e.mp4").unlink()
    store, paths = fill(tmp_path / "absent", sources)
    assert store.stale([0, 1], paths) == ([], {})
    (sources / "e.mp4").write_bytes(b"brought back")
    assert store.stale([0, 1], paths) == ([1], {})


@pytest.mark.parametrize("name", ["00000.safetensors", "00000.json"])
@pytest.mark.parametrize("keep", [0, 50])
def test_a_shard_that_was_cut_short_is_not_whole(tmp_path: Path, name: str, keep: int) -> None:
    fill_store(tmp_path, {"a": 9.0, "b": 9.0, "c": 1.0})
    before = contents(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:keep])
    store = FeatureStore(tmp_path, make_spec(), ["a", "b", "c"], videos_per_shard=2)
    assert store.pending() == [0]
    fill_store(tmp_path, {"a": 9.0, "b": 9.0, "c": 1.0})
    assert contents(tmp_path) == before
    (tmp_path / "00000.safetensors").unlink()
    assert store.pending() == [0]


def test_a_store_whose_encoder_has_moved_since_is_the_same_store(tmp_path: Path) -> None:
    nested = "(inner={'class_path': '%s.Inner', 'init_args': {'file': 'a.b'}})"
    old, new = (f"{where}.S3D{nested % where}" for where in ("vtlearn.encoders.video.s3d", "v"))
    FeatureStore(tmp_path, replace(make_spec(), backbone=old), IDS)
    before = (tmp_path / "features.json").read_bytes()
    FeatureStore(tmp_path, replace(make_spec(), backbone=new), IDS)
    assert (tmp_path / "features.json").read_bytes() == before
    for wrong in (new.replace("S3D", "S4D"), new.replace("a.b", "a.c"), "S3D"):
        with pytest.raises(FeatureError, match="backbone: "):
            FeatureStore(tmp_path, replace(make_spec(), backbone=wrong), IDS)


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(FeatureError, match=r"cannot be kept in .*file.* Give an empty folder"):
            FeatureStore(folder, make_spec(), IDS)


def test_ids_may_have_dots_and_folders(tmp_path: Path) -> None:
    ids = ["1. Intro", "1. Outro", "a/v", "b/v"]
    wanted = fill_store(tmp_path, dict.fromkeys(ids, 1.0))
    assert FeatureStore(tmp_path, make_spec(), ids, videos_per_shard=2).pending() == []
    stored = load_file(tmp_path / "00001.safetensors")
    assert all(torch.equal(stored[one], wanted[one]) for one in ("a/v", "b/v"))


@pytest.mark.parametrize(
    ("old", "now"),
    [
        (["1", "2"], ["1. Intro", "1. Outro", "2"]),
        (["part1", "part2"], ["a/part1", "b/part1", "part2"]),
        (["part1"], ["part1", "b/part1"]),  # one of them lies in the folder itself
    ],
)
@pytest.mark.parametrize("filled", [False, True])
def test_an_old_id_of_two_videos_is_refused(
    filled: bool, old: list[str], now: list[str], tmp_path: Path
) -> None:
    if filled:
        fill_store(tmp_path, dict.fromkeys(old, 1.0))
    else:  # the command was killed before it had a shard
        FeatureStore(tmp_path, make_spec(), old, videos_per_shard=2)
    before = contents(tmp_path)
    message = f"features of '{old[0]}', .* both '{now[0]}' and '{now[1]}' had: create .* predict"
    with pytest.raises(FeatureError, match=message):
        FeatureStore(tmp_path, make_spec(), now, videos_per_shard=2)
    assert contents(tmp_path) == before


def test_a_store_of_a_former_version_is_resumed_and_stays_as_it_is(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 2.0, "b": 3.0})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    store = FeatureStore(tmp_path, make_spec(clock="start"), ["a", "b"], videos_per_shard=2)
    assert store.pending() == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_store_that_counts_from_the_start_is_not_mixed_with_others(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 2.0}, clock="start")
    with pytest.raises(FeatureError, match="clock"):
        FeatureStore(tmp_path, make_spec(), ["a"], videos_per_shard=2)
