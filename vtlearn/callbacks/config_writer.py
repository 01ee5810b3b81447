"""Keep the full configuration beside the run that it describes."""

from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.utilities import rank_zero_info

from vtlearn.run_folder import is_working_directory

__all__ = ["ConfigWriter"]

_MARK = "# pytorch_lightning=="  # how a configuration begins that a run has written


class ConfigWriter(SaveConfigCallback):
    """Write ``config.yaml`` to the logger's folder, unless a user's file would be lost.

    Without a logger, or with one whose folder is the working directory, nothing is written: it
    would replace the configuration that a user keeps there. In any other folder only a
    configuration that a run has written is replaced.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the configuration, when a command begins.

        Args:
            trainer: Knows the logger.
            pl_module: Not used.
            stage: Not used.
        """
        folder = trainer.log_dir  # every process asks, because they agree on it by talking
        if not trainer.loggers or folder is None or is_working_directory(Path(folder)):
            return
        path = Path(folder, self.config_filename)
        is_others = trainer.strategy.broadcast(trainer.is_global_zero and _is_others(path))
        if is_others:
            rank_zero_info(f"the configuration is not saved: {path} is not one that a run wrote")
        else:
            super().setup(trainer, pl_module, stage)


def _is_others(path: Path) -> bool:
    """Say whether a file is there that no run has written."""
    try:
        with path.open("rb") as file:
            return not file.read(len(_MARK)).startswith(_MARK.encode())
    except FileNotFoundError:
        return False
