import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.media.features import fill_store, make_spec
from vtlearn.errors import ArgumentError, FeatureError, UnreadableVideoError
from vtlearn.media.feature_shards import (
    FeatureStore,
    StoredVideo,
    VideoRecord,
    read_shard_record,
    shard_records,
)

IDS = ["b", "a", "-c_d", "e", "f"]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_any_tool_reads_a_shard(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"b": 2.5, "a": 1.0, "c": None})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000.json",
        "00000.safetensors",
        "00001.json",
        "00001.safetensors",
        "features.json",
    ]
    stored = load_file(tmp_path / "00000.safetensors")
    assert stored.keys() == {"a", "b"}
    assert all(torch.equal(stored[one], wanted[one]) for one in stored)
    assert json.loads((tmp_path / "00000.json").read_text()) == {
        "videos": {"b": {"duration": 2.5, "vectors": 3}, "a": {"duration": 1.0, "vectors": 1}},
        "unreadable": {},
    }
    record = read_shard_record(tmp_path, 1)
    assert record == ({}, {"c": {"stage": "open", "reason": "it is text"}})
    assert load_file(tmp_path / "00001.safetensors") == {}


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
    assert not list(tmp_path.glob(".*"))


def test_half_precision_and_what_it_cannot_hold(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(dtype="float16"), ["a"])
    with pytest.raises(FeatureError, match=r"a are as large as 7e\+04, which float16"):
        store.write(0, {"a": StoredVideo(torch.full((1, 4), 7e4), 1.0)}, {})
    lost = torch.tensor([[1.0] * 4, [float("nan")] * 4])  # a window that was lost may be stored
    store.write(0, {"a": StoredVideo(lost, 2.0)}, {})
    assert load_file(tmp_path / "00000.safetensors")["a"].dtype == torch.float16
    assert read_shard_record(tmp_path, 0).videos == {"a": VideoRecord(2.0, 2, lost=1)}


def test_vectors_that_do_not_fit_the_duration(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), ["a"])
    with pytest.raises(FeatureError, match=r"lasts 30\.2 s, which makes 31 vectors .* \(30, 4\)"):
        store.write(0, {"a": StoredVideo(torch.ones(30, 4), 30.2)}, {})
    store.write(0, {"a": StoredVideo(torch.ones(31, 4), 30.2)}, {})
    assert read_shard_record(tmp_path, 0).videos == {"a": VideoRecord(30.2, 31)}


def test_a_shard_holds_all_its_videos_and_no_others(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), IDS, videos_per_shard=2)
    one = StoredVideo(torch.ones(1, 4), 1.0)
    for videos in ({"b": one}, {"b": one, "a": one, "e": one}):
        with pytest.raises(FeatureError, match=r"is to hold \['b', 'a'\]"):
            store.write(0, videos, {})
    store.write(0, {"b": one}, {"a": UnreadableVideoError("a.mp4", "gone")})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights_sha256": "1" * 64}, f"weights_sha256: '{'0' * 64}' there, '{'1' * 64}' now"),
        ({"fps": 2.0, "stride": 0.5}, r"fps: 1\.0 there, 2\.0 now; stride: 1\.0 there, 0\.5 now"),
    ],
)
def test_a_store_begun_with_others_is_not_gone_on_with(
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
    with pytest.raises(FeatureError, match="others: ids_sha256: "):
        FeatureStore(tmp_path, make_spec(), IDS[::-1], **options)  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="windows_per_chunk: 16 there, None now"):
        FeatureStore(tmp_path, make_spec(), IDS)
    with pytest.raises(ArgumentError, match="videos_per_shard"):
        FeatureStore(tmp_path, make_spec(), IDS, videos_per_shard=0)


def test_a_folder_of_other_shards(tmp_path: Path) -> None:
    (tmp_path / "00000.safetensors").touch()
    with pytest.raises(FeatureError, match=r"no features\.json"):
        FeatureStore(tmp_path, make_spec(), IDS)


@pytest.mark.parametrize("text", ["", "[]", '{"videos": {"a": {"vectors": 1}}}', '{"videos": 1}'])
def test_a_damaged_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "00000.json").write_text(text)
    with pytest.raises(FeatureError, match="remove it and fill the store again"):
        read_shard_record(tmp_path, 0)
