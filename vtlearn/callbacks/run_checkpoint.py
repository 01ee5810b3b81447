"""What the checkpoints of a run share: where they lie, and that they are whole."""

import os
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from typing_extensions import override

from vtlearn.run_folder import is_working_directory, run_folder

__all__: list[str] = []


class RunCheckpoint(ModelCheckpoint):
    """Keeps checkpoints in the run's folder, and none in ``checkpoints/`` of a user's own.

    A file has its name only once it is whole and on the disk. Lightning's own is written to the
    system's folder for temporary files first, and copied where that is another disk.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        folder = run_folder(trainer)
        super().setup(trainer, pl_module, stage)
        if self.dirpath is not None and is_working_directory(Path(self.dirpath).parent):
            self.dirpath = str(folder / "checkpoints")

    @override
    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        path = Path(filepath)
        # the same in all processes, which may write parts of it
        unfinished = path.with_name(f".{path.name}.unfinished")
        super()._save_checkpoint(trainer, str(unfinished))
        self._last_checkpoint_saved = filepath
        if trainer.is_global_zero:
            _flush(unfinished)
            self.replace(unfinished, path)
        trainer.strategy.barrier("checkpoint")

    def replace(self, unfinished: Path, path: Path) -> None:
        """Give a file its name.

        Args:
            unfinished: The file, whole.
            path: Its name; what has it is replaced.
        """
        unfinished.replace(path)


def keeps_nothing(trainer: Trainer) -> bool:
    """Tell whether a training only tries out whether everything runs.

    Args:
        trainer: Trains.
    """
    return bool(getattr(trainer, "fast_dev_run", False))


def _flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    if path.is_file():  # sharded strategies write folders
        with path.open("rb") as file:
            os.fsync(file.fileno())
