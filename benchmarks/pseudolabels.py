"""Train captioners of videos on speech, on pseudolabels and on pictures, and compare.

    python benchmarks/pseudolabels.py [--seeds 0 1 2] [--report docs/pseudolabels.md]

Each seed trains a captioner on pictures of another kitchen, which captions Kitchen's training
videos (``vtlearn pseudolabel``). Each arm is then trained the same steps on other captions,
scored by ``kitchen-caption@1``, fine-tuned on the validation videos' steps, and scored again.
What is there already is not made again: remove ``--runs`` after a change.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from noise import quieten
from pseudolabel_truth import draw_windows, judge_labels, judge_speech, scale
from pytorch_lightning import Trainer, seed_everything
from torch.optim import AdamW
from trainings import cell, vtlearn, write_tables

from vtlearn.datamodules import HowTo100M, ImageCaptions, Kitchen, Mixture, VideoTextData
from vtlearn.datasets.captioned import CaptionedCorpus
from vtlearn.datasets.kitchen import narrated_videos
from vtlearn.datasets.kitchen_videos import caption_clips
from vtlearn.datasets.reading import ClipSampling
from vtlearn.encoders.video import TinyVideo
from vtlearn.heads import CaptioningDecoder, TextDecoder
from vtlearn.learner import VideoTextLearner
from vtlearn.schedule import WarmupCosine
from vtlearn.storage.atomic import replace_text

FRAMES = 4  # of a clip
BATCH, CLIPS = 48, 4  # captions of a batch, and of each video in it
RATE = 2e-3  # the highest learning rate of pretraining; fine-tuning has half

#: What each arm is trained on; of two sources, each has half of the batches.
ARMS: Mapping[str, Sequence[str]] = {
    "speech (ASR)": ("speech",),
    "pseudolabels": ("labels",),
    "both texts": ("speech", "labels"),
    "pictures": ("pictures",),
    "pictures and videos": ("pictures", "labels"),
    "nothing": (),
}
CAPTIONER = "pictures"  # the arm that writes the pseudolabels


class Settings(NamedTuple):
    """What all arms share.

    Attributes:
        steps: Optimiser steps of pretraining.
        tuning_steps: Those of fine-tuning.
        train: Training videos of Kitchen.
        validation: Validation videos, whose steps are fine-tuned on.
        test: Test videos.
    """

    steps: int = 400
    tuning_steps: int = 150
    train: int = 300
    validation: int = 50
    test: int = 100


class Places(NamedTuple):
    """Where the narrated videos are, the pictures, and what is trained."""

    kitchen: Path
    pictures: Path
    runs: Path

    def captioner(self, seed: int) -> Path:
        return self.runs / f"captioner-{seed}.ckpt"

    def labels(self, seed: int) -> Path:
        return self.runs / f"labels-{seed}"


class Job(NamedTuple):
    """A training: what, with which chance, and where its files are."""

    arm: str
    seed: int
    settings: Settings
    places: Places


Figures = dict[str, float]
Runs = dict[str, list[Figures]]


class Steps(Kitchen):
    """Steps with written captions: trained on those of the validation videos."""

    def train_dataset(self) -> CaptionedCorpus:
        return CaptionedCorpus(caption_clips(narrated_videos(self.root, "val")), self.reading)


def main() -> None:
    """Train what is missing and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/pseudolabels"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    for name, value in Settings()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--report", type=Path, help="write tables and picture into and beside this")
    options = parser.parse_args()
    print(f"{platform.machine()}, {options.jobs} side by side, torch {torch.__version__}")
    start = time.perf_counter()
    places = Places(options.data / "kitchen", options.data / "kitchen-coco", options.runs)
    settings = Settings(*(getattr(options, name) for name in Settings._fields))
    jobs = {
        arm: [Job(arm, seed, settings, places) for seed in options.seeds]
        for arm in [CAPTIONER, *(arm for arm in ARMS if arm != CAPTIONER)]
    }
    for data in (steps_data(jobs[CAPTIONER][0]), source("pictures", jobs[CAPTIONER][0])):
        data.prepare_data()  # renders what is not there
    print(f"videos and pictures: {time.perf_counter() - start:.0f} s", flush=True)
    runs = run_all(jobs, options.jobs)
    tables = [table(runs), texts_table(places, options.seeds), scale(places.kitchen)]
    print("\n\n".join(tables))
    print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.report:
        picture = options.report.with_suffix(".jpg")  # a png is three times as large
        figure = draw_windows(places.labels(options.seeds[0]), places.kitchen)
        figure.savefig(picture, dpi=60, pil_kwargs={"quality": 75})
        shown = f"![20 windows and their pseudolabels]({picture.name})"
        write_tables(options.report, [*tables, shown])


