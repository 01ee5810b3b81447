"""Keep the best model by validation, and the latest by step."""

from pathlib import Path

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from vtlearn.run_folder import is_working_directory, run_folder

__all__ = ["BestCheckpoint", "StepCheckpoint"]

_LOSS = "val/loss"  # lower is better


class _RunCheckpoint(ModelCheckpoint):
    """Keeps checkpoints in the run's folder, and none in ``checkpoints/`` of a user's own."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder.

        Args:
            trainer: Knows the logger.
            pl_module: The learner.
            stage: What is about to run.
        """
        folder = run_folder(trainer)
        super().setup(trainer, pl_module, stage)
        if self.dirpath is not None and is_working_directory(Path(self.dirpath).parent):
            self.dirpath = str(folder / "checkpoints")


class BestCheckpoint(_RunCheckpoint):
    """Keep ``best.ckpt``, the model with the highest ``val/primary``.

    Where validation has no protocol, the model with the lowest ``val/loss`` is kept; where there is
    no validation, there is nothing to choose by, and nothing is kept.

    Args:
        monitor: The figure to choose by; higher is better.
        filename: Name of the file, without ``.ckpt``.
    """

    def __init__(self, monitor: str = "val/primary", filename: str = "best") -> None:
        super().__init__(
            monitor=monitor,
            mode="max",
            filename=filename,
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=False,
        )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the model if it is the best so far.

        Args:
            trainer: Holds the validation's figures.
            pl_module: The learner.
        """
        metrics = trainer.callback_metrics
        if self.monitor not in metrics and _LOSS in metrics:
            self.monitor, self.mode = _LOSS, "min"
            self.kth_value = torch.tensor(torch.inf)
        if self.monitor in metrics:
            super().on_validation_end(trainer, pl_module)


class StepCheckpoint(_RunCheckpoint):
    """Keep ``last.ckpt``, overwritten every so many steps, to go on from after an interruption.

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

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the model as training leaves it.

        Args:
            trainer: The trainer.
            pl_module: Not used.
        """
        del pl_module
        if self.dirpath is not None and not getattr(trainer, "fast_dev_run", False):
            path = Path(self.dirpath) / f"{self.filename}.ckpt"
            trainer.save_checkpoint(path, weights_only=False)  # the optimiser as well
