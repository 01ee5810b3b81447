"""Where a training stands among the batches of its epochs."""

from typing import Any, NamedTuple

from pytorch_lightning import Trainer

__all__: list[str] = []


class Position(NamedTuple):
    """A place in a training.

    Attributes:
        epoch: From 0.
        batch: How many batches of it are done.
    """

    epoch: int
    batch: int


def position_of(trainer: Trainer) -> Position:
    """Tell where a training stands when it asks for the first batch of an epoch, or of its rest.

    Args:
        trainer: Trains; a checkpoint may have been restored into it.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return Position(epochs.processed, batches.processed)
