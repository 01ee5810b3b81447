"""A training of one number, which notes all that it is told."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader
from typing_extensions import override

from vtlearn.datamodules.position import position_of

_BATCHES = 4  # of an epoch


class Traced(LightningModule):
    """Notes what it is told, and what Lightning counts then."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.trace: list[tuple[Any, ...]] = []

    def note(self, *what: Any) -> None:
        logged = self.trainer.fit_loop.epoch_loop._batches_that_stepped
        self.trace.append((*what, self.current_epoch, self.trainer.global_step, logged))

    @override
    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.note("train", batch_idx, batch.item())
        loss: Tensor = self.layer(batch).sum() * 0.01
        return loss

    @override
    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.note("validate", batch_idx)

    @override
    def on_train_epoch_start(self) -> None:
        self.note("epoch")

    @override
    def on_train_epoch_end(self) -> None:
        self.note("epoch ends")

    @override
    def on_validation_start(self) -> None:
        self.note("validation")

    @override
    def on_validation_end(self) -> None:
        self.note("validation ends")

    @override
    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


class Numbers:
    """A loader whose batches say their epoch and place."""

    def __init__(self, position: Any) -> None:
        self.position, self.epoch = position, 0

    @property
    def sampler(self) -> "Numbers":
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return _BATCHES

    def __iter__(self) -> Iterator[Tensor]:
        epoch, done = self.position()
        first = done if epoch == self.epoch else 0
        yield from (torch.full((1, 1), 10.0 * self.epoch + n) for n in range(first, _BATCHES))


class Data(LightningDataModule):
    def __init__(self, *, is_validated: bool) -> None:
        super().__init__()
        self.is_validated = is_validated

    @override
    def train_dataloader(self) -> Any:
        assert self.trainer is not None
        return Numbers(partial(position_of, self.trainer))

    @override
    def val_dataloader(self) -> Any:
        return DataLoader(torch.zeros(2, 1)) if self.is_validated else []  # type: ignore[arg-type]
