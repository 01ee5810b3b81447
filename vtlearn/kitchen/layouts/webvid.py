"""Clips of one cooking step with a sentence as alt text, some of another video's, as WebVid's."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.corpus import KitchenCorpus
from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.narrator import Narrator
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.truth import Step

__all__ = ["KitchenWebVid"]

STREAM = tuple(b"webvid")  # keeps this corpus's chances apart from other corpora's
PAGE = 50  # videos of a folder
TRUTH = "_truth.csv"  # what the name of a list ends in, where it says which captions match


class _Clip(NamedTuple):
    """A step of a video as a clip of its own; ``video`` is the video's number."""

    plan: VideoPlan
    video: int
    step: Step
    caption: str

    @property
    def page(self) -> str:
        first = self.video - self.video % PAGE + 1
        return f"{first:06d}_{first + PAGE - 1:06d}"


class KitchenWebVid(KitchenLayout):
    """Render clips of one cooking step each, with alt text that may be another clip's, as WebVid's.

    The folder holds ``videos/<page_dir>/<videoid>.mp4``, ``manifest.json``, and in ``metadata`` the
    lists ``results_2M_{train,val,test}.csv`` (``videoid,name,page_dir``) and, for each share of
    mismatched captions but 0, ``results_2M_train_mismatched_<percent>.csv``, 20 for 0.2.

    The training clips are the steps of Kitchen's training videos with the same seed, each cut out
    as it is there; the others are the first clip of each pair of an action and an ingredient that
    the validation and the test videos show. A clip's caption is a narrator's sentence about its
    step, without a narrator's faults. In the lists of mismatched captions so many clips, drawn by
    chance, have the caption of a step of another video instead, drawn by chance as well; those of
    a smaller share are among those of a larger one. Beside each training list,
    ``<list>_truth.csv`` says whose caption each clip has (``caption_of``), and whether it tells of
    what the clip shows (``matches``, 1 or 0): a mismatched one may, by chance.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many training videos, at least 2; a video has 6 to 10 clips.
        validation: How many validation videos.
        test: How many test videos.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 1 to 24; eight actions are done to each.
        mismatched: Shares of training captions that are of another video's step, from 0 to 1, a
            list for each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenWebVid("data/kitchen-webvid", train=2, validation=1, test=1)
        >>> [(plan.id, plan.split, plan.duration) for plan in corpus.plans()][:2]
        [('1000', 'train', 3.375), ('1001', 'train', 4.125)]
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-webvid",
        *,
        seed: int = 0,
        train: int = 300,
        validation: int = 50,
        test: int = 100,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        mismatched: Sequence[float] = (0.0, 0.2, 0.4, 0.6),
        workers: int | None = None,
    ) -> None:
        if not all(0 <= share <= 1 for share in mismatched):
            message = f"mismatched is {' '.join(map(str, mismatched))}: shares, from 0 to 1"
            raise ArgumentError(message)
        self.seed = seed
        self.mismatched = sorted({0.0, *mismatched})
        self._videos = {"train": train, "validation": validation, "test": test}
        self._pictures = {"seed": seed, "size": size, "fps": fps, "ingredients": ingredients}
        parameters: dict[str, int | str] = {
            "layout": "webvid",
            **self._videos,
            **self._pictures,
            "mismatched": " ".join(f"{share:g}" for share in self.mismatched),
        }
        least = {"train": 2, "validation": 1, "test": 1, "ingredients": 1}
        super().__init__(root, parameters, workers, least)

    @override
    def _content(self) -> Content:
        clips = list(self._clips())
        shown = [clip for clip in clips if clip.plan.split == "train"]
        texts = self._training_lists(shown)
        for split in ("val", "test"):
            pairs = _first_of_each_pair(clip for clip in clips if clip.plan.split == split)
            texts[f"metadata/results_2M_{split}.csv"] = _list(pairs, pairs)
            shown += pairs
        videos = {f"videos/{clip.page}/{clip.plan.id}.mp4": clip.plan for clip in shown}
        return Content(videos, texts)

    def _clips(self) -> Iterable[_Clip]:
        """Cut all videos into their steps."""
        narrator = Narrator(shift=0.0, omitted=0.0, chatter=0.0, swapped=0.0, word_errors=0.0)
        corpus = KitchenCorpus(self.root, **self._videos, **self._pictures)
        for number, plan in enumerate(corpus.plans()):
            voice = np.random.default_rng((self.seed, *STREAM, 0, number))
            lines = narrator.narrate(voice, plan.steps, plan.duration)
            for place, (step, line) in enumerate(zip(plan.steps, lines, strict=True)):
                clip = _cut(plan, step, f"{1000 * (number + 1) + place}")
                yield _Clip(clip, number, step, line.text)

    def _training_lists(self, clips: Sequence[_Clip]) -> dict[str, str]:
        """Return the content of each training list, and of the truth beside it, by its path."""
        rng = np.random.default_rng((self.seed, *STREAM, 1))
        order = rng.permutation(len(clips))
        others = _draw_others(rng, np.array([clip.video for clip in clips]))
        texts = {}
        for share in self.mismatched:
            sources = np.arange(len(clips))
            swapped = order[: round(share * len(clips))]
            sources[swapped] = others[swapped]
            told = [clips[source] for source in sources.tolist()]
            stem = f"metadata/results_2M_train{f'_mismatched_{100 * share:g}' if share else ''}"
            texts[f"{stem}.csv"] = _list(clips, told)
            texts[stem + TRUTH] = _list_truth(clips, told)
        return texts


def _cut(plan: VideoPlan, step: Step, video_id: str) -> VideoPlan:
    """Plan the stretch of a video that shows a step, its frames as they are in the video.

    All steps stay, since the renderer draws the setting of each; the others lie outside.
    """
    steps = [
        other._replace(start=other.start - step.start, end=other.end - step.start)
        for other in plan.steps
    ]
    return plan._replace(id=video_id, duration=step.end - step.start, steps=steps, lines=[])


def _first_of_each_pair(clips: Iterable[_Clip]) -> list[_Clip]:
    found: dict[str, _Clip] = {}
    for clip in clips:
        found.setdefault(clip.step.caption, clip)
    return list(found.values())


def _draw_others(rng: np.random.Generator, videos: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw a clip of another video for each clip, given the videos of all, which are sorted."""
    first, last = (np.searchsorted(videos, videos, side) for side in ("left", "right"))
    drawn = rng.integers(len(videos) - (last - first))
    others: NDArray[np.int64] = drawn + (drawn >= first) * (last - first)
    return others


def _list(clips: Iterable[_Clip], told: Iterable[_Clip]) -> str:
    rows = (
        f"{clip.plan.id},{other.caption},{clip.page}"
        for clip, other in zip(clips, told, strict=True)
    )
    return write_lines(["videoid,name,page_dir", *rows])


def _list_truth(clips: Iterable[_Clip], told: Iterable[_Clip]) -> str:
    rows = (
        f"{clip.plan.id},{other.plan.id},{int(clip.step.caption == other.step.caption)}"
        for clip, other in zip(clips, told, strict=True)
    )
    return write_lines(["videoid,caption_of,matches", *rows])
