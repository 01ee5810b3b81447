"""What callbacks share that draw now and then: where pictures go."""

from pathlib import Path

from matplotlib.figure import Figure
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger

__all__: list[str] = []


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
