"""Time a training step of Lightning's Trainer against the same step in a bare loop.

    python benchmarks/step.py [--rounds 9] [--threads 1]

Both sides train copies of one model on the same random batches, by the same optimiser and schedule.
The Trainer has the callbacks that the command line sets, but for checkpoints; it logs every tenth
step or more often for TensorBoard, and draws its bar as in a terminal. The bare loop encodes,
computes the loss, steps and logs nothing. The sides take turns in one process; a round's first
steps are not counted, nor is the first round. At the end of each both must have the same loss.

Printed are the medians over the rounds, the medians of the rounds' ratios and, in brackets, their
quartiles; and the same of processor time, which other work on the machine changes less.
"""

import argparse
import copy
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from measuring import header, line, machine, set_threads
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, RichProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from shipped import shipped_learner
from torch import nn
from torch.utils.data import DataLoader

from vtlearn.batch import Batch, Rows, Sample, collate
from vtlearn.callbacks import (
    AlignmentPictures,
    BuildVocabulary,
    ContinuedLogs,
    DataWait,
    ResumeCheck,
    RunLock,
    StopOnSignal,
    UnreadableReport,
)
from vtlearn.encoding import encode_batch
from vtlearn.learner import VideoTextLearner
from vtlearn.schedule import PlannedSchedule

BAR = 5  # percent
WARM = 2  # steps of a round that are not counted
REDRAWS = 10  # times per second that the bar is drawn, as by the command line
WORDS = [f"word{number}" for number in range(200)]


class Case(NamedTuple):
    """A model, and the batches that it is trained on.

    Attributes:
        name: What it is called in the table.
        learner: The model, untrained.
        batches: Some batches, used in turn.
        steps: Counted steps of a round.
        share: How many of the rounds it takes part in: one in so many.
        clip_norm: The longest gradient; None: of any length.
    """

    name: str
    learner: VideoTextLearner
    batches: list[Batch]
    steps: int
    share: int = 1
    clip_norm: float | None = None


class Taken(NamedTuple):
    """What one side took in one round.

    Attributes:
        wall: Milliseconds per step.
        cpu: Milliseconds of processor time per step.
        loss: That of the last step.
    """

    wall: float
    cpu: float
    loss: float