def run_all(jobs: Mapping[str, Sequence[Job]], side_by_side: int) -> Runs:
    """Train all arms, in processes of their own: those that need no pseudolabels, then the rest."""
    runs: Runs = {}
    with ProcessPoolExecutor(side_by_side, get_context("spawn"), initializer=quieten) as pool:
        for has_labels in (False, True):
            if has_labels:
                label(jobs[CAPTIONER], side_by_side)
            some = [
                job
                for arm, several in jobs.items()
                for job in several
                if ("labels" in ARMS[arm] or arm == "nothing") == has_labels  # it fills a gap there
            ]
            for job, figures in zip(some, pool.map(train_and_score, some), strict=True):
                said = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
                print(f"{job.arm}, seed {job.seed}: {said}", flush=True)
                runs.setdefault(job.arm, []).append(figures)
    return {arm: runs[arm] for arm in ARMS}


def label(jobs: Sequence[Job], side_by_side: int) -> None:
    """Caption the training videos with the captioner of each seed, in parts side by side."""
    start = time.perf_counter()

    def run(job: Job, part: int) -> None:
        places = job.places
        words = [str(places.kitchen / "videos"), "-o", str(places.labels(job.seed))]
        words += ["--captioner", str(places.captioner(job.seed)), "--time-budget", "0"]
        words += ["--list", str(places.kitchen / "splits" / "train.csv")]
        vtlearn("pseudolabel", *words, "--part", f"{part}/{side_by_side}")

    parts = [(job, part + 1) for job in jobs for part in range(side_by_side)]
    with ThreadPoolExecutor(side_by_side) as pool:
        list(pool.map(run, *zip(*parts, strict=True)))
    for job in jobs:
        source("labels", job).prepare_data()  # indexes them once, and not in each training
    print(f"pseudolabels: {time.perf_counter() - start:.0f} s", flush=True)


def train_and_score(job: Job) -> Figures:
    """Train an arm, score and fine-tune it, unless that was done; return the figures."""
    words = "".join(letter for letter in job.arm if letter not in "()").split()
    path = job.places.runs / f"{'-'.join(words)}-{job.seed}.json"
    captioner = job.places.captioner(job.seed)
    if path.is_file() and (job.arm != CAPTIONER or captioner.is_file()):
        record = json.loads(path.read_text())
        if record["settings"] == list(job.settings):
            return dict(record["figures"])
    figures: Figures = {}
    seed_everything(job.seed)
    learner = make_learner(job, RATE, job.settings.steps)
    if ARMS[job.arm]:
        trainer = train(learner, training_data(job), job.settings.steps, job)
        if job.arm == CAPTIONER:
            trainer.save_checkpoint(captioner)
            figures["one frame"] = score(trainer, learner, steps_data(job, num_frames=1))
        figures["before"] = score(trainer, learner, steps_data(job))
    tuned = make_learner(job, RATE / 2, job.settings.tuning_steps)
    tuned.load_state_dict(learner.state_dict())
    trainer = train(tuned, steps_data(job), job.settings.tuning_steps, job)
    figures["after"] = score(trainer, tuned, steps_data(job))
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps({"settings": job.settings, "figures": figures}))
    return figures


def make_learner(job: Job, rate: float, steps: int) -> VideoTextLearner:
    """Make the model of all arms, which knows the words of all of them."""
    learner = VideoTextLearner(
        TinyVideo(dim=128, num_frames=FRAMES, patches=True),
        None,
        CaptioningDecoder(TextDecoder()),
        partial(AdamW, lr=rate, weight_decay=0.01),
        partial(WarmupCosine, warmup_steps=steps // 10),
    )
    learner.head.build(texts(job))
    return learner


def texts(job: Job) -> Iterator[str]:
    """Yield all that is said, and written of pictures and steps."""
    parts = (source("speech", job), source("pictures", job), steps_data(job))
    return chain.from_iterable(part.captions() for part in parts)


def train(learner: VideoTextLearner, data: VideoTextData, steps: int, job: Job) -> Trainer:
    """Train for some steps."""
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=results(job),
    )
    trainer.fit(learner, data)
    return trainer


