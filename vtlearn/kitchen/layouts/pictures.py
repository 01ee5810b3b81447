"""Pictures of cooking steps with captions, which the layouts of image-caption corpora share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts.video_ids import draw_video_ids
from vtlearn.kitchen.plan import VideoPlan, plan_silent
from vtlearn.kitchen.references import references_of
from vtlearn.kitchen.script import STEP_SECONDS, required_pairs, write_script
from vtlearn.kitchen.truth import Step

__all__: list[str] = []

STREAM = tuple(b"pictures")  # keeps these chances apart from those of corpora of videos
FPS = 8  # of the videos that pictures are taken of
MOST_OF_A_STEP = round(STEP_SECONDS[0] * FPS)
MOST_CAPTIONS = 10


class PictureOptions(NamedTuple):
    """What pictures there are; the same in all layouts gives the same pictures and captions.

    Attributes:
        seed: Where all chance comes from.
        train: How many videos pictures are taken of.
        per_step: Pictures of each of their steps.
        captions: Captions of each picture.
        size: Height and width in pixels.
        ingredients: How many ingredients there are.
    """

    seed: int
    train: int
    per_step: int
    captions: int
    size: int
    ingredients: int


class Picture(NamedTuple):
    """A picture, as a video of one frame.

    Attributes:
        plan: What to draw; its id is left to the layout.
        url: Where it would have been downloaded.
        captions: What people say of it.
    """

    plan: VideoPlan
    url: str
    captions: Sequence[str]


#: The smallest value of each argument, beside those that all corpora have.
LEAST = {"train": 1, "per_step": 1, "captions": 1}


def draw_pictures(options: PictureOptions) -> list[Picture]:
    """Draw pictures and captions.

    The videos are of a kitchen of their own, whatever the seed of other corpora, and show every
    pair of an action and an ingredient where there are enough. A picture is a frame of a step,
    drawn by chance; its captions are of the ten that people write of the step, in an order drawn by
    chance, so that fewer of them are the first of more.

    Args:
        options: What there is.

    Returns:
        The pictures in the order of the videos and of time.

    Raises:
        ArgumentError: If a step has fewer frames, or there are fewer forms of captions.
    """
    for name, most in (("per_step", MOST_OF_A_STEP), ("captions", MOST_CAPTIONS)):
        if getattr(options, name) > most:
            message = f"{name} is {getattr(options, name)}; it must be {most} or less"
            raise ArgumentError(message)
    plans = [frame for number in range(options.train) for frame in _frames(options, number)]
    rng = np.random.default_rng((options.seed, *STREAM, 1))
    names = draw_video_ids(rng, len(plans))
    return [
        Picture(
            plan,
            f"http://pictures.example.org/{name}.jpg",
            [references_of(step)[index] for index in order[: options.captions]],
        )
        for (plan, step), name in zip(plans, names, strict=True)
        for order in [rng.permutation(MOST_CAPTIONS).tolist()]
    ]


def _frames(options: PictureOptions, number: int) -> list[tuple[VideoPlan, Step]]:
    """Plan the pictures that are taken of a video, each with the step that it shows."""
    key = (options.seed, *STREAM, 0, number)
    required = required_pairs(options.seed, options.ingredients, options.train)[number]
    script = write_script(
        np.random.default_rng((*key, 0)),
        fps=FPS,
        free=0.5,
        ingredients=options.ingredients,
        required=required,
    )
    video = plan_silent("", script, key, split="train", size=options.size, fps=FPS)
    rng = np.random.default_rng((*key, 1))
    return [
        (_cut(video, frame / FPS), step)
        for step in video.steps
        for frame in _draw_frames(rng, step, options.per_step)
    ]


def _draw_frames(rng: np.random.Generator, step: Step, count: int) -> list[int]:
    first, last = round(step.start * FPS), round(step.end * FPS)
    return sorted((first + rng.permutation(last - first)[:count]).tolist())


def _cut(video: VideoPlan, start: float) -> VideoPlan:
    """Plan the one frame of a video that starts at a time.

    All steps stay, since the renderer draws the setting of each; the others lie outside.
    """
    steps = [step._replace(start=step.start - start, end=step.end - start) for step in video.steps]
    return video._replace(duration=1 / FPS, steps=steps)
