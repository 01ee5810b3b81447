import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import SMALL
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import BestCheckpoint, ResumeCheck, StepCheckpoint
from vtlearn.errors import ArgumentError
from vtlearn.heads import InfoNCE


@pytest.fixture(scope="module")
def checkpoint(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    saving = StepCheckpoint()
    callbacks = [ResumeCheck(), BestCheckpoint(), saving]
    trainer = quiet_trainer(
        tmp_path_factory.mktemp("run"), callbacks=callbacks, enable_checkpointing=True, max_steps=1
    )
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, SMALL))
    return saving.path


def go_on(
    checkpoint: Path, folder: Path, data: Any, learner: Any = None, *, allow_changed: bool = False
) -> Any:
    check = ResumeCheck(checkpoint, allow_changed=allow_changed)
    callbacks = [check, BestCheckpoint(), StepCheckpoint()]
    trainer = quiet_trainer(folder, callbacks=callbacks, enable_checkpointing=True, max_steps=2)
    trainer.fit(learner or tiny_learner(), datamodule=data, ckpt_path=checkpoint)
    return trainer


def test_what_differs_is_named_with_the_way_out(
    checkpoint: Path, kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    other = tiny_kitchen(kitchen_root, small, batch_size=3, seed=1)
    words = (
        r"last\.ckpt is of a training with seed=0, batch_size=4; this one has seed=1, "
        r"batch_size=3: give what it had, or --resume_changed .* give --weights in place of"
    )
    with pytest.raises(ArgumentError, match=words):
        go_on(checkpoint, tmp_path, other)
    data = tiny_kitchen(kitchen_root, small)
    with pytest.raises(ArgumentError, match="with head=S2DTW; this one has head=InfoNCE: "):
        go_on(checkpoint, tmp_path, data, tiny_learner(InfoNCE()))


def test_it_may_go_on_as_another_training(
    checkpoint: Path,
    kitchen_root: Path,
    small: dict[str, int],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("vtlearn"), "propagate", True)
    other = tiny_kitchen(kitchen_root, small, batch_size=3)
    trainer = go_on(checkpoint, tmp_path, other, allow_changed=True)
    assert trainer.global_step == 2
    assert "resumes one with batch_size=4, and has batch_size=3" in caplog.text
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["training"]["batch_size"] == 3


def test_other_processes_and_newer_versions_are_said(
    checkpoint: Path,
    kitchen_root: Path,
    small: dict[str, int],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("vtlearn"), "propagate", True)
    caplog.set_level(logging.INFO, logger="vtlearn")
    content = torch.load(checkpoint, weights_only=True)
    content["training"] |= {"version": "99.0", "processes": 2, "workers": 5}
    torch.save(content, tmp_path / "other.ckpt")
    trainer = go_on(tmp_path / "other.ckpt", tmp_path, tiny_kitchen(kitchen_root, small))
    assert trainer.global_step == 2
    assert "was written by vtlearn 99.0, and this is" in caplog.text
    assert "1 processes resume what 2 began: batches and what is drawn" in caplog.text
    assert "shared out again" not in caplog.text  # of a stream alone
