"""What callbacks share that draw now and then: when, and where pictures go."""

from abc import ABC, abstractmethod
from pathlib import Path

from matplotlib.figure import Figure
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from typing_extensions import override

from vtlearn.datamodules.base import VideoTextData
from vtlearn.learner import VideoTextLearner
from vtlearn.run_folder import run_folder

__all__: list[str] = []


class ValidationPictures(Callback, ABC):
    """Draw after some of the validations, on the first process.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.

    Attributes:
        folder: Where pictures go, in the run's folder.
    """

    folder: str

    def __init__(self, every_n_validations: int) -> None:
        self.every_n_validations = every_n_validations
        self._validations = 0

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not self.every_n_validations:
            return
        if self._validations % self.every_n_validations == 0:
            self._draw_as(trainer, pl_module, f"epoch-{trainer.current_epoch:03d}")
        self._validations += 1

    def _draw_as(self, trainer: Trainer, learner: LightningModule, stem: str) -> None:
        """Draw under a name; every process calls this."""
        # every process asks for the folder, because they agree on it by talking
        folder, data = run_folder(trainer) / self.folder, getattr(trainer, "datamodule", None)
        if not trainer.is_global_zero:
            return
        if isinstance(learner, VideoTextLearner) and isinstance(data, VideoTextData):
            self._draw(trainer, learner, data, folder / f"{stem}.png")

    @abstractmethod
    def _draw(
        self, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, path: Path
    ) -> None:
        """Draw what there is, into a file of a name, or of names that begin with its stem."""


def keep_picture(trainer: Trainer, figure: Figure, path: Path, name: str) -> None:
    """Save a picture in the run's folder and, where there is one, in TensorBoard.

    Args:
        trainer: The run's; its first process alone calls this.
        figure: The picture.
        path: The file; missing folders are made.
        name: What TensorBoard calls it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    if isinstance(trainer.logger, TensorBoardLogger):
        trainer.logger.experiment.add_figure(name, figure, trainer.global_step)
