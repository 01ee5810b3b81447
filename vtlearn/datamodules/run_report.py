"""The file of a run that names the videos which could not be read."""

from pathlib import Path

from pytorch_lightning import Trainer

from vtlearn.datasets.unreadable import forget_unreadable
from vtlearn.run_folder import is_working_directory, run_folder

__all__: list[str] = []


def begin_report(trainer: Trainer, name: str) -> Path:
    """Empty a run's report; what a resumed training knows comes from its checkpoint.

    Args:
        trainer: The run's. All processes have to ask, because they agree by talking.
        name: Of the file.

    Returns:
        The file in the run's folder, or below ``runs`` where that is the working directory; it is
        not there.
    """
    folder = run_folder(trainer)
    path = Path("runs" if is_working_directory(folder) else folder, name)
    if trainer.local_rank == 0:
        forget_unreadable(path)
    trainer.strategy.barrier("report")
    return path
