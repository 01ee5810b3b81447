"""Keep the latest checkpoint, and the one before it, to resume after an interruption."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.between_steps import BetweenSteps, Place
from vtlearn.callbacks.loop_states import say_place
from vtlearn.callbacks.run_checkpoint import RunCheckpoint, keeps_nothing

__all__ = ["StepCheckpoint"]

#: The file that the latest has replaced.
PREVIOUS = "previous.ckpt"


class StepCheckpoint(BetweenSteps, RunCheckpoint):
    """Keep ``last.ckpt``, from which a training resumes as if it had never been stopped.

    It is written every so many optimiser steps, before each validation, and at the end; the one
    that it replaces stays as ``previous.ckpt``, in case the newest cannot be read. A training that
    is killed at any instant has lost the steps since then, and makes them again: on a CPU its
    weights and what it logs are, bit for bit, those of one that was never stopped.

    Args:
        every_n_train_steps: How many optimiser steps lie between two of them.

    Attributes:
        saved_at: The optimiser step that it was last written after.
        place: Where the training stands, while it is saved; None where Lightning knows that.
    """

    def __init__(self, every_n_train_steps: int = 50) -> None:
        # none of the occasions at which Lightning saves
        RunCheckpoint.__init__(
            self,
            filename="last",
            every_n_train_steps=0,
            every_n_epochs=0,
            enable_version_counter=False,
        )
        self._every = every_n_train_steps
        self.saved_at = 0
        self.place: Place | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.dirpath or ".", f"{self.filename}.ckpt")

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            # Lightning takes a training with max_steps to have been stopped within an epoch, also
            # where that had ended, and would leave out the next one
            trainer.fit_loop._iteration_based_training = _never  # type: ignore[method-assign]  # noqa: SLF001

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.saved_at = trainer.global_step

    @override
    def between_steps(self, trainer: Trainer, place: Place) -> None:
        steps = trainer.global_step - self.saved_at
        if place == "end" or steps >= (1 if place == "validation" else self._every):
            self.save(trainer, place)

    def save(self, trainer: Trainer, place: Place) -> None:
        """Save a training, unless that has been done already.

        Args:
            trainer: Trains; all processes call this together.
            place: Where it is.
        """
        is_saved = self.saved_at == trainer.global_step
        if keeps_nothing(trainer) or (place == "validation" and _is_last(trainer)):
            return
        if is_saved and (place != "end" or trainer.should_stop):
            return  # one that has been told to stop does not end with its epoch
        for logger in trainer.loggers if trainer.is_global_zero else ():
            logger.save()  # what was logged before is not logged again
        self.place = place
        self._save_checkpoint(trainer, str(self.path))
        self.place = None
        self.saved_at = trainer.global_step

    @override
    def replace(self, unfinished: Path, path: Path) -> None:
        if path.is_file():
            path.replace(path.with_name(PREVIOUS))
        super().replace(unfinished, path)

    @property
    @override
    def state_key(self) -> str:
        return self._generate_state_key(every_n_train_steps=self._every)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore nothing: where a training stands is said by its loops."""

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        say_place(checkpoint["loops"]["fit_loop"], self.place)


def _is_last(trainer: Trainer) -> bool:
    """Tell whether a validation is one from which Lightning would not resume as it was.

    Where all steps of ``max_steps`` are made it would take the training to be over, and leave the
    validation out: it is made after the last steps are made again. Where the training was told to
    stop, by ``max_time`` for one, it validates when no validation is due otherwise.
    """
    return trainer.should_stop or trainer.global_step == trainer.max_steps


def _never() -> bool:
    return False
