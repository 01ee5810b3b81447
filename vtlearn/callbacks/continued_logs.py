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
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[_Row]] = {}

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and trainer.is_global_zero:
            loggers = (logger for logger in trainer.loggers if isinstance(logger, CSVLogger))
            self._rows = {logger.log_dir: list(_rows(logger)) for logger in loggers}

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not trainer.ckpt_path:
            return
        # of a validation that is made again
        repeated = trainer.fit_loop.epoch_loop.val_loop.restarted_mid_evaluation
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                start = Event(session_log=SessionLog(status=SessionLog.START))
                logger.experiment.file_writer.add_event(start, step=trainer.global_step)
            elif isinstance(logger, CSVLogger):
                rows = self._rows.pop(logger.log_dir, [])
                ends = (trainer.global_step - (repeated and _validates(row)) for row in rows)
                kept = [row for row, end in zip(rows, ends, strict=True) if int(row["step"]) < end]
                logger.experiment.metrics[:0] = kept
                logger.save()


def _rows(logger: CSVLogger) -> Iterator[_Row]:
    """Read what a run has logged."""
    path = Path(logger.log_dir, "metrics.csv")
    if path.is_file():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                yield {name: value for name, value in row.items() if value}


def _validates(row: _Row) -> bool:
    return any(name.startswith("val/") for name in row)
