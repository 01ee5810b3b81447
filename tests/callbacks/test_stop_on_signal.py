import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import quiet_trainer
from tests.trainings import Data, Traced
from vtlearn.callbacks import StepCheckpoint, StopOnSignal, TrainingStopped


class Signalled(Traced):
    """Gets a signal in the middle of a step, or of a validation."""

    def __init__(self, signum: int, at: int, *, validating: bool = False) -> None:
        super().__init__()
        self.signum, self.at, self.validating = signum, at, validating

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        if self.trainer.global_step == self.at and not self.validating:
            os.kill(os.getpid(), self.signum)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        if self.trainer.global_step == self.at and self.validating:
            os.kill(os.getpid(), self.signum)
        super().validation_step(batch, batch_idx)


def stopped(folder: Path, learner: Traced, *others: Any) -> TrainingStopped:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    trainer = quiet_trainer(
        folder, callbacks=[StopOnSignal(), *others], enable_checkpointing=bool(others), max_epochs=3
    )
    with pytest.raises(TrainingStopped) as caught:
        trainer.fit(learner, datamodule=Data(is_validated=True))
    assert {number: signal.getsignal(number) for number in before} == before
    return caught.value


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at", [0, 3])
def test_the_step_is_finished_and_saved(signum: int, at: int, tmp_path: Path) -> None:
    keeping = StepCheckpoint()
    answer = stopped(tmp_path, Signalled(signum, at), keeping)
    assert (answer.signum, answer.step, answer.saved_step) == (signum, at + 1, at + 1)
    assert answer.checkpoint == keeping.path
    assert torch.load(keeping.path, weights_only=True)["global_step"] == at + 1


def test_a_validation_is_not_waited_for(tmp_path: Path) -> None:
    learner = Signalled(signal.SIGTERM, 4, validating=True)
    answer = stopped(tmp_path, learner, StepCheckpoint())
    assert (answer.step, answer.saved_step) == (4, 4)
    assert [what[0] for what in learner.trace].count("validate") == 1


def test_without_checkpoints_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    answer = stopped(tmp_path, Signalled(signal.SIGTERM, 2))
    assert (answer.step, answer.checkpoint) == (3, None)


def test_slurms_warning_has_the_job_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single task of a job, whose ``scontrol`` is ours; Lightning calls it, and saves as well."""
    called = tmp_path / "called"
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {called}\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    job = {"NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0", "JOB_ID": "77"}
    for name, value in {**job, "JOB_NAME": "train", "NTASKS_PER_NODE": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    try:
        answer = stopped(tmp_path, Signalled(signal.SIGUSR1, 2), StepCheckpoint())
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert (answer.signum, answer.step, answer.saved_step) == (signal.SIGUSR1, 3, 3)
    assert called.read_text() == "requeue 77\n"
    queued = torch.load(tmp_path / "hpc_ckpt_1.ckpt", weights_only=True)
    last = torch.load(str(answer.checkpoint), weights_only=True)
    assert queued["loops"]["fit_loop"] == last["loops"]["fit_loop"]


class Twice(Signalled):
    """Gets the signal again in each step."""

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        os.kill(os.getpid(), self.signum)
        return loss


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    learner = Twice(signal.SIGTERM, 0)
    process = context.Process(target=stopped, args=(tmp_path, learner, StepCheckpoint()))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGTERM
