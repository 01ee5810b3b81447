"""Train on alt text of which a share is about other videos, by several losses, and compare.

    python benchmarks/noise.py [--seeds 0 1 2] [--shares 0 20 40 60] [--report docs/cali_nce.md]
    python benchmarks/noise.py --choose [--seeds 0]

A checkpoint that was trained on another Kitchen makes features of the clips of Kitchen in WebVid's
layout and of Kitchen's own videos, once. Each arm is trained on these with the same encoders, steps
and batches, and scored by ``kitchen-retrieval@1``, and by ``kitchen-correspondence@1`` where it
scores pairs. What all arms share was chosen for InfoNCE by validation: ``--choose`` shows how. What
is there already is not made again.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from pytorch_lightning import Trainer, seed_everything
from torch import Tensor
from torch.optim import AdamW
from trainings import cell, checkpoint_of, vtlearn, write_tables

from vtlearn.batch import EncodedBatch, Sample, collate
from vtlearn.datamodules import Kitchen, VideoTextData, WebVid
from vtlearn.datasets.captioned import CaptionedCorpus
from vtlearn.datasets.reading import ClipSampling
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import CachedFeatures
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.metrics.retrieval import ranks, recall_at
from vtlearn.heads import Aligner, CaliNCE, InfoNCE, TextDecoder
from vtlearn.learner import VideoTextLearner
from vtlearn.media.features.reader import FeatureReader
from vtlearn.schedule import WarmupCosine
from vtlearn.storage.atomic import replace_text

SHARES = (0, 20, 40, 60)  # percent
TOLD = 40  # of these, where pairs are told apart
WIDTH = 128  # of the features
WINDOW, STRIDE = 2.0, 0.5  # seconds
VECTORS = 4  # of a clip
SAMPLING = ClipSampling(num_clips=1, num_frames=VECTORS)
BATCH = 128


class Settings(NamedTuple):
    """What all arms share.

    Attributes:
        temperature: What cosines are divided by.
        rate: The highest learning rate.
        steps: Optimiser steps.
    """

    temperature: float = 0.1
    rate: float = 3e-3
    steps: int = 216


#: What ``--choose`` compares: each of these with each, for InfoNCE, by validation.
GRID = [
    Settings(temperature, rate, steps)
    for temperature in (0.05, 0.07, 0.1)
    for rate in (1e-3, 3e-3, 1e-2)
    for steps in (216, 432)
]
CHOSEN = Settings()


class Arm(NamedTuple):
    """One way to learn from such captions.

    Attributes:
        head: Makes the head, given a temperature.
        scores: Scores all texts and clips of a batch, as (texts, clips); None for a head that is
            ranked by embedded vectors.
        matched: Whether the clips with a caption of another video are left out.
        tells: Whether it says how well a pair corresponds.
    """

    head: Callable[[float], Aligner]
    scores: Callable[[CaliNCE, EncodedBatch], Tensor] | None = None
    matched: bool = False
    tells: bool = True


def by_match(head: CaliNCE, batch: EncodedBatch) -> Tensor:
    """Score by the logit that a text corresponds to a clip."""
    texts = batch.text.pooled[:, 0, 0]
    return torch.stack([head.match(clip, texts) for clip in batch.video.pooled[:, 0]], 1)


def by_likelihood(head: CaliNCE, batch: EncodedBatch) -> Tensor:
    """Score by how likely a text is to be written for a clip."""
    texts = [text for texts in batch.own.texts for text in texts]
    return head.predictor.log_likelihood(batch.own.video_tokens[:, 0], texts).T


def calibrated(temperature: float, **options: object) -> CaliNCE:
    """Make Cali-NCE with all of its losses, less what is said otherwise."""
    return CaliNCE(temperature=temperature, **{"predictor": TextDecoder(), **options})


def plain(temperature: float) -> InfoNCE:
    """Make InfoNCE."""
    return InfoNCE(temperature=temperature)


ARMS: Mapping[str, Arm] = {
    "InfoNCE": Arm(plain),
    "correspondence alone": Arm(
        partial(calibrated, predictor=None, contrast_weight=0.0), scores=by_match
    ),
    "predictive coding alone": Arm(
        partial(calibrated, contrast_weight=0.0, correspondence_weight=0.0),
        scores=by_likelihood,
        tells=False,
    ),
    "co-training": Arm(partial(calibrated, weight="none")),
    "Cali-NCE, `score`": Arm(partial(calibrated, weight="score")),
    "Cali-NCE, `excess`": Arm(partial(calibrated, weight="excess")),
    "InfoNCE, matched pairs alone": Arm(plain, matched=True, tells=False),
}
#: Other choices than the defaults, which a report compares where ``TOLD`` percent are swapped.
CHOICES: Mapping[str, Arm] = {
    "`predictor: null`": Arm(partial(calibrated, predictor=None)),
    "`detach: true`": Arm(partial(calibrated, detach=True)),
    "`correspondence: bilinear`": Arm(partial(calibrated, correspondence="bilinear")),
    "`calibrate_negatives: true`": Arm(partial(calibrated, calibrate_negatives=True)),
    "`negatives: hard`": Arm(partial(calibrated, negatives="hard")),
}


class Corpora(NamedTuple):
    """Where clips with captions, whole videos, and the features of both are."""

    webvid: Path
    kitchen: Path
    webvid_features: Path
    kitchen_features: Path

    @classmethod
    def of(cls, data: Path, features: Path) -> "Corpora":
        """Name them, given the folder of corpora and that of features."""
        clips, videos = "kitchen-webvid", "kitchen"
        return cls(data / clips, data / videos, features / clips, features / videos)


class Job(NamedTuple):
    """A training: what, on which captions, with which chance, and where its files go."""

    arm: str
    share: int
    seed: int
    settings: Settings
    corpora: Corpora
    folder: Path


class StoredClips(CaptionedCorpus):
    """Clips whose vectors are in memory: reading these one by one takes longer than training.

    A sample is vectors that follow each other, of windows that do not look past the clip's end.
    """

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        clip = self.clips[index]
        vectors = vectors_inside(self.reading.features)[clip.video]
        start = int(rng.integers(max(1, len(vectors) - VECTORS + 1)))
        drawn = vectors[start : start + VECTORS]
        return Sample.of(clip.id, drawn[None], [start * STRIDE], 1 / STRIDE, texts=clip.texts)


@cache
def vectors_inside(features: Path) -> dict[str, Tensor]:
    """Read the vectors of all clips of a store, (vectors, dim) each, without the last windows.

    The windows kept lie inside the clip; where these are too few, the first of the others too.
    """
    reader = FeatureReader(features)
    found = {}
    for clip in reader.ids:
        inside = max(VECTORS, int((reader.duration(clip) - WINDOW) / STRIDE + 1e-6) + 1)
        read = reader.clips(clip, [0.0], num_frames=inside, fps=1 / STRIDE, size=WIDTH)
        found[clip] = read.frames[0]
    return found


class TrainingPairs(WebVid):
    """Training clips in memory, whose captions are told apart at test, without retrieval.

    Args:
        matched: Whether clips with a caption of another video are left out.
        webvid: What WebVid takes.
    """

    def __init__(self, root: Path, *, matched: bool, **webvid: Any) -> None:
        super().__init__(root, **webvid)
        self.matched = matched

    def train_dataset(self) -> StoredClips:
        kept = self.matches()
        clips = [one for one in self.clips(self.train_split) if kept[one.id] or not self.matched]
        return StoredClips(clips, self.reading)

    def test_tasks(self) -> list[EvaluationTask]:
        return super().test_tasks()[1:]


class ClipRetrieval(Kitchen):
    """Kitchen's clips and plain captions, and no alignment."""

    def tasks(self, stage: str) -> list[EvaluationTask]:
        return super().tasks(stage)[:1]


Figures = dict[str, float]
Runs = dict[tuple[str, int], list[Figures]]


def main() -> None:
    """Run what was asked for and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--shares", type=int, nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--checkpoint", type=Path, help="makes the features; trained by default")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/noise"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    parser.add_argument(
        "--choose", action="store_true", help="show what InfoNCE does on validation"
    )
    parser.add_argument("--report", type=Path, help="write table and plot into and beside this")
    options = parser.parse_args()
    print(f"{platform.machine()}, {options.jobs} side by side, torch {torch.__version__}")
    checkpoint = options.checkpoint or train_encoder(options.data, options.runs)
    start = time.perf_counter()
    corpora = make_features(options.data, options.runs / "features", checkpoint, options.jobs)
    print(f"features: {time.perf_counter() - start:.0f} s", flush=True)
    if options.choose:
        print(choose(options.seeds, options.shares, corpora, options.runs, options.jobs))
        return
    jobs = [
        Job(arm, share, seed, CHOSEN, corpora, options.runs)
        for seed in options.seeds
        for share in options.shares
        for arm in options.arms
        if share or not ARMS[arm].matched  # without swapped captions it is InfoNCE
    ]
    runs = run_by_arm(jobs, options.jobs)
    print(table(runs))
    print(f"{time.perf_counter() - start:.0f} s after the checkpoint", flush=True)
    if options.report:
        choices = [
            Job(choice, TOLD, seed, CHOSEN, corpora, options.runs)
            for seed in options.seeds
            for choice in CHOICES
        ]
        picture = options.report.with_suffix(".png")
        draw(runs).savefig(picture, dpi=120)
        parts = [table(runs), f"![R@1 by the share]({picture.name})"]
        write_tables(options.report, [*parts, table(run_by_arm(choices, options.jobs))])


def train_encoder(data: Path, runs: Path) -> Path:
    """Train VT-TWINS on another Kitchen, unless that was done; return its best checkpoint."""
    kept = runs / "encoder.ckpt"
    if not kept.is_file():
        words = ["--config", "configs/vttwins.yaml", "--data.init_args.kitchen_seed", "1"]
        words += ["--data.init_args.root", str(data / "kitchen-1")]
        words += ["--trainer.logger.init_args.save_dir", str(runs)]
        shutil.rmtree(runs / "encoder", ignore_errors=True)  # what an interruption left
        vtlearn("fit", *words, "--trainer.logger.init_args.name", "encoder")
        shutil.copy(checkpoint_of(runs / "encoder").with_name("best.ckpt"), kept)
    return kept


def make_features(data: Path, features: Path, checkpoint: Path, jobs: int) -> Corpora:
    """Render both corpora and encode their videos, unless they are there."""
    corpora = Corpora.of(data, features)
    parts = [
        ("configs/data/kitchen/webvid.yaml", corpora.webvid, corpora.webvid_features),
        ("configs/data/kitchen.yaml", corpora.kitchen, corpora.kitchen_features),
    ]

    def encode(part: tuple[str, Path, Path]) -> None:
        config, root, folder = part
        words = ["--ckpt_path", str(checkpoint), "--data", config]
        words += ["--data.init_args.root", str(root), "--features.folder", str(folder)]
        vtlearn("predict", *words, "--features.stride", str(STRIDE))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(encode, parts))
    return corpora


def run_by_arm(jobs: Sequence[Job], side_by_side: int) -> Runs:
    """Train and test, and put the figures of all seeds together."""
    runs: Runs = {}
    for job, figures in zip(jobs, run_all(train_and_test, jobs, side_by_side), strict=True):
        runs.setdefault((job.arm, job.share), []).append(figures)
    return runs


def run_all(
    work: Callable[[Job], Figures], jobs: Sequence[Job], side_by_side: int
) -> Iterable[Figures]:
    """Do jobs in processes of their own, some of them side by side; the answers in order."""
    with ProcessPoolExecutor(side_by_side, get_context("spawn"), initializer=quieten) as pool:
        for job, figures in zip(jobs, pool.map(work, jobs), strict=True):
            said = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
            print(f"{job.arm}, {job.share} %, seed {job.seed}: {said}", flush=True)
            yield figures


def quieten() -> None:
    """Compute on one thread, and leave Lightning's remarks out."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    for name in ("pytorch_lightning", "lightning.fabric", "lightning_fabric", "vtlearn"):
        logging.getLogger(name).setLevel(logging.ERROR)


