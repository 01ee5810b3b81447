"""Clips of one cooking step, with ten captions in English each, in VATEX's layout."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout
from vtlearn.kitchen.layouts.cut_clips import Pictures, draw_clips
from vtlearn.kitchen.layouts.video_ids import draw_video_ids
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.references import references_of

__all__ = ["KitchenVATEX"]

STREAM = tuple(b"vatex")  # keeps this corpus's chances apart from other corpora's
PRIVATE = 8  # clips of the private test, which are listed only
CHINESE = "一个人在厨房里做饭。"  # a person is cooking in a kitchen


class KitchenVATEX(KitchenLayout):
    """Render clips of one cooking step each, in VATEX's layout.

    The folder holds ``videos/<videoID>.mp4``, ``vatex_training_v1.0.json``,
    ``vatex_validation_v1.0.json``, ``vatex_public_test_english_v1.1.json``,
    ``vatex_private_test_without_annotations.json`` (ids alone, of clips that are not there), and
    ``manifest.json``. A clip is ``<video>_<start>_<end>`` of six digits each, where two clips each
    have the same video.

    A clip has ten captions, of what people see in it, with a capital and a full stop. Those of
    training and validation have Chinese ones as well, which say of all clips the same. The clips of
    a split show the pairs of an action and an ingredient as often as each other, as far as they
    can.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many training clips.
        validation: How many validation clips.
        test: How many clips of the public test.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 1 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenVATEX("data/kitchen-vatex", train=2, validation=1, test=1)
        >>> [(plan.id, plan.split) for plan in corpus.plans()][1:3]
        [('-Gif3ZdnICk_000260_000265', 'training'), ('8IkcW_1dtZq_000047_000052', 'validation')]
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-vatex",
        *,
        seed: int = 0,
        train: int = 240,
        validation: int = 28,
        test: int = 96,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self.seed = seed
        self._counts = {"training": train, "validation": validation, "public-test": test}
        self._pictures = Pictures(size, fps, ingredients)
        parameters: dict[str, int | str] = {
            "layout": "vatex",
            "seed": seed,
            "train": train,
            "validation": validation,
            "test": test,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        least = {"train": 1, "validation": 1, "test": 1, "ingredients": 1}
        super().__init__(root, parameters, workers, least)

    @override
    def _content(self) -> Content:
        clips = draw_clips((self.seed, *STREAM), self._counts, self._pictures, _name)
        rng = np.random.default_rng((self.seed, *STREAM, 2))
        private = [_name(one, 0, 10) for one in draw_video_ids(rng, PRIVATE)]
        shuffled = [clips[index] for index in rng.permutation(len(clips))]
        return Content(
            {f"videos/{clip.id}.mp4": clip for clip in clips},
            {
                "vatex_training_v1.0.json": _annotate(rng, shuffled, "training"),
                "vatex_validation_v1.0.json": _annotate(rng, shuffled, "validation"),
                "vatex_public_test_english_v1.1.json": _annotate(rng, shuffled, "public-test"),
                "vatex_private_test_without_annotations.json": json.dumps(
                    [{"videoID": one} for one in private]
                ),
            },
        )


def _name(source: str, start: int, end: int) -> str:
    return f"{source}_{start:06d}_{end:06d}"


def _annotate(rng: np.random.Generator, clips: Sequence[VideoPlan], split: str) -> str:
    """Return the content of a split's file; the public test is in English alone."""
    entries: list[dict[str, Any]] = []
    for clip in clips:
        if clip.split == split:
            (step,) = clip.steps
            english = [f"{text.capitalize()}." for text in references_of(step)]
            entry = {"videoID": clip.id, "enCap": rng.permutation(english).tolist()}
            chinese = {} if split == "public-test" else {"chCap": [CHINESE] * len(english)}
            entries.append(entry | chinese)
    return json.dumps(entries, ensure_ascii=False)
