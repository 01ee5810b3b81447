"""The runs of the methods report: each trains a head and scores it, and is kept as a line."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from noise import quieten
from pytorch_lightning import Trainer, seed_everything
from report_arms import ARMS
from report_data import VECTORS, WIDTH, NarratedKitchen, Places, open_kitchen
from torch import Tensor
from torch.optim import AdamW

from vtlearn.data_source import Stage
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.kitchen import narrated_videos, whole_video
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import CachedFeatures, TinyVideo
from vtlearn.evaluation.metrics.retrieval import ranks, recall_at
from vtlearn.heads import S2DTW
from vtlearn.learner import VideoTextLearner
from vtlearn.schedule import WarmupCosine
from vtlearn.storage.progress import count_up

WORDS = 10  # of a text that are read; no caption of Kitchen has more


class Job(NamedTuple):
    """A training, and the split that it is scored on.

    Attributes:
        arm: The head, by its name.
        narrator: Who tells of the training videos, by name.
        temperature: Of the head.
        seed: Of all chance.
        split: ``validate`` or ``test``.
        steps: Optimiser steps.
        features: What features are read, by the hash of the weights that made them; "pixels" to
            train on these.
    """

    arm: str
    narrator: str
    temperature: float
    seed: int
    split: Stage
    steps: int
    features: str

    def __str__(self) -> str:
        on = ", pixels" if self.pixels else ""
        return f"{self.arm} at {self.temperature:g}, {self.narrator}, seed {self.seed}{on}"

    @property
    def pixels(self) -> bool:
        return self.features == "pixels"


class Units(NamedTuple):
    """Hits of what a figure is resampled by.

    Attributes:
        hits: Of each pair, or of all captions of each video.
        counts: How many queries these are.
    """

    hits: list[float]
    counts: list[int]

    @property
    def percent(self) -> float:
        """The figure."""
        return 100 * sum(self.hits) / sum(self.counts)


class Outcome(NamedTuple):
    """What a run found, and what it took.

    Attributes:
        retrieval: R@1 of ``kitchen-retrieval@1``, by pair.
        alignment: ``kitchen-alignment@1``, by video.
        chance: The same of a blind model, in percent.
        skipped: Of S2DTW, captions of validation videos that the best path leaves out, in percent:
            those that tell of a step, and chatter.
        cpu: Seconds of processors.
        wall: Seconds.
    """

    retrieval: Units
    alignment: Units
    chance: tuple[float, float]
    skipped: tuple[float, float] | None
    cpu: float
    wall: float


class Log:
    """Finished work, a line each, so that an interrupted report resumes.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stages: list[tuple[str, float, float]] = []
        self.outcomes: dict[Job, Outcome] = {}
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            try:
                self._take(json.loads(line))
            except json.JSONDecodeError:  # an interruption cut it off
                continue
        if lines:  # so that what comes next begins a line
            path.write_text("".join(f"{line}\n" for line in lines))

    def _take(self, record: Mapping[str, Any]) -> None:
        if "stage" in record:
            self.stages.append((record["stage"], record["cpu"], record["wall"]))
            return
        found = dict(record["outcome"])
        for name in ("retrieval", "alignment"):
            found[name] = Units(*found[name])
        found["chance"] = tuple(found["chance"])
        found["skipped"] = found["skipped"] and tuple(found["skipped"])
        self.outcomes[Job(**record["job"])] = Outcome(**found)

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep what a run found."""
        self._write({"job": job._asdict(), "outcome": outcome._asdict()})

    def add_stage(self, stage: str, cpu: float, wall: float) -> None:
        """Keep what a stage before the runs took."""
        self._write({"stage": stage, "cpu": cpu, "wall": wall})

    def _write(self, record: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record)
        with self.path.open("a") as file:
            file.write(f"{text}\n")
        self._take(json.loads(text))


def run_all(jobs: Sequence[Job], places: Places, log: Log, side_by_side: int, what: str) -> None:
    """Do what is not done yet, in processes of their own, and keep each answer as it comes."""
    missing = [job for job in dict.fromkeys(jobs) if job not in log.outcomes]
    if not missing:
        return
    pool = ProcessPoolExecutor(side_by_side, get_context("spawn"), initializer=quieten)
    with pool, count_up(what, len(missing)) as advance:
        waiting = {pool.submit(train_and_score, job, places): job for job in missing}
        try:
            for done in as_completed(waiting):
                job, outcome = waiting[done], done.result()
                log.add(job, outcome)
                figures = f"{outcome.retrieval.percent:.1f}, {outcome.alignment.percent:.1f}"
                advance(1, f"{job}: {figures}")
        finally:  # what has not begun is left for the next call
            pool.shutdown(cancel_futures=True)


def train_and_score(job: Job, places: Places) -> Outcome:
    """Train, and score on a split of Kitchen as its narrator has it."""
    cpu, wall = time.process_time(), time.perf_counter()
    seed_everything(job.seed, verbose=False)
    learner = make_learner(job)
    scratch = places.runs / "scratch" / f"{os.getpid()}"
    trainer = Trainer(
        accelerator="cpu",
        max_steps=job.steps,
        max_epochs=-1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=scratch,
    )
    log = scratch / "unreadable.jsonl"
    data = open_kitchen(places, job.narrator, job.seed, pixels=job.pixels, log=log)
    trainer.fit(learner, data)
    retrieval, alignment, chance = score(trainer, learner, data, job.split)
    skipped = skipped_captions(learner, data) if isinstance(learner.head, S2DTW) else None
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Outcome(retrieval, alignment, chance, skipped, cpu, wall)


def make_learner(job: Job) -> VideoTextLearner:
    """Make a head with encoders for features, or those of ``configs/`` for pixels."""
    text = TinyText(dim=128, hidden=128, max_words=WORDS)
    video = CachedFeatures(dim=128, input_dim=WIDTH, num_frames=VECTORS, layers=0)
    return VideoTextLearner(
        TinyVideo(dim=128) if job.pixels else video,
        TinyText(dim=128, max_words=WORDS) if job.pixels else text,
        ARMS[job.arm](temperature=job.temperature),
        partial(AdamW, lr=2e-3 if job.pixels else 3e-3, weight_decay=0.01),
        partial(WarmupCosine, warmup_steps=job.steps // 10),
    )


def score(
    trainer: Trainer, learner: VideoTextLearner, data: NarratedKitchen, split: Stage
) -> tuple[Units, Units, tuple[float, float]]:
    """Score by both protocols of Kitchen, query by query."""
    trainer.limit_val_batches = 1.0
    with redirect_stdout(None):
        run = trainer.test if split == "test" else trainer.validate
        run(learner, data, verbose=False)
    clips, captions = (task.protocols[0].state() for task in data.tasks(split))
    texts = torch.cat([clips[pair].texts.vectors for pair in clips])
    videos = torch.stack([clips[pair].video for pair in clips])
    retrieval = pair_units(texts @ videos.T)
    hits = [[found.hit for found in told.values()] for _, told in sorted(captions.items())]
    alignment = Units([sum(told) for told in hits], [len(told) for told in hits])
    found = {result.protocol: result for result in learner.results}
    metrics = {"kitchen-retrieval": "t2v_R@1", "kitchen-alignment": "hit"}
    for units, (protocol, metric) in zip((retrieval, alignment), metrics.items(), strict=True):
        figure = found[protocol].metrics[metric]
        if abs(units.percent - figure) > 0.01:
            message = f"{protocol} found {figure}, its queries {units.percent}"
            raise RuntimeError(message)
    chances = [found[name].chance[metric].value for name, metric in metrics.items()]
    return retrieval, alignment, (chances[0], chances[1])


def pair_units(scores: Tensor) -> Units:
    """Tell which texts find their clip first; scores are (texts, clips), of pairs."""
    found = ranks(scores, torch.arange(len(scores)))
    hits = recall_at(found.greater, found.ties, 1).tolist()
    return Units(hits, [1] * len(hits))


def skipped_captions(learner: VideoTextLearner, data: NarratedKitchen) -> tuple[float, float]:
    """Tell how many captions of validation videos the best path leaves out, in percent.

    Returns:
        Of captions that tell of a step, and of chatter.
    """
    counts = {True: [0, 0], False: [0, 0]}
    items = EvaluationItems([], data.reading)
    for video in narrated_videos(data.root, "val"):
        numbers = list(range(len(video.captions)))
        if not numbers:
            continue
        sample = items.sample(whole_video(video, numbers, data.reading.clip_seconds))
        kept = learner.align(sample).path.cells[:, 1].tolist()
        told = video.told()
        for number in numbers:
            counts[number in told][0] += number not in kept
            counts[number in told][1] += 1
    steps, chatter = (100 * left / max(total, 1) for left, total in counts.values())
    return steps, chatter
