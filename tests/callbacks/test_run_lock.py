from pathlib import Path

import pytest

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks import RunLock
from vtlearn.callbacks.run_lock import began_at
from vtlearn.errors import ArgumentError


def test_a_folder_has_one_training_at_a_time(tmp_path: Path) -> None:
    first = RunLock()
    trainer = quiet_trainer(tmp_path, callbacks=[first])
    first.setup(trainer, Traced(), "fit")
    other = quiet_trainer(tmp_path, callbacks=[RunLock()])
    with pytest.raises(ArgumentError, match=f"another process trains in {tmp_path}: wait until"):
        other.fit(Traced(), datamodule=Data(is_validated=False))
    first.teardown(trainer, Traced(), "fit")
    other.fit(Traced(), datamodule=Data(is_validated=False))
    assert other.global_step == 4


def test_a_run_that_goes_on_is_locked_before_anything_is_done_in_it(tmp_path: Path) -> None:
    first = RunLock(tmp_path)
    with pytest.raises(ArgumentError, match=f"another process trains in {tmp_path}: wait until"):
        RunLock(tmp_path)
    trainer = quiet_trainer(tmp_path, callbacks=[first])
    trainer.fit(Traced(), datamodule=Data(is_validated=False))  # it is its own
    RunLock(tmp_path)


def test_it_tells_when_a_training_began(tmp_path: Path) -> None:
    assert began_at(tmp_path) is None
    times = []
    for _ in range(2):
        trainer = quiet_trainer(tmp_path, callbacks=[RunLock()])
        trainer.fit(Traced(), datamodule=Data(is_validated=False))
        times.append(began_at(tmp_path))
    assert None not in times
    assert times[0] < times[1]  # type: ignore[operator]


def test_a_trial_run_locks_nothing(tmp_path: Path) -> None:
    trainer = quiet_trainer(tmp_path, callbacks=[RunLock()], fast_dev_run=True)
    trainer.fit(Traced(), datamodule=Data(is_validated=False))
    assert began_at(tmp_path) is None
