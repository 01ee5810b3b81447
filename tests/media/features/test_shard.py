import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from tests.media.features.stores import fill_store, make_spec
from vtlearn.errors import FeatureError
from vtlearn.media.features.shard import (
    StoredVideo,
    VideoRecord,
    read_shard_record,
)
from vtlearn.media.features.store import FeatureStore


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
        "bytes": (tmp_path / "00000.safetensors").stat().st_size,
        "videos": {"b": {"duration": 2.5, "vectors": 3}, "a": {"duration": 1.0, "vectors": 1}},
        "unreadable": {},
        "sources": {},
    }
    record = read_shard_record(tmp_path, 1)
    assert record.videos == {}
    assert record.unreadable == {"c": {"stage": "open", "reason": "it is text"}}
    assert load_file(tmp_path / "00001.safetensors") == {}


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


def test_when_the_first_frame_is_shown_is_written_where_that_is_not_at_0(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, make_spec(), ["a", "b"])
    vectors = torch.ones(3, 4)
    late = StoredVideo(vectors.clone(), 2.5, 0.75)
    store.write(0, {"a": StoredVideo(vectors, 2.5), "b": late}, {})
    assert json.loads((tmp_path / "00000.json").read_text())["videos"] == {
        "a": {"duration": 2.5, "vectors": 3},
        "b": {"duration": 2.5, "vectors": 3, "first": 0.75},
    }
    assert read_shard_record(tmp_path, 0).videos == {
        "a": VideoRecord(2.5, 3),
        "b": VideoRecord(2.5, 3, first=0.75),
    }


def test_a_shard_that_is_made_again_has_no_record_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(tmp_path, {"a": 1.0})
    store = FeatureStore(tmp_path, make_spec(), ["a"], videos_per_shard=2)

    def stop(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr("vtlearn.media.features.shard.replace_text", stop)
    with pytest.raises(KeyError):
        store.write(0, {"a": StoredVideo(torch.ones(1, 4), 0.5)}, {})
    assert store.pending() == [0]


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path, make_spec(), ["a"])

    def refuse(*_: object) -> None:
        raise SafetensorError(os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vtlearn.media.features.shard.save_file", refuse)
    with pytest.raises(FeatureError, match=r"00000\.safetensors cannot be written: No space left"):
        store.write(0, {"a": StoredVideo(torch.ones(1, 4), 1.0)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["features.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"videos": {"a": {"vectors": 1}}}',
        '{"videos": 1}',
        '{"videos": {"a": {"duration": NaN, "vectors": 1}}}',
        '{"videos": {"a": {"duration": 1, "vectors": Infinity}}}',
        '{"videos": {"a": {"duration": 1, "vectors": 1, "first": NaN}}}',
        '{"videos": {"a": {"duration": 1, "vectors": 1, "first": -1}}}',
        '{"videos": {}, "unreadable": {"a": {"stage": "open"}}}',
        '{"videos": {}, "unreadable": ["a"]}',
        '{"videos": {}, "sources": ["a"]}',
        '{"videos": {}, "bytes": "many"}',
    ],
)
def test_a_damaged_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "00000.json").write_text(text)
    with pytest.raises(FeatureError, match="remove it and fill the store again"):
        read_shard_record(tmp_path, 0)