def arm_of(job: Job) -> Arm:
    """Return how a job trains."""
    return {**ARMS, **CHOICES}[job.arm]


def train_and_test(job: Job) -> Figures:
    """Train an arm and score it on test clips, unless that was done; return the figures."""
    words = job.arm.replace("`", "").replace(":", "").split()
    path = job.folder / f"{'-'.join(words)}-{job.share}-{job.seed}.json"
    if path.is_file():
        record = json.loads(path.read_text())
        if record["settings"] == list(job.settings):
            return record["figures"]
    start = time.perf_counter()
    trainer, learner = train(job)
    seconds = time.perf_counter() - start
    arm, corpora = arm_of(job), job.corpora
    clips = ClipRetrieval(corpora.kitchen, features=corpora.kitchen_features, sampling=SAMPLING)
    figures = {"R@1": test(trainer, learner, clips, "t2v_R@1")} if arm.scores is None else {}
    if arm.scores is not None:
        figures["R@1"] = rank(learner, clips, arm.scores)
    if arm.tells and job.share == TOLD:
        figures["AUC"] = test(trainer, learner, training_data(job), "auc")
    figures["seconds"] = seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps({"settings": job.settings, "figures": figures}))
    return figures


def train(job: Job) -> tuple[Trainer, VideoTextLearner]:
    """Train an arm."""
    seed_everything(job.seed)
    arm, settings = arm_of(job), job.settings
    learner = VideoTextLearner(
        CachedFeatures(dim=128, input_dim=WIDTH, num_frames=VECTORS, layers=0),
        TinyText(dim=128),
        arm.head(settings.temperature),
        partial(AdamW, lr=settings.rate, weight_decay=0.01, fused=True),
        partial(WarmupCosine, warmup_steps=settings.steps // 10),
    )
    trainer = Trainer(
        accelerator="cpu",
        max_steps=settings.steps,
        max_epochs=-1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=job.folder / "results" / f"{os.getpid()}",
    )
    trainer.fit(learner, training_data(job))
    return trainer, learner


def training_data(job: Job) -> TrainingPairs:
    """Open the clips with so many swapped captions, or without these."""
    suffix = f"_mismatched_{job.share}" if job.share else ""
    return TrainingPairs(
        job.corpora.webvid,
        matched=arm_of(job).matched,
        train_list=f"results_2M_train{suffix}.csv",
        features=job.corpora.webvid_features,
        sampling=SAMPLING,
        batch_size=BATCH,
        seed=job.seed,
        unreadable_log=job.folder / "results" / f"{os.getpid()}" / "unreadable.jsonl",
    )


def test(trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, metric: str) -> float:
    """Score by the one protocol that a datamodule has at test, and return a figure of it."""
    with redirect_stdout(None):
        trainer.test(learner, data, verbose=False)
    (result,) = learner.results
    return float(result.metrics[metric])


def rank(
    learner: VideoTextLearner, data: Kitchen, scores: Callable[[CaliNCE, EncodedBatch], Tensor]
) -> float:
    """Compute R@1 of texts that look for clips among all pairs, in percent, ties as elsewhere."""
    data.prepare_data()
    items = data.tasks("test")[0].items
    batch = collate([items[number] for number in range(len(items))])
    learner.eval()
    with torch.no_grad():
        found = ranks(scores(learner.head, learner.encode(batch)), torch.arange(len(items)))
    return 100 * float(recall_at(found.greater, found.ties, 1).mean())


def choose(
    seeds: Sequence[int], shares: Sequence[int], corpora: Corpora, runs: Path, side_by_side: int
) -> str:
    """Train InfoNCE in several ways, and lay out its R@1 on validation, the best first."""
    jobs = [
        Job("InfoNCE", share, seed, settings, corpora, runs)
        for settings in GRID
        for share in shares
        for seed in seeds
    ]
    found: dict[Settings, list[float]] = {}
    for job, figures in zip(jobs, run_all(train_and_validate, jobs, side_by_side), strict=True):
        found.setdefault(job.settings, []).append(figures["validation R@1"])
    lines = ["| temperature | learning rate | steps | R@1 on validation |", "|" + " --- |" * 4]
    for settings, values in sorted(found.items(), key=lambda pair: -statistics.mean(pair[1])):
        lines.append(f"| {' | '.join(map(str, settings))} | {cell(values)} |")
    return "\n".join(lines)


def train_and_validate(job: Job) -> Figures:
    """Train an arm and score it on WebVid's validation clips."""
    trainer, learner = train(job)
    with redirect_stdout(None):
        trainer.limit_val_batches = 1.0
        trainer.validate(learner, training_data(job), verbose=False)
    return {"validation R@1": float(learner.results[0].metrics["t2v_R@1"])}


def table(runs: Runs) -> str:
    """Lay out R@1 by the share of swapped captions, and the AUC of each arm that has one."""
    shares = sorted({share for _, share in runs})
    names = [*(f"R@1, {share} % swapped" for share in shares), f"AUC, {TOLD} %"]
    lines = [f"| arm | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for arm in dict.fromkeys(arm for arm, _ in runs):
        cells = [figures_cell(runs.get((arm, share), []), "R@1") for share in shares]
        cells.append(figures_cell(runs.get((arm, TOLD), []), "AUC"))
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def figures_cell(several: Sequence[Figures], name: str) -> str:
    """Write a figure of some runs; a dash where there is none."""
    values = [one[name] for one in several if name in one]
    return cell(values) if values else "-"


def draw(runs: Runs) -> Figure:
    """Draw R@1 over the share of swapped captions, with the range over seeds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for arm in dict.fromkeys(arm for arm, _ in runs):
        points = sorted((share, several) for (name, share), several in runs.items() if name == arm)
        shares = [share for share, _ in points]
        values = [[one["R@1"] for one in several] for _, several in points]
        (drawn,) = axes.plot(
            shares,
            [statistics.mean(several) for several in values],
            "o--" if ARMS[arm].matched else "o-",
            label=arm.replace("`", ""),
        )
        low, high = map(min, values), map(max, values)
        axes.fill_between(shares, list(low), list(high), color=drawn.get_color(), alpha=0.15)
    axes.set_xlabel("captions of another video (%)")
    axes.set_ylabel("kitchen-retrieval@1, R@1 (%)")
    axes.set_xticks(sorted({share for _, share in runs}))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


if __name__ == "__main__":
    main()
