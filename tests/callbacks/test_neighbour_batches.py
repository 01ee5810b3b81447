import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from tests.conftest import SMALL
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from tests.processes import Pool
from vtlearn.callbacks import NeighbourBatches
from vtlearn.callbacks.video_vectors import SampleEncoder
from vtlearn.datamodules.nearest import share_nearest
from vtlearn.datamodules.neighbours import read_lists
from vtlearn.datasets.base import Corpus
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Checkpoint directory",
    "ignore:The dirpath has changed",
    "ignore:You defined a `validation_step`",
    "ignore:You.re resuming from a checkpoint that ended",
)


class Recorder(Callback):
    """Which videos each epoch has shown."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[list[str]]] = {}

    def on_train_batch_start(self, trainer: Any, _module: Any, batch: Any, _index: int) -> None:
        self.epochs.setdefault(trainer.current_epoch, []).append(batch.ids)


class Training:
    """Two epochs of two batches, each of four among five of the eight videos."""

    def __init__(
        self, root: Path, folder: Path, checkpoint: Path | None = None, **options: Any
    ) -> None:
        torch.manual_seed(0)
        self.learner = tiny_learner()
        self.data = tiny_kitchen(root, SMALL, batch_size=4)
        recorder = Recorder()
        saving = ModelCheckpoint(folder, "{step}", save_top_k=-1, every_n_train_steps=1)
        callbacks = [NeighbourBatches(neighbours=5), recorder, saving]
        options = {"max_epochs": 2, "limit_val_batches": 0, **options}
        trainer = quiet_trainer(folder, callbacks=callbacks, enable_checkpointing=True, **options)
        trainer.fit(self.learner, datamodule=self.data, ckpt_path=checkpoint)
        self.batches = recorder.epochs


@pytest.fixture
def whole(kitchen_root: Path, tmp_path: Path) -> Training:
    return Training(kitchen_root, tmp_path)


def corpus_of(training: Training) -> Corpus:
    corpus = training.data.train_dataset()
    assert isinstance(corpus, Corpus)
    return corpus


def lists_of(folder: Path, training: Training, epoch: int) -> np.ndarray:
    lists = read_lists([folder], epoch, corpus_of(training).ids, 5)
    assert lists is not None
    return lists


def same_weights(one: VideoTextLearner, other: VideoTextLearner) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_each_batch_is_of_neighbours_and_each_epoch_has_its_own(
    whole: Training, tmp_path: Path
) -> None:
    ids = corpus_of(whole).ids
    assert {epoch: len(batches) for epoch, batches in whole.batches.items()} == {0: 2, 1: 2}
    for epoch, batches in whole.batches.items():
        named = [{ids[one] for one in row} for row in lists_of(tmp_path, whole, epoch).tolist()]
        for batch in batches:
            assert len(set(batch)) == 4
            assert any(set(batch) <= row for row in named)
    assert whole.data.epoch_order() is None  # of the next training


def test_the_first_neighbours_are_of_the_weights_that_training_begins_with(
    whole: Training, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    untrained = tiny_learner()
    assert untrained.text_encoder is not None
    untrained.text_encoder.build(whole.data.captions())
    trainer = quiet_trainer(tmp_path)
    encoder = SampleEncoder(untrained, whole.data, trainer.precision_plugin)
    vectors = encoder.encode(corpus_of(whole), epoch=0)
    expected = share_nearest(vectors, 5, encoder.device)
    assert lists_of(tmp_path, whole, 0).tolist() == expected.tolist()


def test_a_resumed_training_is_the_one_that_was_not_stopped(
    whole: Training, kitchen_root: Path, tmp_path: Path
) -> None:
    resumed = Training(kitchen_root, tmp_path / "other", tmp_path / "step=2.ckpt")
    assert resumed.batches == {1: whole.batches[1]}
    assert same_weights(resumed.learner, whole.learner)
    lists = lists_of(tmp_path, whole, 1).tolist()
    assert lists_of(tmp_path / "other", resumed, 1).tolist() == lists


@pytest.mark.parametrize("kept", ["run", "run/checkpoints"])
def test_an_epoch_that_is_resumed_has_the_batches_that_it_began_with(
    kept: str, whole: Training, kitchen_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        pytest.fail("neighbours are found anew")

    monkeypatch.setattr(SampleEncoder, "encode", refuse)
    (tmp_path / kept).mkdir(parents=True)
    (tmp_path / "neighbours").rename(tmp_path / "run" / "neighbours")
    checkpoint = (tmp_path / "step=3.ckpt").rename(tmp_path / kept / "step=3.ckpt")
    resumed = Training(kitchen_root, tmp_path / "other", checkpoint)
    assert resumed.batches == {1: whole.batches[1][1:]}
    lists = lists_of(tmp_path / "run", whole, 1).tolist()
    assert lists_of(tmp_path / "other", resumed, 1).tolist() == lists


@pytest.mark.usefixtures("whole")
def test_an_epoch_whose_neighbours_are_lost_goes_on_with_others(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("vtlearn").propagate = True  # the command line turns it off
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    checkpoint = (tmp_path / "step=3.ckpt").rename(tmp_path / "run" / "checkpoints" / "3.ckpt")
    resumed = Training(kitchen_root, tmp_path / "other", checkpoint)
    assert list(resumed.batches) == [1]
    assert "epoch 1 goes on with other batches" in caplog.text
    assert str(tmp_path / "run" / "neighbours") in caplog.text


def test_another_training_in_the_same_folder_finds_its_own(
    whole: Training, kitchen_root: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "neighbours" / "epoch-000.npz", stale=np.zeros(1))
    again = Training(kitchen_root, tmp_path, max_epochs=1)
    assert again.batches == {0: whole.batches[0]}


def shown_to_process(root: str, folder: str) -> list[list[str]]:
    return Training(Path(root), Path(folder), max_epochs=1, limit_train_batches=1).batches[0]


def test_processes_share_the_batches_of_one(
    whole: Training, kitchen_root: Path, tmp_path: Path, two_processes: Pool
) -> None:
    shares = two_processes.run(shown_to_process, str(kitchen_root), str(tmp_path / "both"))
    assert [*shares[0][0], *shares[1][0]] == whole.batches[0][0]


def test_a_batch_that_is_too_large_and_foreign_data_are_refused(
    kitchen_root: Path, tmp_path: Path
) -> None:
    def fit(**options: Any) -> None:
        trainer = quiet_trainer(tmp_path, callbacks=[NeighbourBatches(neighbours=3)])
        trainer.fit(tiny_learner(), **options)

    with pytest.raises(ArgumentError, match="a batch of 4 cannot be drawn from 3 neighbours"):
        fit(datamodule=tiny_kitchen(kitchen_root, SMALL, batch_size=4))
    loader: DataLoader[Any] = DataLoader([torch.zeros(1)])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="needs a datamodule of vtlearn"):
        fit(train_dataloaders=loader)
    with pytest.raises(ArgumentError, match="neighbours must be positive"):
        NeighbourBatches(0)


def test_nothing_is_found_where_nothing_is_trained(kitchen_root: Path, tmp_path: Path) -> None:
    data = tiny_kitchen(kitchen_root, SMALL)
    trainer = quiet_trainer(tmp_path, callbacks=[NeighbourBatches()])
    learner = tiny_learner()
    assert learner.text_encoder is not None
    learner.text_encoder.build(data.captions())
    trainer.validate(learner, datamodule=data, verbose=False)
    assert not (tmp_path / "neighbours").exists()
