"""Say how long training waits for its data: whether more loader workers would pay."""

from time import perf_counter
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

__all__ = ["DataWait"]


class DataWait(Callback):
    """Log the share of each step's time that passes before its batch is there.

    ``train/data_wait`` near 0 means that loading keeps up; near 1, that the model idles and more
    workers, smaller clips or stored features would make training faster. On a GPU, which may still
    be computing while the next batch is fetched, the share is an upper bound.
    """

    def __init__(self) -> None:
        self._free_since = self._busy_since = perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to wait.

        Args:
            trainer: Not used.
            pl_module: Not used.
        """
        del trainer, pl_module
        self._free_since = perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to wait again: validating is no waiting.

        Args:
            trainer: Not used.
            pl_module: Not used.
        """
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End waiting.

        Args:
            trainer: Not used.
            pl_module: Not used.
            batch: Not used.
            batch_idx: Not used.
        """
        del trainer, pl_module, batch, batch_idx
        self._busy_since = perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the share, and begin to wait again.

        Args:
            trainer: Not used.
            pl_module: Logs it.
            outputs: Not used.
            batch: Not used.
            batch_idx: Not used.
        """
        del trainer, outputs, batch, batch_idx
        now = perf_counter()
        share = (self._busy_since - self._free_since) / (now - self._free_since)
        pl_module.log("train/data_wait", share, on_step=True, on_epoch=True, batch_size=1)
        self._free_since = perf_counter()