class Clock:
    """Takes the time from the end of the last step that warms up to the end of the last step."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0

    def tick(self) -> None:
        """Note that a step has ended."""
        self.done += 1
        if self.done in (WARM, WARM + self.steps):
            before = time.perf_counter(), time.process_time()
            if self.done == WARM:
                self.since = before
            else:
                self.took = tuple(b - a for a, b in zip(self.since, before, strict=True))

    def taken(self, loss: float) -> Taken:
        """Return milliseconds per step."""
        wall, cpu = (1e3 * seconds / self.steps for seconds in self.took)
        return Taken(wall, cpu, loss)


class ClockCallback(Callback):
    """Ticks a clock, and keeps the last loss."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *arguments: Any) -> None:
        self.loss = arguments[2]["loss"]
        self.clock.tick()


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    set_threads(options.threads)
    print(f"{machine(options.threads)}\n")
    header(
        "step",
        "bare loop, ms",
        "Trainer, ms",
        "slower by, %",
        "by processor time, %",
        "which is, ms",
        "bar, %",
    )
    for name in options.cases:
        case = CASES[name]()
        pairs = compare(case, max(2, options.rounds // case.share))
        walls = [[side.wall for side in pair] for pair in pairs]
        cpus = [[side.cpu for side in pair] for pair in pairs]
        bare, ours = np.median(walls, axis=0)
        adds = np.median([ours - bare for bare, ours in cpus])
        ratios = slower(walls), slower(cpus)
        line(case.name, f"{bare:.1f}", f"{ours:.1f}", *ratios, f"{adds:.1f}", f"{BAR}")


def compare(case: Case, rounds: int) -> list[tuple[Taken, Taken]]:
    """Run both sides in turn; return what the bare loop and the Trainer took in each round."""
    sides: list[Callable[[Case], Taken]] = [bare_loop, with_trainer]
    pairs = []
    for number in range(-1, rounds):
        order = sides if number % 2 else sides[::-1]
        taken = {side: side(case) for side in order}
        bare, ours = (taken[side] for side in sides)
        if not np.isclose(bare.loss, ours.loss, rtol=1e-5):
            message = f"{case.name}: the loss is {ours.loss}, and {bare.loss} in the bare loop"
            raise SystemExit(message)
        if number >= 0:  # the first round warms up
            pairs.append((bare, ours))
    return pairs


def slower(pairs: Sequence[Sequence[float]]) -> str:
    """Write by how many percent the second of each pair is slower, and the quartiles."""
    percents = [100 * (ours / bare - 1) for bare, ours in pairs]
    low, median, high = np.percentile(percents, [25, 50, 75])
    return f"{median:.1f} ({low:.1f} to {high:.1f})"


def with_trainer(case: Case) -> Taken:
    """Train by Lightning, as the command line does."""
    clock = Clock(case.steps)
    callback = ClockCallback(clock)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:  # noqa: PTH123
        bar = RichProgressBar(
            refresh_rate=REDRAWS, console_kwargs={"file": nowhere, "force_terminal": True}
        )
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            callbacks=[*cli_callbacks(), bar, callback],
            logger=TensorBoardLogger(folder),
            log_every_n_steps=min(10, case.steps),
            gradient_clip_val=case.clip_norm,
            enable_checkpointing=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(copy.deepcopy(case.learner), loader(case))
    return clock.taken(callback.loss.item())


def cli_callbacks() -> list[Callback]:
    """Make what ``vtlearn fit`` has as callbacks, but for checkpoints and the bar."""
    return [
        BuildVocabulary(),
        UnreadableReport(),
        DataWait(),
        RunLock(),
        ResumeCheck(),
        ContinuedLogs(),
        StopOnSignal(),
        LearningRateMonitor("step"),
        AlignmentPictures(),
    ]


def bare_loop(case: Case) -> Taken:
    """Train the same modules without Lightning."""
    clock = Clock(case.steps)
    learner = copy.deepcopy(case.learner)
    head, device = learner.head, torch.device("cpu")
    encoders = learner.video_encoder, learner.text_encoder
    parameters = [p for p in learner.parameters() if p.requires_grad]
    optimizer = learner._optimizer(parameters)  # noqa: SLF001 - those of the configuration
    scheduler = learner._scheduler(optimizer)  # noqa: SLF001
    if isinstance(scheduler, PlannedSchedule):
        scheduler.plan(WARM + case.steps)
    # the learner's, of (seed, epoch, batch)
    seeds = [np.random.SeedSequence((0, 0, x)).generate_state(2) for x in range(WARM + case.steps)]
    for number, batch in enumerate(loader(case)):
        seed, of_torch = (int(x) for x in seeds[number])
        torch.manual_seed(of_torch)  # for dropout
        optimizer.zero_grad()
        encoded = encode_batch(batch, *encoders, head.needs, device)
        loss = head(encoded, Rows(0, len(batch.ids), 1, seed, number)).loss
        loss.backward()
        if case.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, case.clip_norm)
        optimizer.step()
        scheduler.step()
        clock.tick()
    return clock.taken(loss.item())


def loader(case: Case) -> "DataLoader[Batch]":
    """Repeat the batches, which are in memory, for a round."""
    count = WARM + case.steps
    repeated = [case.batches[number % len(case.batches)] for number in range(count)]
    return DataLoader(repeated, batch_size=None, collate_fn=unchanged)  # type: ignore[arg-type]


def unchanged(batch: Batch) -> Batch:
    """Leave a batch as it is."""
    return batch


# The sizes


def tiny() -> Case:
    """Take a step that is hardly any work, which shows what each step costs besides."""
    encoder = {"class_path": "TinyVideo", "init_args": {"dim": 16, "width": 4}}
    texts = {"class_path": "TinyText", "init_args": {"dim": 16}}
    learner = shipped_learner("configs/vttwins.yaml", video_encoder=encoder, text_encoder=texts)
    batches = [random_batch(seed, 2, 2, (4, 3, 16, 16)) for seed in range(4)]
    return built(Case("tiny: 2 videos of 2 clips, 4 x 16 px", learner, batches, steps=100))


def features() -> Case:
    """Take configs/tempclr.yaml: stored vectors, and small transformers."""
    learner = shipped_learner("configs/tempclr.yaml")
    batches = [random_batch(seed, 8, 8, (8, 128)) for seed in range(4)]
    name = "configs/tempclr.yaml: 8 videos of 8 clips of 8 vectors"
    return built(Case(name, learner, batches, steps=20, clip_norm=2.0))


def demo() -> Case:
    """Take configs/vttwins.yaml, which `make demo` trains."""
    batches = [random_batch(seed, 16, 8, (8, 3, 64, 64)) for seed in range(4)]
    name = "configs/vttwins.yaml: 16 videos of 8 clips, 8 x 64 px"
    return built(Case(name, shipped_learner("configs/vttwins.yaml"), batches, steps=10, share=2))


def s3d() -> Case:
    """Take S3D, the encoder of configs/paper/vttwins.yaml, with fewer and smaller clips."""
    encoder = {"class_path": "S3D", "init_args": {"dim": 512, "num_frames": 16, "size": 112}}
    texts = {"class_path": "TinyText", "init_args": {"dim": 512}}
    learner = shipped_learner("configs/vttwins.yaml", video_encoder=encoder, text_encoder=texts)
    batches = [random_batch(seed, 2, 2, (16, 3, 112, 112)) for seed in range(2)]
    return built(Case("S3D: 2 videos of 2 clips, 16 x 112 px", learner, batches, steps=4, share=4))


CASES: dict[str, Callable[[], Case]] = {
    "tiny": tiny,
    "features": features,
    "vttwins": demo,
    "s3d": s3d,
}


def built(case: Case) -> Case:
    """Give the text encoder the words of the batches."""
    encoder = case.learner.text_encoder
    if encoder is not None:
        encoder.build([text for batch in case.batches for text in batch.texts])
    return case


def random_batch(seed: int, samples: int, clips: int, shape: tuple[int, ...]) -> Batch:
    """Draw samples of clips, uint8 pixels or vectors, and as many captions."""
    rng = np.random.default_rng(seed)
    return collate(list(random_samples(rng, samples, clips, shape)))


def random_samples(
    rng: np.random.Generator, samples: int, clips: int, shape: tuple[int, ...]
) -> Iterator[Sample]:
    """Draw the samples."""
    for number in range(samples):
        size = (clips, *shape)
        pixels = len(shape) > 2
        drawn = rng.integers(0, 256, size, np.uint8) if pixels else rng.normal(size=size)
        yield Sample.of(
            str(number),
            torch.from_numpy(drawn if pixels else drawn.astype(np.float32)),
            [float(clip) for clip in range(clips)],
            fps=float(shape[0]),
            texts=[" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(clips)],
        )


if __name__ == "__main__":
    main()
