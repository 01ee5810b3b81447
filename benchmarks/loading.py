"""Train on Kitchen with more and more loader workers: what data cost a training step.

    python benchmarks/loading.py

Each line is one epoch of configs/vttwins.yaml, after one that is not counted: decoding, encoders,
loss and optimiser share the cores. The share of the time that a step waits for its batch is what
training logs as ``train/data_wait``.
"""

import argparse
import logging
import os
import time
import warnings
from functools import partial
from pathlib import Path

from measuring import header, line, machine
from pytorch_lightning import Callback, Trainer
from torch.optim import AdamW

from vtlearn.callbacks import DataWait
from vtlearn.datamodules import Kitchen
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.heads import S2DTW
from vtlearn.learner import VideoTextLearner


class Clock(Callback):
    """Takes the time of the last epoch's steps."""

    seconds = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.started


def main() -> None:
    """Print a line for each number of workers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=Path("data/kitchen"))
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    print(machine(os.cpu_count() or 1))
    print("\n300 videos of 64 px at 8 fps, 8 clips of 8 frames each, batches of 16 videos\n")
    header("workers", "clips/s", "share of a step that waits for data, %")
    for workers in arguments.workers:
        clock, learner = train(arguments.root, workers)
        batches = int(learner.trainer.num_training_batches)
        clips = 8 * 16 * batches / clock.seconds
        waited = float(learner.trainer.callback_metrics["train/data_wait_epoch"])
        line(str(workers), f"{clips:.0f}", f"{100 * waited:.0f}")


def train(root: Path, workers: int) -> tuple[Clock, VideoTextLearner]:
    """Fit two epochs; return the clock of the second."""
    clock = Clock()
    learner = VideoTextLearner(
        TinyVideo(dim=128),
        TinyText(dim=128),
        S2DTW(temperature=3.0),
        optimizer=partial(AdamW, lr=2e-3),
    )
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=2,
        callbacks=[clock, DataWait()],
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(learner, datamodule=Kitchen(root, batch_size=16, num_workers=workers))
    return clock, learner


if __name__ == "__main__":
    main()