def training_data(job: Job) -> VideoTextData:
    """Open what an arm is trained on."""
    sources = {name: source(name, job) for name in ARMS[job.arm]}
    if len(sources) == 1:
        return next(iter(sources.values()))
    return Mixture(sources, dict.fromkeys(sources, 1.0))


def source(name: str, job: Job) -> VideoTextData:
    """Open pictures, or the training videos with what is said or with pseudolabels."""
    kitchen, unreadable = job.places.kitchen, results(job) / "unreadable.jsonl"
    if name == "pictures":
        return ImageCaptions(
            job.places.pictures,
            kitchen="coco",
            annotations=Path("annotations/captions_train2017.json"),
            pictures=Path("train2017"),
            batch_size=BATCH,
            seed=job.seed,
            unreadable_log=unreadable,
        )
    return HowTo100M(
        kitchen / "captions" if name == "speech" else job.places.labels(job.seed),
        videos=kitchen / "videos",
        video_list=kitchen / "splits" / "train.csv",
        sampling=ClipSampling(num_clips=CLIPS, whole=True),
        batch_size=BATCH // CLIPS,
        seed=job.seed,
        unreadable_log=unreadable,
    )


def steps_data(job: Job, num_frames: int | None = None) -> Steps:
    """Open the steps to fine-tune on and to be scored by."""
    settings = job.settings
    return Steps(
        job.places.kitchen,
        task="captioning",
        sampling=ClipSampling(num_frames=num_frames),
        batch_size=BATCH,
        evaluation_batch_size=64,
        seed=job.seed,
        unreadable_log=results(job) / "unreadable.jsonl",
        train=settings.train,
        validation=settings.validation,
        test=settings.test,
    )


def results(job: Job) -> Path:
    """Return where this process leaves what a training writes."""
    return job.places.runs / "results" / f"{os.getpid()}"


def score(trainer: Trainer, learner: VideoTextLearner, data: Steps) -> float:
    """Score what is written of the test steps by CIDEr."""
    with redirect_stdout(None):
        trainer.test(learner, data, verbose=False)
    (result,) = learner.results
    return float(result.metrics["CIDEr"])


def table(runs: Runs) -> str:
    """Lay out CIDEr before and after fine-tuning."""
    lines = ["| pretrained on | CIDEr before fine-tuning | after |", "| --- | --- | --- |"]
    for arm, several in runs.items():
        cells = [
            cell([one[name] for one in several]) if name in several[0] else "-"
            for name in ("before", "after")
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    captioner = cell([one["one frame"] for one in runs[CAPTIONER]])
    gains = ", ".join(f"{gain(runs, name)} times {name}" for name in ("before", "after"))
    lines.append(f"\nPseudolabels over speech: {gains} fine-tuning.")
    lines.append(f"The captioner, given one frame from the middle of a step: {captioner}.")
    return "\n".join(lines)


def gain(runs: Runs, name: str) -> str:
    """Compare the CIDEr of pseudolabels with that of speech."""
    labels, speech = (
        statistics.mean(one[name] for one in runs[arm]) for arm in ("pseudolabels", "speech (ASR)")
    )
    return f"{labels / speech:.1f}" if speech else "-"


def texts_table(places: Places, seeds: Sequence[int]) -> str:
    """Lay out how many of the training texts tell what is on screen."""
    judged = [judge_labels(places.labels(seed), places.kitchen) for seed in seeds]
    speech = judge_speech(places.kitchen)
    rows = [
        ("speech", f"{speech.texts}", cell([speech.right])),
        ("pseudolabels", f"{judged[0].texts}", cell([one.right for one in judged])),
        ("their best half by score", "", cell([one.best_half for one in judged])),
    ]
    lines = ["| texts | how many | right, % |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    auc = cell([one.auc for one in judged])
    lines.append(f"\nA right pseudolabel has the higher score than a wrong one in {auc} % (AUC).")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
