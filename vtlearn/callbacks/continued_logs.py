"""Have a resumed training log on from where its checkpoint was written."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TypeGuard

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from typing_extensions import override

__all__ = ["ContinuedLogs"]

_Row = dict[str, str]


class ContinuedLogs(Callback):
    """Keep the curves of a training in one piece that is resumed in its own folder.

    What was logged after the checkpoint gives way to what is logged now: TensorBoard is told which
    steps of earlier files it has to leave out, and of ``metrics.csv``, which Lightning would
    empty, the rows up to the checkpoint are kept.

    Args:
        folder: The run's; None for one that begins.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        # now, since Lightning removes the file before it calls any callback
        self._logged = _read(folder / "metrics.csv") if folder is not None else ""

    def put_back(self, trainer: Trainer) -> None:
        """Put ``metrics.csv`` back, which Lightning removes when it prepares to log.

        A training may be killed before its first step, and nothing of the earlier ones is lost.

        Args:
            trainer: Is going to train.
        """
        for logger in trainer.loggers if trainer.is_global_zero and self._logged else ():
            if self._continues(logger):
                path = Path(logger.experiment.metrics_file_path)
                if not path.exists():
                    path.write_bytes(self._logged.encode())

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.put_back(trainer)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or self.folder is None:
            return
        # of a validation that is made again
        repeated = trainer.fit_loop.epoch_loop.val_loop.restarted_mid_evaluation
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                start = Event(session_log=SessionLog(status=SessionLog.START))
                logger.experiment.file_writer.add_event(start, step=trainer.global_step)
            elif self._continues(logger):
                logger.experiment.metrics[:0] = [
                    row
                    for row in _rows(self._logged)
                    if int(row["step"]) < trainer.global_step - (repeated and _validates(row))
                ]
                Path(logger.experiment.metrics_file_path).unlink(missing_ok=True)
                logger.save()

    def _continues(self, logger: Logger) -> TypeGuard[CSVLogger]:
        return isinstance(logger, CSVLogger) and Path(logger.log_dir) == self.folder


def _read(path: Path) -> str:
    """Read what a run has logged, but for a line that it was killed in."""
    if not path.is_file():
        return ""
    text = path.read_bytes().decode()
    return text[: text.rfind("\n") + 1]


def _rows(text: str) -> Iterator[_Row]:
    for row in csv.DictReader(StringIO(text, newline="")):
        yield {name: value for name, value in row.items() if value}


def _validates(row: _Row) -> bool:
    return any(name.startswith("val/") for name in row)
