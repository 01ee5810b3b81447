"""Have a resumed training log on from where its checkpoint was written."""

import csv
from collections.abc import Iterator
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from typing_extensions import override

__all__ = ["ContinuedLogs"]

_Row = dict[str, str]


class ContinuedLogs(Callback):
    """Keep the curves of a training in one piece that is resumed in its own folder.

    What was logged after the checkpoint gives way to what is logged now: TensorBoard is told which
    steps of earlier files it has to leave out, and of ``metrics.csv``, which Lightning would begin
    anew, the rows up to the checkpoint are kept.

    Args:
        folder: The run's; None for one that begins.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        # now, since Lightning removes the file before it calls any callback
        self._rows = [] if folder is None else list(_rows(folder / "metrics.csv"))

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
            elif isinstance(logger, CSVLogger) and Path(logger.log_dir) == self.folder:
                logger.experiment.metrics[:0] = [
                    row
                    for row in self._rows
                    if int(row["step"]) < trainer.global_step - (repeated and _validates(row))
                ]
                logger.save()


def _rows(path: Path) -> Iterator[_Row]:
    """Read what a run has logged."""
    if path.is_file():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                yield {name: value for name, value in row.items() if value}


def _validates(row: _Row) -> bool:
    return any(name.startswith("val/") for name in row)
