"""Keep the best model by validation, and the latest by step."""

import logging
from pathlib import Path

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from typing_extensions import override

from vtlearn.datamodules.base import VideoTextData
from vtlearn.run_folder import is_working_directory, run_folder

__all__ = ["BestCheckpoint", "StepCheckpoint"]

_LOG = logging.getLogger(__name__)
_PRIMARY = "val/primary"  # higher is better
_LOSS = "val/loss"  # lower is better


class _RunCheckpoint(ModelCheckpoint):
    """Keeps checkpoints in the run's folder, and none in ``checkpoints/`` of a user's own."""

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = run_folder(trainer)
        super().setup(trainer, pl_module, stage)
        if self.dirpath is not None and is_working_directory(Path(self.dirpath).parent):
            self.dirpath = str(folder / "checkpoints")


class BestCheckpoint(_RunCheckpoint):
    """Keep ``best.ckpt``, the model with the highest ``val/primary``.

    Where validation has no protocol, the model with the lowest ``val/loss`` is kept; where there is
    no validation, there is nothing to choose by, which is said when training starts, and nothing is
    kept.

    Args:
        monitor: The figure to choose by; higher is better.
        filename: Name of the file, without ``.ckpt``.
    """

    def __init__(self, monitor: str = _PRIMARY, filename: str = "best") -> None:
        super().__init__(
            monitor=monitor,
            mode="max",
            filename=filename,
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=False,
        )
        self._warned = False

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        reason = _why_unvalidated(trainer)  # every process asks, as for the loaders
        if reason is None or not trainer.is_global_zero or _keeps_nothing(trainer):
            return
        others = (x for x in trainer.checkpoint_callbacks if isinstance(x, StepCheckpoint))
        kept = next((f"only {callback.filename}.ckpt" for callback in others), "no checkpoint")
        _LOG.info("%s, so there is nothing to choose the best model by: %s is kept", reason, kept)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        if self.monitor == _PRIMARY and self.monitor not in metrics and _LOSS in metrics:
            self.monitor, self.mode = _LOSS, "min"
            self.kth_value = torch.tensor(torch.inf)
        if self.monitor in metrics:
            super().on_validation_end(trainer, pl_module)
        elif self.monitor != _PRIMARY and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._warn(trainer, sorted(metrics))

    def _warn(self, trainer: Trainer, names: list[str]) -> None:
        """Say once that what was asked for is not there, instead of keeping nothing in silence."""
        if not self._warned and trainer.is_global_zero:
            there = ", ".join(name for name in names if name.startswith("val/")) or "none"
            _LOG.warning(
                "no best model is kept: validation has no figure %s; there are: %s",
                self.monitor,
                there,
            )
        self._warned = True


class StepCheckpoint(_RunCheckpoint):
    """Keep ``last.ckpt``, overwritten every so many steps, to resume from after an interruption.

    Args:
        every_n_train_steps: How many optimiser steps lie between two of them.
    """

    def __init__(self, every_n_train_steps: int = 50) -> None:
        super().__init__(
            filename="last",
            every_n_train_steps=every_n_train_steps,
            save_top_k=1,
            enable_version_counter=False,
        )

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.dirpath is not None and not _keeps_nothing(trainer):
            path = Path(self.dirpath) / f"{self.filename}.ckpt"
            trainer.save_checkpoint(path, weights_only=False)  # the optimiser as well


def _why_unvalidated(trainer: Trainer) -> str | None:
    """Tell why a training has no validation; None if it has one."""
    data = getattr(trainer, "datamodule", None)
    if trainer.limit_val_batches == 0:
        return "limit_val_batches=0 leaves validation out"
    if isinstance(data, VideoTextData) and not data.tasks("validate"):
        return f"{type(data).__name__} has no validation split"
    return None if trainer.enable_validation else "there is no validation loader"


def _keeps_nothing(trainer: Trainer) -> bool:
    return bool(getattr(trainer, "fast_dev_run", False))
