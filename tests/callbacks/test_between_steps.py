"""Where a training can be saved: behind whole steps, and behind what is logged of them."""

from pathlib import Path
from typing import Any

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks.between_steps import BetweenSteps


class Places(BetweenSteps):
    def __init__(self) -> None:
        self.met: list[tuple[str, int]] = []

    def between_steps(self, trainer: Any, place: Any) -> None:
        self.met.append((place, trainer.global_step))


def places(folder: Path, **options: Any) -> list[tuple[str, int]]:
    callback = Places()
    trainer = quiet_trainer(folder, callbacks=[callback], **options)
    trainer.fit(Traced(), datamodule=Data(is_validated=True))
    return callback.met


def test_there_is_one_after_each_step_and_before_each_validation(tmp_path: Path) -> None:
    assert places(tmp_path, max_epochs=2) == [
        *(("batch", 1), ("batch", 2), ("batch", 3), ("validation", 4)),
        *(("epoch", 4), ("batch", 5), ("batch", 6), ("batch", 7), ("validation", 8), ("end", 8)),
    ]


def test_there_is_none_between_the_batches_of_a_step(tmp_path: Path) -> None:
    met = places(tmp_path, max_epochs=1, accumulate_grad_batches=2, val_check_interval=1)
    assert met == [("validation", 1), ("batch", 1), ("validation", 2), ("end", 2)]
