"""End a training that is asked to stop: with its step finished, and a checkpoint written."""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning import LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.between_steps import BetweenSteps, Place
from vtlearn.callbacks.step_checkpoint import StepCheckpoint
from vtlearn.callbacks.training_stopped import TrainingStopped
from vtlearn.distributed import sum_counts

__all__ = ["StopOnSignal"]

_ENDING = (signal.SIGTERM, signal.SIGINT)
_WARNING = (signal.SIGUSR1, signal.SIGUSR2)

#: Seconds: torchrun hands a signal on that its processes got themselves, not a second time.
_ECHO = 1.0


class StopOnSignal(BetweenSteps):
    """Finish the step, write ``last.ckpt`` and end, when SIGTERM or SIGINT (Ctrl-C) arrives.

    All processes of a training end after the same step, whichever of them the signal has reached. A
    second signal ends a process at once. Under SLURM the signal of its requeueing (SIGUSR1) does
    the same, and has Lightning put the job back into the queue.

    Raises:
        TrainingStopped: When it is done, out of the training.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._at = 0.0
        self._signals: set[signal.Signals] = set()
        self._former: dict[int, Any] = {}

    @override
    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._listen()

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._stop_listening()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._stop_listening()

    @override
    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if signum := self._agreed(trainer):
            self._end(trainer, signum, "validation")

    @override
    def between_steps(self, trainer: Trainer, place: Place) -> None:
        if place != "end" and (signum := self._agreed(trainer)):
            for latest in _keepers(trainer):
                latest.save(trainer, place)
            self._end(trainer, signum, place)

    def _listen(self) -> None:
        """Take the signals over from Lightning, which has just taken them over itself."""
        self._signals = set(_ENDING)
        if SLURMEnvironment.detect():  # where Lightning handles what warns of a job's end
            handled = (x for x in _WARNING if callable(signal.getsignal(x)))
            self._signals.update(handled)
        if self._former or threading.current_thread() is not threading.main_thread():
            return
        self._received = None
        self._former = {number: signal.signal(number, self._receive) for number in self._signals}

    def _stop_listening(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    def _receive(self, signum: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._received is None:
            self._received, self._at = signum, now
        elif "TORCHELASTIC_RUN_ID" not in os.environ or now - self._at > _ECHO:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    def _agreed(self, trainer: Trainer) -> int | None:
        """Return a signal that any process has received; all ask together."""
        numbers = sorted(self._signals)
        received = [int(number == self._received) for number in numbers]
        counts = sum_counts(received, trainer.strategy.root_device) if numbers else []
        return next((x for x, count in zip(numbers, counts, strict=True) if count), None)

    def _end(self, trainer: Trainer, signum: int, place: Place) -> None:
        former = self._former.get(signum)
        if signum not in _ENDING and callable(former):
            for each in _keepers(trainer):
                each.place = place
            former(signum, None)  # Lightning's: it saves as well, and queues the job again
        latest = next((each for each in _keepers(trainer) if each.path.is_file()), None)
        if latest is None:
            raise TrainingStopped(signum, trainer.global_step)
        raise TrainingStopped(signum, trainer.global_step, latest.path, latest.saved_at)


def _keepers(trainer: Trainer) -> list[StepCheckpoint]:
    return [x for x in trainer.checkpoint_callbacks if isinstance(x, StepCheckpoint)]
