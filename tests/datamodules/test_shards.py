import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Callback

import vtlearn.datamodules.base
import vtlearn.datamodules.shards
from tests.media.webdataset.tars import pack_kitchen
from tests.models import LOADING, TINY_ENCODERS, quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.datamodules import Shards
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.webdataset.index import open_shards


@pytest.fixture(scope="module")
def folder(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the small Kitchen, thirteen videos in seven shards."""
    return pack_kitchen(kitchen_root, tmp_path_factory.mktemp("packed") / "shards")


def shards(folder: Path, tmp_path: Path, **options: Any) -> Shards:
    return Shards(folder, **LOADING, unreadable_log=tmp_path / "unreadable.jsonl", **options)


def ids(data: Shards) -> list[list[str]]:
    batches: list[Batch] = list(data.train_dataloader())
    return [batch.ids for batch in batches]


def as_process(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> None:
    for module in (vtlearn.datamodules.base, vtlearn.datamodules.shards):
        monkeypatch.setattr(module, "process", lambda: Process(rank, world))


def test_training_batches(folder: Path, tmp_path: Path) -> None:
    data = shards(folder, tmp_path, batch_size=4)
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    for batch in batches:
        assert isinstance(batch, Batch)
        assert batch.num_clips == batch.num_texts == (3,) * 4
        assert batch.clips.shape == (12, 2, 3, 16, 16)
        assert len(batch.texts) == 12
    assert data.clip_shape == (2, 16)
    assert data.unreadable is not None
    assert data.val_dataloader() == []


@pytest.mark.parametrize(("world", "workers"), [(1, 2), (2, 1), (2, 0), (1, 0)])
def test_processes_and_workers_share_an_epoch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int, workers: int
) -> None:
    seen: list[str] = []
    for rank in range(world):
        as_process(monkeypatch, rank, world)
        loader = shards(folder, tmp_path, batch_size=2 * world, num_workers=workers)
        batches = ids(loader)
        assert len(batches) == len(loader.train_dataloader()) == 6 // world
        assert {len(batch) for batch in batches} == {2}
        seen += [one for batch in batches for one in batch]
    assert len(seen) == len(set(seen)) == 12  # of 13: the thirteenth fills no batch


def test_captions_of_all_shards(folder: Path, tmp_path: Path, kitchen_root: Path) -> None:
    told = list(shards(folder, tmp_path).captions())
    texts = [
        text
        for path in sorted((kitchen_root / "captions").iterdir())
        for text in yaml.safe_load(path.read_text())["text"]
    ]
    assert told == texts


class Recorder(Callback):
    """Which videos each epoch has shown."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[list[str]]] = {}

    def on_train_batch_start(self, trainer: Any, _module: Any, batch: Any, _index: int) -> None:
        self.epochs.setdefault(trainer.current_epoch, []).append(batch.ids)


def fit(data: Shards, tmp_path: Path, epochs: int, **options: Any) -> Recorder:
    checkpoint = options.pop("ckpt_path", None)
    recorder = Recorder()
    options |= {"max_epochs": epochs, "callbacks": [recorder], "limit_val_batches": 0}
    trainer = quiet_trainer(tmp_path, **options)
    trainer.fit(tiny_learner(), datamodule=data, ckpt_path=checkpoint)
    trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
    return recorder


@pytest.mark.parametrize("workers", [0, 2])
def test_each_epoch_of_a_training_is_another(folder: Path, tmp_path: Path, workers: int) -> None:
    options = {"batch_size": 2, "num_workers": workers}
    epochs = fit(shards(folder, tmp_path, **options), tmp_path, 3).epochs
    assert [len(epochs[epoch]) for epoch in range(3)] == [6, 6, 6]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    for epoch in range(3):
        data = shards(folder, tmp_path, **options)
        loader = data.train_dataloader()
        loader.dataset.set_epoch(epoch)  # type: ignore[attr-defined]
        assert [batch.ids for batch in loader] == epochs[epoch]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_training_goes_on_with_the_next_epoch(
    folder: Path, tmp_path: Path, workers: int
) -> None:
    def data() -> Shards:
        return shards(folder, tmp_path, batch_size=2, num_workers=workers)

    whole = fit(data(), tmp_path, 2).epochs
    fit(data(), tmp_path, 1)
    resumed = fit(data(), tmp_path, 2, ckpt_path=tmp_path / "1.ckpt").epochs
    assert resumed == {1: whole[1]}


def test_what_cannot_be_shared_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArgumentError, match="7 shards for 1 processes x 8 workers = 8 readers"):
        shards(folder, tmp_path, num_workers=8).train_dataloader()
    with pytest.raises(ArgumentError, match=r"batch_size=14 .* share of 13 .* than 13; lower"):
        shards(folder, tmp_path, batch_size=14).train_dataloader()
    as_process(monkeypatch, 0, 2)
    with pytest.raises(ArgumentError, match=r"batch_size=3 .* divide by their number, 2"):
        shards(folder, tmp_path, batch_size=3).train_dataloader()


def test_shards_that_are_not_there_are_told_when_they_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="absent is not there"):
        shards(tmp_path / "absent", tmp_path).prepare_data()


def test_preparing_forgets_an_earlier_training(folder: Path, tmp_path: Path) -> None:
    data = shards(folder, tmp_path)
    (tmp_path / "unreadable.jsonl").write_text("{}\n")
    data.prepare_data()
    assert not (tmp_path / "unreadable.jsonl").exists()


def test_what_an_epoch_leaves_out_is_said(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "vtlearn")
    logging.getLogger("vtlearn").propagate = True  # the command line turns it off
    shards(folder, tmp_path, batch_size=5).train_dataloader()
    assert "an epoch takes 10 of 13 samples" in caplog.text


def test_a_list_and_a_pattern(folder: Path, tmp_path: Path) -> None:
    pattern = folder / "{00000..00003}.tar"
    for source in (pattern, [folder / f"0000{number}.tar" for number in range(4)]):
        assert len(shards(source, tmp_path).index.keys) == 8  # type: ignore[arg-type]
    assert open_shards(pattern).shards == shards(pattern, tmp_path).index.shards


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_train(folder: Path, tmp_path: Path) -> None:
    data: dict[str, Any] = {"shards": str(folder), "batch_size": 4, "num_workers": 2}
    data |= {"sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0}, "pixels": {"size": 16}}
    config = {
        "model": {**TINY_ENCODERS, "head": {"class_path": "S2DTW"}},
        "data": {"class_path": "Shards", "init_args": data},
        "trainer": {"accelerator": "cpu", "max_epochs": 2, "strategy": "ddp", "devices": 2},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "vtlearn", "fit", "--config", "tiny.yaml"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "an epoch takes 8 of 13 samples" in done.stderr
    (checkpoint,) = tmp_path.rglob("last.ckpt")
    # of seven shards each of four workers has one of two at least: a batch, so two steps an epoch
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 4


def test_videos_that_are_held_out_elsewhere_are_refused(folder: Path, tmp_path: Path) -> None:
    data = shards(folder, tmp_path, batch_size=4)
    name = data.index.keys[5]
    data.leave_out(frozenset({"another"}))
    with pytest.raises(ArgumentError, match=f"Shards trains on {name}, which another source"):
        data.leave_out(frozenset({name}))
