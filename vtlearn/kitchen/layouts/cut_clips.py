"""Clips of one step that are named after where they were cut out, as MSVD's and VATEX's are."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from vtlearn.kitchen.layouts.base import repeat_pairs
from vtlearn.kitchen.layouts.video_ids import draw_video_ids
from vtlearn.kitchen.plan import VideoPlan, plan_clip
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS
from vtlearn.kitchen.script import Pair

__all__: list[str] = []

CLIPS_OF_A_SOURCE = 2
LATEST_START = 300  # seconds, of the first clip in its source
LONGEST_GAP = 60  # seconds between two clips of a source

#: What a clip is called: of its source's id, and the seconds that it begins and ends at in it.
Naming = Callable[[str, int, int], str]


class Pictures(NamedTuple):
    """What clips look like, and what they show.

    Attributes:
        size: Height and width in pixels.
        fps: Frames per second.
        ingredients: How many ingredients there are.
    """

    size: int
    fps: int
    ingredients: int


def draw_clips(
    key: Sequence[int], counts: Mapping[str, int], pictures: Pictures, name: Naming
) -> list[VideoPlan]:
    """Draw the clips of a corpus.

    Args:
        key: All chances come from this; no other corpus may have the same.
        counts: How many clips each split has.
        pictures: What they look like.
        name: How they are called.

    Returns:
        The clips of each split, sorted by id. They show each pair of an action and an ingredient
        about as often; two of them are of the same source, and no source is in two splits, those of
        a later split having later ids.
    """
    rng = np.random.default_rng((*key, 0))
    names = list(INGREDIENTS)[: pictures.ingredients]
    pairs = [Pair(action, ingredient) for ingredient in names for action in ACTIONS]
    needed = [ceil(count / CLIPS_OF_A_SOURCE) for count in counts.values()]
    sources = iter(sorted(draw_video_ids(rng, sum(needed))))
    clips: list[VideoPlan] = []
    for split, count in counts.items():
        first = len(clips)
        own: list[VideoPlan] = []
        for pair in repeat_pairs(rng, pairs, count):
            number = first + len(own)
            own.append(
                plan_clip(
                    "", pair, (*key, 1, number), split=split, size=pictures.size, fps=pictures.fps
                )
            )
        for place in range(0, count, CLIPS_OF_A_SOURCE):
            group = own[place : place + CLIPS_OF_A_SOURCE]
            own[place : place + CLIPS_OF_A_SOURCE] = _name_clips(rng, next(sources), group, name)
        clips += sorted(own, key=lambda clip: clip.id)
    return clips


def _name_clips(
    rng: np.random.Generator, source: str, clips: Sequence[VideoPlan], name: Naming
) -> list[VideoPlan]:
    """Say when each of some clips began and ended in the video that all of them are cut from."""
    named = []
    start = int(rng.integers(LATEST_START))
    for clip in clips:
        end = start + ceil(clip.duration)
        named.append(clip._replace(id=name(source, start, end)))
        start = end + int(rng.integers(LONGEST_GAP))
    return named
