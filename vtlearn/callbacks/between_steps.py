"""The places of a training where nothing is half done: what is saved there can be resumed."""

from typing import Any, Literal

from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

__all__: list[str] = []

#: Before a batch that is not the first of its epoch, before an epoch that is not the first, before
#: a validation, and at the end.
Place = Literal["batch", "epoch", "validation", "end"]


class BetweenSteps(Callback):
    """Do something in each place of a training where nothing is half done.

    A place is behind everything that Lightning logs of a step, unlike ``on_train_batch_end``.
    """

    def between_steps(self, trainer: Trainer, place: Place) -> None:
        """Do it.

        Args:
            trainer: Trains.
            place: Where it is.
        """

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        del pl_module, batch
        accumulated = batch_idx % trainer.accumulate_grad_batches
        if batch_idx > 0 and accumulated == 0:
            self.between_steps(trainer, "batch")

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        progress: Any = trainer.fit_loop.epoch_progress.current
        if progress.processed > 0:
            self.between_steps(trainer, "epoch")

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        if trainer.state.fn == "fit" and not trainer.sanity_checking and not accumulates(trainer):
            self.between_steps(trainer, "validation")

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        if not accumulates(trainer):
            self.between_steps(trainer, "end")


def accumulates(trainer: Trainer) -> bool:
    """Tell whether gradients lie ready that no step has been made of: no checkpoint has these."""
    accumulating: bool = trainer.fit_loop._should_accumulate()  # noqa: SLF001 - says it alone
    return accumulating
