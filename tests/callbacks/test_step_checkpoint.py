"""A training that goes on from any checkpoint does what it would have done."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from typing_extensions import override

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks import StepCheckpoint
from vtlearn.callbacks.step_checkpoint import PREVIOUS


class Keeping(StepCheckpoint):
    """Keeps each checkpoint, and how much had been done then."""

    def __init__(self) -> None:
        super().__init__(every_n_train_steps=1)
        self.kept: list[tuple[Path, int]] = []
        self.done = 0

    @override
    def save(self, trainer: Any, place: Any) -> None:
        self.done = len(trainer.lightning_module.trace)
        super().save(trainer, place)

    @override
    def replace(self, unfinished: Path, path: Path) -> None:
        kept = path.with_name(f"{len(self.kept):02d}-{self.place}.ckpt")
        shutil.copy(unfinished, kept)
        self.kept.append((kept, self.done))
        super().replace(unfinished, path)


def train(
    folder: Path,
    *,
    validated: bool = True,
    resume: Path | None = None,
    stop: Callback | None = None,
    **limits: Any,
) -> tuple[list[tuple[Any, ...]], list[tuple[Path, int]]]:
    torch.manual_seed(0)
    module, keeping = Traced(), Keeping()
    callbacks = [keeping, *([] if stop is None else [stop])]
    trainer = quiet_trainer(folder, callbacks=callbacks, enable_checkpointing=True, **limits)
    trainer.fit(module, datamodule=Data(is_validated=validated), ckpt_path=resume)
    return module.trace, keeping.kept


WAYS: dict[str, dict[str, Any]] = {
    "by epochs": {"max_epochs": 3},
    "by steps": {"max_steps": 10, "max_epochs": -1},
    "by steps, to an end": {"max_steps": 12, "max_epochs": 5},
    "within": {"max_epochs": 2, "val_check_interval": 2},
    "within, by steps": {"max_steps": 7, "max_epochs": -1, "val_check_interval": 2},
    "none": {"max_epochs": 3, "validated": False},
    "none, by steps": {"max_steps": 10, "max_epochs": 5, "validated": False},
    "every other": {"max_epochs": 4, "check_val_every_n_epoch": 2},
    "across": {"max_epochs": 3, "check_val_every_n_epoch": None, "val_check_interval": 3},
    "accumulating": {"max_epochs": 2, "accumulate_grad_batches": 2},
    "accumulating unevenly": {"max_epochs": 2, "accumulate_grad_batches": 3},
}


QUICK = ("by steps", "within", "none, by steps")


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """Leave out what Lightning says in each of hundreds of trainings."""
    loggers = [logging.getLogger("pytorch_lightning.utilities.rank_zero")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before")
@pytest.mark.filterwarnings("ignore:Total length of:UserWarning")
@pytest.mark.parametrize(
    "way",
    [way if way in QUICK else pytest.param(way, marks=pytest.mark.slow) for way in WAYS],
)
def test_a_training_goes_on_from_each_of_its_checkpoints(way: str, tmp_path: Path) -> None:
    whole, kept = train(tmp_path / "whole", **WAYS[way])
    assert len(kept) > 3
    for checkpoint, done in kept:
        rest, _ = train(tmp_path / "rest", resume=checkpoint, **WAYS[way])
        expected = whole[done:]
        assert (checkpoint.name, rest) == (checkpoint.name, expected)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before")
@pytest.mark.filterwarnings("ignore:Total length of:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("short", [{"max_epochs": 1}, {"max_steps": 3}, {"max_steps": 4}])
@pytest.mark.parametrize("longer", [{"max_epochs": 3}, {"max_steps": 10}])
def test_a_training_that_ended_goes_on_as_a_longer_one(
    short: dict[str, Any], longer: dict[str, Any], validated: bool, tmp_path: Path
) -> None:
    whole, _ = train(tmp_path / "whole", validated=validated, **{"max_epochs": -1, **longer})
    first, kept = train(tmp_path / "first", validated=validated, **{"max_epochs": -1, **short})
    assert kept[-1][0].stem.endswith("end")
    if short.get("max_steps") == 3:
        assert first.pop()[0] == "epoch ends"  # which it does not, of the longer one
    rest, _ = train(
        tmp_path / "rest", validated=validated, resume=kept[-1][0], **{"max_epochs": -1, **longer}
    )
    assert first + rest == whole


class StopAt(Callback):
    """Tells a training to stop after a step, as ``max_time`` does."""

    def __init__(self, step: int) -> None:
        self.step = step

    @override
    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = trainer.global_step == self.step


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before")
@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_training_that_was_told_to_stop_goes_on_as_if_it_had_not(
    step: int, tmp_path: Path
) -> None:
    whole, _ = train(tmp_path / "whole", max_epochs=3)
    first, kept = train(tmp_path / "first", stop=StopAt(step), max_epochs=3)
    rest, _ = train(tmp_path / "rest", resume=kept[-1][0], max_epochs=3)
    steps = [[x for x in trace if x[0] == "train"] for trace in (first, rest, whole)]
    assert steps[0] + steps[1] == steps[2]
    validations = [sum(x[0] == "validation" for x in trace) for trace in (first, rest, whole)]
    off_schedule = int(step % 4 > 0)
    assert validations[0] + validations[1] == validations[2] + off_schedule


def test_the_one_before_is_kept_and_none_is_unfinished(tmp_path: Path) -> None:
    _, kept = train(tmp_path, max_epochs=2)
    folder = kept[0][0].parent
    latest = torch.load(folder / "last.ckpt", weights_only=True)
    before = torch.load(folder / PREVIOUS, weights_only=True)
    assert (latest["global_step"], before["global_step"]) == (8, 8)  # the end, a validation
    assert not list(folder.glob(".*"))
