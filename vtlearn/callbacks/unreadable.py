"""Bring together what the processes of a training could not read, and say so at its end."""

from pytorch_lightning import Callback, LightningModule, Trainer

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.distributed import gather_objects

__all__ = ["UnreadableReport"]


class UnreadableReport(Callback):
    """Count the videos that could not be read, over workers, processes and machines.

    Workers and processes of one disk share a file, and stop a training by themselves when it names
    too many videos. Machines that share no disk learn of each other's here, once an epoch: each has
    the whole report afterwards. The count is logged as ``train/unreadable``.

    Raises:
        TooManyUnreadableError: If there are more than ``max_unreadable_fraction`` allows.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Merge what all processes have met.

        Args:
            trainer: Knows the data.
            pl_module: Logs the count.
        """
        logs = _unreadable(trainer)
        if not logs:
            return
        for log in logs:
            for records in gather_objects(log.read()):
                log.add_all(records.values())
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return  # stopped within an epoch, which may be resumed
        count = float(sum(len(log.read()) for log in logs))
        pl_module.log("train/unreadable", count, sync_dist=False, rank_zero_only=False)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how many videos were left out, and where they are named.

        Args:
            trainer: Knows the data.
            pl_module: Not used.
        """
        del pl_module
        for log in _unreadable(trainer):
            if trainer.is_global_zero and log.read():
                count, total = len(log.read()), len(log.ids)
                trainer.print(f"{count} of {total} videos could not be read: {log.path}")


def _unreadable(trainer: Trainer) -> list[UnreadableLog]:
    data = getattr(trainer, "datamodule", None)
    return data.unreadable_logs() if isinstance(data, VideoTextData) else []
