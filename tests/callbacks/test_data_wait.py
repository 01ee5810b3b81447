from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import NarrationBatch, collate_narrations
from vtlearn.callbacks import DataWait


def slow(samples: Any) -> NarrationBatch:
    sleep(0.5)
    return collate_narrations(samples)


@pytest.mark.parametrize("starved", [False, True])
def test_the_share_is_that_of_the_loader(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, *, starved: bool
) -> None:
    class Learner(type(tiny_learner())):  # type: ignore[misc]
        def training_step(self, *args: Any) -> Any:
            sleep(0.0 if starved else 0.5)
            return super().training_step(*args)

    learner = tiny_learner()
    learner.__class__ = Learner
    data = tiny_kitchen(kitchen_root, small)
    loader = data.train_dataloader()
    if starved:
        loader.collate_fn = slow
    data.train_dataloader = lambda: loader  # type: ignore[method-assign]
    trainer = quiet_trainer(tmp_path, callbacks=[DataWait()], limit_val_batches=0)
    trainer.fit(learner, datamodule=data)
    share = trainer.callback_metrics["train/data_wait_epoch"]
    assert (share > 0.6) if starved else (share < 0.4)
