import csv
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import LightningModule
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks import ContinuedLogs, StepCheckpoint


class Logging(Traced):
    """Logs its batches, and fails after some of them."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.fails_at = fails_at

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == self.fails_at:
            raise InterruptedError
        self.log("train/batch", batch.item())
        return super().training_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        self.log("val/batch", float(self.trainer.global_step))


class Ended(Logging):
    """Is ended before its first step."""

    def setup(self, stage: str) -> None:
        raise InterruptedError(stage)


def train(folder: Path, learner: LightningModule, *, resume: bool = False) -> None:
    run = folder / "a" / "run"
    loggers = [kind(folder, "a", "run") for kind in (TensorBoardLogger, CSVLogger)]
    trainer = quiet_trainer(
        folder,
        logger=loggers,
        callbacks=[ContinuedLogs(run if resume else None), StepCheckpoint(every_n_train_steps=2)],
        enable_checkpointing=True,
        max_epochs=3,
    )
    checkpoint = folder / "a" / "run" / "checkpoints" / "last.ckpt"
    trainer.fit(
        learner, datamodule=Data(is_validated=True), ckpt_path=checkpoint if resume else None
    )


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder / "a" / "run")).Reload()
    tags = ("train/batch", "val/batch")
    return {tag: sorted({(x.step, x.value) for x in events.Scalars(tag)}) for tag in tags}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "a" / "run" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fails_at", [3, 5])
def test_curves_are_those_of_a_training_that_was_not_stopped(fails_at: int, tmp_path: Path) -> None:
    train(tmp_path / "whole", Logging())
    with pytest.raises(InterruptedError):
        train(tmp_path / "stopped", Logging(fails_at))
    train(tmp_path / "stopped", Logging(), resume=True)
    assert curves(tmp_path / "stopped") == curves(tmp_path / "whole")
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) == 12 + 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_another_training_in_the_folder_begins_anew(tmp_path: Path) -> None:
    for _ in range(2):
        train(tmp_path, Logging())
    assert len(rows(tmp_path)) == 12 + 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_are_there_still_if_it_ends_before_its_first_step(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        train(tmp_path, Logging(5))
    path = tmp_path / "a" / "run" / "metrics.csv"
    before = path.read_bytes()
    with pytest.raises(InterruptedError):
        train(tmp_path, Ended(), resume=True)
    assert path.read_bytes() == before
    path.write_bytes(before[: before.rstrip().rfind(b"\n") + 3])  # killed while it wrote a line
    train(tmp_path, Logging(), resume=True)
    train(tmp_path / "whole", Logging())
    assert rows(tmp_path) == rows(tmp_path / "whole")
