"""A training whose head computes NaN when it is told to; also run by several processes."""

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import ConstantLR
from torch.utils.data import DataLoader

from tests.captioning import Colours, samples, words
from vtlearn.batch import Batch, EncodedBatch, Rows, collate
from vtlearn.errors import NonFiniteError
from vtlearn.heads import HeadOutput, InfoNCE
from vtlearn.learner import VideoTextLearner

Poison = Literal["loss", "gradient"]


class Poisoned(InfoNCE):
    """InfoNCE that is not finite in some steps, on one process.

    Args:
        steps: Which.
        poison: Whether the loss is NaN, or only its gradient.
        process: Where.
    """

    mean: Tensor

    def __init__(
        self, steps: list[int], poison: Poison = "loss", process: int = 0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.steps, self.poison, self.process = steps, poison, process
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        output = super().forward(batch, rows)
        if rows is None or not self.training:
            return output
        (name,) = output.terms
        term = output.terms[name]
        if rows.step in self.steps and rows.start == self.process * rows.size:
            pooled = batch.video.pooled
            zero = (pooled - pooled.detach()).square().sum().sqrt()  # its derivative is 0 / 0
            term = term._replace(
                values=term.values + (zero if self.poison != "loss" else torch.nan)
            )
        self.mean += term.values.detach().mean()  # as running statistics do
        return output._replace(terms={name: term})


def poisoned_learner(*steps: int, skip_nonfinite: int = 0, **options: Any) -> VideoTextLearner:
    torch.manual_seed(0)
    return VideoTextLearner(
        Colours(),
        words(),
        Poisoned(list(steps), learn_temperature=True, **options),
        optimizer=lambda parameters: AdamW(parameters, lr=0.01),
        scheduler=lambda optimizer: ConstantLR(optimizer, factor=1.0),  # however long it takes
        skip_nonfinite=skip_nonfinite,
    )


def batches(rank: int = 0, world: int = 1) -> DataLoader[Batch]:
    """Six batches of two samples, v<batch>-0 and v<batch>-1, dealt out."""
    found = []
    for number in range(6):
        own = [
            sample._replace(id=f"v{number}-{place}")
            for place, sample in enumerate(samples(number + 2, paired=True))
        ]
        found.append(collate(own[rank::world]))
    return DataLoader(found, batch_size=None)  # type: ignore[arg-type]


def trainer_in(folder: Path, **options: Any) -> Trainer:
    defaults = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, "devices": 1}
    return Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        **defaults | options,
    )


def main(folder: str, poison: Poison, skip_nonfinite: str) -> None:
    """Train on one of several processes, and write down how that ended there."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    learner = poisoned_learner(3, poison=poison, process=1, skip_nonfinite=int(skip_nonfinite))
    trainer = trainer_in(Path(folder), devices=world, strategy="ddp")
    error = ""
    try:
        trainer.fit(learner, batches(rank, world))
    except NonFiniteError as raised:
        error = str(raised)
    weights = [parameter.detach().sum().item() for parameter in learner.parameters()]
    ended = {"error": error, "steps": trainer.global_step, "weights": weights}
    Path(folder, f"{rank}.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
