import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.media.features.stores import fill_store
from vtlearn.errors import FeatureError
from vtlearn.media.features.index import FeatureIndex, open_index
from vtlearn.media.features.spec import read_metadata

DURATIONS = {"b": 2.5, "a": 1.0, "lost": None, "c": 30.2, "d": 0.0}
ROWS = [(0, 3, 2.5, 0.0), (0, 1, 1.0, 0.0), (1, 31, 30.2, 0.0), (2, 1, 0.0, 0.0)]


def opened(folder: Path) -> FeatureIndex:
    return open_index(folder, *read_metadata(folder))


def change(folder: Path, old: str, new: str, name: str = "00000.json") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_every_video_with_its_shard(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    index = opened(tmp_path)
    assert list(index.ids) == ["b", "a", "c", "d"]
    assert index.table.tolist() == ROWS
    assert index.unreadable == {"lost": {"stage": "open", "reason": "it is text"}}


def test_it_is_built_once_and_mapped(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    first = opened(tmp_path)
    (home,) = (tmp_path / ".vtlearn").iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in home.iterdir()}
    again = opened(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in home.iterdir()} == before
    assert isinstance(again.table, np.memmap)
    assert list(again.ids) == list(first.ids)


def test_changed_shards_are_indexed_anew(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    opened(tmp_path)
    change(tmp_path, '"duration": 2.5', '"duration": 2.75')
    assert opened(tmp_path).table[0]["duration"] == 2.75
    assert len(list((tmp_path / ".vtlearn").iterdir())) == 1


def _open_at_once(folder: Path, start: Any, answers: Any, rounds: int) -> None:
    for number in range(rounds):
        start.wait()
        try:
            answers.put(list(opened(folder / str(number)).ids))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test should see it
            answers.put(repr(error))


def test_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    rounds, processes = 30, 6
    fill_store(tmp_path / "0", DURATIONS)
    for number in range(1, rounds):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    context = multiprocessing.get_context("fork")  # they only map files, and start in no time
    start, answers = context.Barrier(processes), context.Queue()
    started = [
        context.Process(target=_open_at_once, args=(tmp_path, start, answers, rounds))
        for _ in range(processes)
    ]
    for each in started:
        each.start()
    found = [answers.get(timeout=300) for _ in range(rounds * processes)]
    for each in started:
        each.join()
    assert found == [["b", "a", "c", "d"]] * (rounds * processes)
    for number in range(rounds):
        assert len(list((tmp_path / str(number) / ".vtlearn").iterdir())) == 1


def test_an_index_that_another_process_has_just_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(tmp_path, DURATIONS)
    save = FeatureIndex.save

    def faster(index: FeatureIndex, folder: Path) -> None:
        save(index, folder)
        monkeypatch.setattr(FeatureIndex, "save", save)
        opened(tmp_path)  # the other process
        inodes.append(_inode(tmp_path))

    inodes: list[int] = []
    monkeypatch.setattr(FeatureIndex, "save", faster)
    assert list(opened(tmp_path).ids) == ["b", "a", "c", "d"]
    assert inodes == [_inode(tmp_path)]


def _inode(folder: Path) -> int:
    (home,) = (path for path in (folder / ".vtlearn").iterdir() if path.name[0] != ".")
    return home.stat().st_ino


@pytest.mark.parametrize("keep", [0, 40])
@pytest.mark.parametrize("name", ["videos.npy", "unreadable.json", "ids.offsets", None])
def test_a_damaged_index_is_made_anew(tmp_path: Path, name: str | None, keep: int) -> None:
    fill_store(tmp_path, DURATIONS)
    opened(tmp_path)
    (home,) = (tmp_path / ".vtlearn").iterdir()
    for path in [home / name] if name else list(home.iterdir()):
        path.write_bytes(path.read_bytes()[:keep])
    for _ in range(2):
        index = opened(tmp_path)
        assert list(index.ids) == ["b", "a", "c", "d"]
        assert index.table.tolist() == ROWS
        assert index.unreadable.keys() == {"lost"}
        assert isinstance(index.table, np.memmap)
    assert list((tmp_path / ".vtlearn").iterdir()) == [home]


def test_an_index_of_a_former_version_is_made_anew(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    opened(tmp_path)
    (table,) = (tmp_path / ".vtlearn").glob("*/videos.npy")
    table.unlink()
    former = [("shard", np.int32), ("vectors", np.int64), ("duration", np.float64)]
    np.save(table, np.array([row[:3] for row in ROWS], former))
    assert opened(tmp_path).table.tolist() == ROWS


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    old, young = (tmp_path / ".vtlearn" / f".unfinished-{number}" for number in range(2))
    for folder, hours in ((old, 25), (young, 1)):
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - 3600 * hours,) * 2)
    opened(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_vectors_that_were_replaced_without_their_record(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"a": 2.0, "b": 2.0})
    opened(tmp_path)
    save_file({**wanted, "b": torch.ones(3, 4)}, tmp_path / "00000.safetensors")
    with pytest.raises(FeatureError, match=r"b is \(3, 4\)"):
        opened(tmp_path)
    (tmp_path / "00000.safetensors").unlink()
    with pytest.raises(FeatureError, match=r"00000\.safetensors is missing: .* fill the store"):
        opened(tmp_path)


def test_a_store_in_which_nobody_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_store(tmp_path, DURATIONS)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)  # whoever runs the tests may be root
    assert list(opened(tmp_path).ids) == ["b", "a", "c", "d"]
    assert not (tmp_path / ".vtlearn").exists()


