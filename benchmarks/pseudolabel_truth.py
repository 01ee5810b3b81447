"""What Kitchen knows of pseudolabels: which are right, and what CIDEr says of right and wrong."""

import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vtlearn.datasets.kitchen import narrated_videos
from vtlearn.evaluation.metrics import cider_d, roc_auc, tokenize
from vtlearn.kitchen import ACTIONS, INGREDIENTS, Pair, Step, VideoTruth, read_truth, references_of
from vtlearn.media.captions.pseudolabels import keep_threshold, read_records
from vtlearn.media.video.reader import VideoReader
from vtlearn.plotting import CaptionedFrames, draw_captions

SHOWN = 20  # windows of a picture
SIZE = 64  # of their frames, in pixels


class Judged(NamedTuple):
    """How many texts tell what is on screen.

    Attributes:
        texts: How many there are.
        right: How many of them tell what is on screen in the middle of their time, in percent.
        best_half: The same of the half with the higher scores.
        auc: How often a right one has a higher score than a wrong one, in percent.
    """

    texts: int
    right: float
    best_half: float = float("nan")
    auc: float = float("nan")


def judge_labels(labels: Path, kitchen: Path) -> Judged:
    """Compare the pseudolabels of a folder with the truth."""
    truth = read_truth(kitchen)
    records = list(records_of(labels))
    scores = np.array([record["score"] for record in records], np.float64)
    right = np.array([is_right(record, truth[record["video"]]) for record in records])
    kept = scores >= keep_threshold(scores.tolist(), 0.5)
    auc = float(roc_auc(scores, right))
    return Judged(len(records), 100 * right.mean(), 100 * right[kept].mean(), 100 * auc)


def judge_speech(kitchen: Path) -> Judged:
    """Compare what is said in the training videos with the truth."""
    right = []
    for video in narrated_videos(kitchen, "train"):
        told = video.told()
        for number, caption in enumerate(video.captions):
            start, end = told.get(number, (np.inf, np.inf))
            right.append(start <= (caption.start + caption.end) / 2 < end)
    return Judged(len(right), 100 * float(np.mean(right)))


def draw_windows(labels: Path, kitchen: Path) -> Figure:
    """Draw the frames of some windows with their pseudolabels, and what is on screen."""
    truth = read_truth(kitchen)
    records = list(records_of(labels))
    chosen = np.random.default_rng(0).permutation(len(records))[:SHOWN]
    shown = [records[number] for number in sorted(chosen.tolist())]
    return draw_captions([draw_window(one, truth[one["video"]], kitchen) for one in shown])


def draw_window(record: dict[str, Any], truth: VideoTruth, kitchen: Path) -> CaptionedFrames:
    """Read the frames of a window that were captioned."""
    path = str(kitchen / "videos" / f"{record['video']}.mp4")
    clips = VideoReader().clips(path, record["frames"], num_frames=1, fps=1.0, size=SIZE)
    frames = [frame.permute(1, 2, 0).numpy() for frame in clips.frames[:, 0]]
    step = step_at(record, truth)
    verdict = "right" if is_right(record, truth) else "wrong"
    span = f"{record['start']:g}-{record['end']:g} s"
    name = f"{record['video']}, {span}, score {record['score']:.2f}"
    on_screen = "nothing" if step is None else step.caption
    return CaptionedFrames(f"{name}: {verdict}", record["caption"], on_screen, frames)


def records_of(labels: Path) -> Iterator[dict[str, Any]]:
    """Read all pseudolabels of a folder."""
    return read_records(sorted(labels.glob("*.jsonl")))


def is_right(record: dict[str, Any], truth: VideoTruth) -> bool:
    """Tell whether a pseudolabel names what is on screen in the middle of its window."""
    step = step_at(record, truth)
    if step is None:
        return False
    text = f" {record['caption']} "
    return f" {step.ingredient} " in text and not verbs(step.action).isdisjoint(text.split())


def step_at(record: dict[str, Any], truth: VideoTruth) -> Step | None:
    """Return the step that is on screen in the middle of a window."""
    middle = (record["start"] + record["end"]) / 2
    return next((step for step in truth.steps if step.start <= middle < step.end), None)


@cache
def verbs(action: str) -> frozenset[str]:
    """Return the words by which people tell an action from the others."""
    told = {one: {*" ".join(references_of(Pair(one, "egg"))).split()} for one in ACTIONS}
    others = set().union(*(words for one, words in told.items() if one != action))
    return frozenset(told[action] - others)


def scale(kitchen: Path) -> str:
    """Lay out what CIDEr says of texts of the test steps that are right, or wrong by design."""
    videos = narrated_videos(kitchen, "test")
    steps = [Pair(step.action, step.ingredient) for one in videos for step in one.truth.steps]
    draws = np.random.default_rng(0)
    foods = list(INGREDIENTS)
    others = [
        step._replace(ingredient=foods[(foods.index(step.ingredient) + by) % len(foods)])
        for step, by in zip(steps, draws.integers(1, len(foods), len(steps)).tolist(), strict=True)
    ]
    shuffled = [steps[number] for number in draws.permutation(len(steps)).tolist()]
    references = [[tokenize(text) for text in references_of(step)] for step in steps]
    lines = ["| written of the test steps | CIDEr, by the sentence form |", "| --- | --- |"]
    for name, told in (
        ("what is shown, in one form", steps),
        ("the same with a wrong ingredient", others),
        ("what another step shows", shuffled),
    ):
        found = [by_form(told, form, references) for form in range(len(references[0]))]
        mean = statistics.mean(found)
        lines.append(f"| {name} | {mean:.0f} ({min(found):.0f}-{max(found):.0f}) |")
    return "\n".join(lines)


def by_form(steps: Sequence[Pair], form: int, references: Sequence[Sequence[list[str]]]) -> float:
    """Score all steps told in one of the ten forms."""
    written = [tokenize(references_of(step)[form]) for step in steps]
    return float(cider_d(written, references).mean())
