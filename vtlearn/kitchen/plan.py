"""Everything about one video before a pixel is drawn, as a function of where it stands.

A plan is small and picklable, and depends on the corpus' seed, the split, the index in it and the
corpus' parameters alone: which process draws it, and when, changes nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.narrator import Line, Narrator
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.script import Pair, Script, write_script, write_step
from vtlearn.kitchen.truth import Step, VideoTruth

__all__ = ["SPLITS", "VideoPlan", "plan_clip", "plan_silent", "plan_video"]

SPLITS = ("train", "val", "test")


class VideoPlan(NamedTuple):
    """One video, ready to be drawn.

    Attributes:
        id: ``kitchen_<split>_<index>``; in another corpus's layout, as that names its videos.
        split: ``train``, ``val`` or ``test``; in another corpus's layout, as that names its splits.
        size: Height and width in pixels; even, as video encoders want it.
        fps: Frames per second.
        duration: Seconds.
        recipe: The recipe it follows, or None for a free sequence.
        steps: What is shown, in time order.
        lines: What is said, sorted by start; nothing in a clip.
        scenery: The seed of its kitchen and camera.
    """

    id: str
    split: str
    size: int
    fps: int
    duration: float
    recipe: str | None
    steps: list[Step]
    lines: list[Line]
    scenery: tuple[int, ...]

    @property
    def truth(self) -> VideoTruth:
        """What is kept beside the video."""
        narrated = [line.step for line in self.lines]
        return VideoTruth(self.duration, self.recipe, self.steps, narrated)

    @property
    def transcript(self) -> dict[str, list[float] | list[str]]:
        """Its captions in HowTo100M's layout: three parallel lists."""
        return {
            "start": [line.start for line in self.lines],
            "end": [line.end for line in self.lines],
            "text": [line.text for line in self.lines],
        }


def plan_video(
    seed: int,
    split: str,
    index: int,
    *,
    size: int = 64,
    fps: int = 8,
    free: float = 0.5,
    ingredients: int = len(INGREDIENTS),
    required: Sequence[Pair] = (),
    narrator: Narrator | None = None,
) -> VideoPlan:
    """Plan one video.

    What is shown, what is said and the kitchen have chances of their own: another narrator leaves
    the pictures as they are.

    Args:
        seed: The corpus' seed.
        split: ``train``, ``val`` or ``test``.
        index: Which video of the split, from 0.
        size: Height and width in pixels.
        fps: Frames a second.
        free: The probability of a free sequence of actions instead of a recipe's.
        ingredients: How many of the 24 ingredients may occur.
        required: Pairs of an action and an ingredient that must occur, at most six.
        narrator: Who tells of it; by default a :class:`Narrator` with its default faults.

    Returns:
        The plan.

    Raises:
        ArgumentError: If there is no such split.

    Example:
        >>> plan = plan_video(0, "train", 1)
        >>> plan.id, plan == plan_video(0, "train", 1), plan == plan_video(1, "train", 1)
        ('kitchen_train_0001', True, False)
    """
    if split not in SPLITS:
        message = f"Kitchen has no split {split!r}; choose one of {', '.join(SPLITS)}"
        raise ArgumentError(message)
    key = (seed, SPLITS.index(split), index)
    script = write_script(
        np.random.default_rng((*key, 0)),
        fps=fps,
        free=free,
        ingredients=ingredients,
        required=required,
    )
    voice = np.random.default_rng((*key, 1))
    lines = (narrator or Narrator()).narrate(voice, script.steps, script.duration)
    return VideoPlan(
        id=f"kitchen_{split}_{index:04d}",
        split=split,
        size=size,
        fps=fps,
        duration=script.duration,
        recipe=script.recipe,
        steps=script.steps,
        lines=lines,
        scenery=(*key, 2),
    )


def plan_clip(
    video_id: str, pair: Pair, key: tuple[int, ...], *, split: str, size: int = 64, fps: int = 8
) -> VideoPlan:
    """Plan a silent clip of one step, as the layouts of captioned corpora have them.

    Args:
        video_id: Its id.
        pair: What is done, and to what.
        key: All its chances come from this; no other clip of the corpus may have the same.
        split: Its split.
        size: Height and width in pixels.
        fps: Frames per second.

    Returns:
        The plan.

    Example:
        >>> plan = plan_clip("video7020", Pair("chop", "carrot"), (0, 7020), split="test")
        >>> [step.caption for step in plan.steps], plan.lines
        (['chop carrot'], [])
    """
    script = write_step(np.random.default_rng((*key, 0)), pair, fps=fps)
    return plan_silent(video_id, script, key, split=split, size=size, fps=fps)


def plan_silent(
    video_id: str, script: Script, key: tuple[int, ...], *, split: str, size: int = 64, fps: int = 8
) -> VideoPlan:
    """Plan a video without narration, whose steps are decided.

    Args:
        video_id: Its id.
        script: What it shows.
        key: The chances of its kitchen come from this; no other video of the corpus may have the
            same.
        split: Its split.
        size: Height and width in pixels.
        fps: Frames per second.

    Returns:
        The plan.

    Example:
        >>> script = Script(6.0, "soup", [Step(1.0, 5.0, "chop", "carrot")])
        >>> plan_silent("_uAZw6L_R5g", script, (0, 1), split="validation").recipe
        'soup'
    """
    return VideoPlan(
        id=video_id,
        split=split,
        size=size,
        fps=fps,
        duration=script.duration,
        recipe=script.recipe,
        steps=script.steps,
        lines=[],
        scenery=(*key, 2),
    )
