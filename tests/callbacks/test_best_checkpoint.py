import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.trainer.states import TrainerFn

from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import BestCheckpoint, StepCheckpoint
from vtlearn.datamodules import HowTo100M, Kitchen, VideoTextData

NOTHING = ", so there is nothing to choose the best model by: "


@pytest.fixture(autouse=True)
def listening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hear what vtlearn logs, also after a command has turned its log away from the root's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("vtlearn"), "propagate", True)
    caplog.set_level(logging.INFO, logger="vtlearn")


def checkpointing(folder: Path, **options: Any) -> tuple[Trainer, list[Any]]:
    callbacks = [BestCheckpoint(), StepCheckpoint(every_n_train_steps=1)]
    options = {"callbacks": callbacks, "enable_checkpointing": True, **options}
    return quiet_trainer(folder, **options), callbacks


def howto100m(kitchen_root: Path) -> HowTo100M:
    """A datamodule without a validation split."""
    return HowTo100M(
        kitchen_root / "captions",
        videos=kitchen_root / "videos",
        **LOADING,
        batch_size=4,
    )


def kept(callback: Any) -> list[str]:
    return sorted(path.name for path in Path(str(callback.dirpath)).glob("*"))


def about_choosing(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for text in caplog.messages if "best model" in text]


def test_the_best_by_validation_and_the_last_are_kept(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer, callbacks = checkpointing(tmp_path, max_epochs=2)
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, small))
    best, last = (
        Path(str(callback.dirpath)) / name
        for callback, name in zip(callbacks, ("best.ckpt", "last.ckpt"), strict=True)
    )
    assert callbacks[0].best_model_path == str(best)
    assert torch.load(best, weights_only=True)["global_step"] in (2, 4)
    assert torch.load(last, weights_only=True)["global_step"] == 4
    assert kept(callbacks[0]) == ["best.ckpt", "last.ckpt", "previous.ckpt"]
    assert about_choosing(caplog) == []


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_without_a_validation_split_there_is_no_best_and_that_is_said_once(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # more steps apart than there are: the last is kept at the end all the same
    callbacks = [BestCheckpoint(), StepCheckpoint(every_n_train_steps=50)]
    trainer, _ = checkpointing(tmp_path, max_epochs=2, callbacks=callbacks)
    trainer.fit(tiny_learner(), datamodule=howto100m(kitchen_root))
    assert kept(callbacks[0]) == ["last.ckpt"]
    path = Path(str(callbacks[1].dirpath)) / "last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == trainer.global_step > 0
    assert about_choosing(caplog) == [
        f"HowTo100M has no validation split{NOTHING}only last.ckpt is kept"
    ]


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_a_corpus_may_have_no_validation_split_in_one_of_its_forms(
    kitchen_root: Path,
    small: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Kitchen, "tasks", VideoTextData.tasks)
    trainer, callbacks = checkpointing(tmp_path, max_steps=1)
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, small))
    assert kept(callbacks[0]) == ["last.ckpt"]
    assert about_choosing(caplog) == [
        f"Kitchen has no validation split{NOTHING}only last.ckpt is kept"
    ]


@pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no:UserWarning")
def test_validation_that_is_left_out_is_said_as_well(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tiny_kitchen(kitchen_root, small)
    trainer, callbacks = checkpointing(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(tiny_learner(), datamodule=data)
    assert kept(callbacks[0]) == ["last.ckpt"]
    trainer, _ = checkpointing(tmp_path / "alone", max_steps=1, callbacks=[BestCheckpoint()])
    learner = tiny_learner()
    assert learner.text_encoder is not None
    learner.text_encoder.build(data.captions())
    trainer.fit(learner, train_dataloaders=data.train_dataloader())
    assert about_choosing(caplog) == [
        f"limit_val_batches=0 leaves validation out{NOTHING}only last.ckpt is kept",
        f"there is no validation loader{NOTHING}no checkpoint is kept",
    ]


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_a_trial_run_keeps_nothing_and_says_nothing(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer, callbacks = checkpointing(tmp_path, fast_dev_run=True)
    trainer.fit(tiny_learner(), datamodule=howto100m(kitchen_root))
    assert kept(callbacks[0]) == []
    assert about_choosing(caplog) == []


def test_a_figure_that_is_not_there_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    best, trainer = BestCheckpoint(monitor="val/primry"), quiet_trainer(tmp_path)
    figures = {name: torch.tensor(1.0) for name in ("val/primary", "train/loss")}
    trainer.callback_metrics.update(figures)
    best.on_validation_end(trainer, tiny_learner())  # of `vtlearn validate`, which keeps nothing
    assert about_choosing(caplog) == []
    trainer.state.fn = TrainerFn.FITTING
    for _ in range(2):
        best.on_validation_end(trainer, tiny_learner())
    assert about_choosing(caplog) == [
        "no best model is kept: validation has no figure val/primry; there are: val/primary"
    ]


def test_a_model_may_be_chosen_by_its_loss(tmp_path: Path) -> None:
    best = BestCheckpoint()
    trainer = quiet_trainer(tmp_path)
    trainer.callback_metrics["val/loss"] = torch.tensor(1.0)
    best.on_validation_end(trainer, tiny_learner())
    assert (best.monitor, best.mode) == ("val/loss", "min")
    other = BestCheckpoint(monitor="val/other")
    other.on_validation_end(trainer, tiny_learner())
    assert other.monitor == "val/other"  # what was asked for is not replaced


def test_what_former_versions_kept_of_the_best_is_found(tmp_path: Path) -> None:
    best = BestCheckpoint()
    former = "BestCheckpoint{'monitor': 'val/primary', 'mode': 'max', 'every_n_train_steps': 0}"
    checkpoint: dict[str, Any] = {"callbacks": {former: {"best_model_score": 1.0}}}
    best.on_load_checkpoint(quiet_trainer(tmp_path), tiny_learner(), checkpoint)
    assert checkpoint["callbacks"] == {best.state_key: {"best_model_score": 1.0}}


def test_a_best_that_was_chosen_by_its_loss_is_found_again(tmp_path: Path) -> None:
    """The figure that it is chosen by is another one than was asked for."""
    best, trainer = BestCheckpoint(), quiet_trainer(tmp_path)
    trainer.callback_metrics["val/loss"] = torch.tensor(1.0)
    best.on_validation_end(trainer, tiny_learner())
    best.dirpath, best.best_model_score = str(tmp_path), torch.tensor(1.0)
    best.best_model_path = str(tmp_path / "best.ckpt")
    again = BestCheckpoint()
    again.dirpath = str(tmp_path)
    assert again.state_key == best.state_key
    again.load_state_dict(best.state_dict())
    assert (again.monitor, again.mode) == ("val/loss", "min")
    assert again.best_model_score == torch.tensor(1.0)
