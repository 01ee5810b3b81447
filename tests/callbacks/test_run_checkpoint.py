import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks import StepCheckpoint


def test_a_checkpoint_that_is_cut_off_has_no_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full while the second one is written: the first is still whole."""
    save, written = torch.save, []

    def full(content: Any, file: Any, **options: Any) -> None:
        written.append(content["global_step"])
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file, **options)

    monkeypatch.setattr(torch, "save", full)
    saving = StepCheckpoint(every_n_train_steps=1)
    trainer = quiet_trainer(tmp_path, callbacks=[saving], enable_checkpointing=True)
    with pytest.raises(OSError, match="No space left"):
        trainer.fit(Traced(), datamodule=Data(is_validated=False))
    assert written == [1, 2]
    assert [path.name for path in saving.path.parent.iterdir()] == ["last.ckpt"]
    assert torch.load(saving.path, weights_only=True)["global_step"] == 1
