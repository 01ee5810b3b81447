from pathlib import Path
from typing import Any

import pytest

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import DataWait, data_wait


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def slow(self, function: Any, seconds: float) -> Any:
        """Let a function take so many seconds."""

        def slowed(*arguments: Any) -> Any:
            self.now += seconds
            return function(*arguments)

        return slowed


@pytest.mark.parametrize(("loading", "share"), [(0.0, 0.0), (3.0, 0.75)])
def test_the_share_is_that_of_the_loader(
    loading: float,
    share: float,
    kitchen_root: Path,
    small: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(data_wait, "perf_counter", clock)
    learner = tiny_learner()
    monkeypatch.setattr(learner, "training_step", clock.slow(learner.training_step, 1.0))
    data = tiny_kitchen(kitchen_root, small)
    loader = data.train_dataloader()
    loader.collate_fn = clock.slow(loader.collate_fn, loading)
    monkeypatch.setattr(data, "train_dataloader", lambda: loader)
    trainer = quiet_trainer(tmp_path, callbacks=[DataWait()], limit_val_batches=0)
    trainer.fit(learner, datamodule=data)
    assert trainer.callback_metrics["train/data_wait_epoch"] == pytest.approx(share)
