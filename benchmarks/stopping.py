"""A callback that stops a training in the middle of something, for resuming.py."""

import os
import signal
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

Moment = Literal["step", "validation", "epoch", "saved", "writing", "renaming"]


class StopAt(Callback):
    """Send this process a signal.

    Args:
        step: After so many optimiser steps, or at the first moment after them.
        moment: Within that step; at the begin of a validation; of an epoch; just after a checkpoint
            got its name; while half of one is written; or while it has no name yet.
        signum: Which.
        rank: The process that it is sent to.
    """

    def __init__(self, step: int, moment: Moment = "step", signum: int = 9, rank: int = 0) -> None:
        self.step, self.moment, self.signum, self.rank = step, moment, signum, rank
        self._is_sent = False

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer = trainer
        if self.moment == "writing":
            save = torch.save

            def half(content: Any, file: Any, **options: Any) -> None:
                save(content, file, **options)
                if self._is_due():
                    for path in Path(trainer.default_root_dir).rglob(".*.unfinished"):
                        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                    self._send()

            torch.save = half
        elif self.moment in ("renaming", "saved"):
            replace = Path.replace

            def between(path: Path, target: Any) -> Path:
                if Path(target).name == "last.ckpt" and self.moment == "renaming":
                    self._send()
                answer = replace(path, target)
                if Path(target).name == "last.ckpt":
                    self._send()
                return answer

            Path.replace = between  # type: ignore[method-assign]

    @override
    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Any) -> None:
        if self.moment == "step":
            self._send()

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self.moment == "validation" and not trainer.sanity_checking:
            self._send()

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self.moment == "epoch":
            self._send()

    def _is_due(self) -> bool:
        return self._trainer.global_step >= self.step and not self._is_sent

    def _send(self) -> None:
        if self._is_due() and self._trainer.global_rank == self.rank:
            self._is_sent = True
            os.kill(os.getpid(), signal.Signals(self.signum))