def test_a_store_of_unreadable_videos(tmp_path: Path) -> None:
    fill_store(tmp_path, {"x": None, "y": None})
    for _ in range(2):
        index = opened(tmp_path)
        assert (len(index.ids), len(index.table), len(index.unreadable)) == (0, 0, 2)


def test_an_unfinished_store_is_refused(tmp_path: Path) -> None:
    fill_store(tmp_path, DURATIONS)
    (tmp_path / "00001.json").unlink()
    with pytest.raises(FeatureError, match="has 2 of its 3 shards"):
        opened(tmp_path)
    for path in tmp_path.glob("0*.json"):
        path.unlink()
    with pytest.raises(FeatureError, match="no whole shard yet"):
        opened(tmp_path)


def test_a_duration_and_a_length_that_disagree(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 30.2})
    change(tmp_path, '"duration": 30.2', '"duration": 300.2')
    with pytest.raises(FeatureError, match=r"a has 31 vectors, but lasts 300\.2 s, .* makes 301"):
        opened(tmp_path)


def test_another_fps_than_the_features_were_made_with(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 30.2})
    change(tmp_path, '"fps": 1.0', '"fps": 8.0', "features.json")
    change(tmp_path, '"stride": 1.0', '"stride": 0.125', "features.json")
    with pytest.raises(FeatureError, match=r"31 vectors, .* which makes 242 at fps=8\.0"):
        opened(tmp_path)


def test_tensors_that_are_not_what_is_said_of_them(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"a": 2.0, "b": 2.0})
    path = tmp_path / "00000.safetensors"
    for tensors, words in (
        ({"a": wanted["a"]}, "other videos, 1 of them, the first b"),
        (
            {**wanted, "b": torch.ones(2, 5)},
            r"b is \(2, 5\) of float32; .* say \(2, 4\) of",
        ),
        ({**wanted, "b": wanted["b"].half()}, r"b is \(2, 4\) of float16"),
        ({**wanted, "b": wanted["b"].bfloat16()}, "of BF16"),
    ):
        save_file(tensors, path)
        with pytest.raises(FeatureError, match=words):
            opened(tmp_path)
    assert load_file(path)  # the last of them is a good file, only not this one
    for damaged in (path.read_bytes()[:-4], b"text"):
        path.write_bytes(damaged)
        with pytest.raises(FeatureError, match=r"damaged or missing: .* fill the store again"):
            opened(tmp_path)


def test_a_video_in_two_shards(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0, "b": 1.0, "c": 1.0})
    for suffix in (".json", ".safetensors"):
        (tmp_path / f"00001{suffix}").write_bytes((tmp_path / f"00000{suffix}").read_bytes())
    with pytest.raises(FeatureError, match="a is in shards 00000 and 00001"):
        opened(tmp_path)


def test_a_store_that_somebody_else_made(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0})
    path = tmp_path / "features.json"
    record = json.loads(path.read_text())
    del record["layout"]  # how it was cut into shards is nobody's business
    path.write_text(json.dumps(record))
    assert list(opened(tmp_path).ids) == ["a"]
