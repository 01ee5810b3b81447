"""From a plan to frames: a kitchen of the video's own, and in it one step after another."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from vtlearn.kitchen.motions import MOTIONS
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.sprites import Colour, emoji
from vtlearn.kitchen.stage import Stage
from vtlearn.kitchen.truth import Step

__all__: list[str] = []

PROPS = "☕🪴🕰🫙🧺📻🧸🏺🍷🗞"


class Setting(NamedTuple):
    """How one step is shown: where (units of 1/64 frame), how large, how fast."""

    x: float
    y: float
    scale: float
    mirrored: bool
    period: float
    phase: float


def render_frames(plan: VideoPlan) -> Iterator[npt.NDArray[np.uint8]]:
    """Draw a video.

    Args:
        plan: What to draw. The same plan gives the same pixels in any process.

    Yields:
        Its frames in time order, (height, width, 3), uint8, RGB.

    Raises:
        MissingPackageError: If the colour font is not installed.
    """
    rng = np.random.default_rng(plan.scenery)
    kitchen = _furnish(rng, plan.size)
    home = (rng.uniform(30, 34), rng.uniform(33, 36))
    settings = [_set(rng, home) for _ in plan.steps]
    for index in range(round(plan.duration * plan.fps)):
        # The middle of the frame's time decides, so that rounding cannot.
        middle = (index + 0.5) / plan.fps
        frame = kitchen.copy()
        for step, setting in zip(plan.steps, settings, strict=True):
            if step.start <= middle < step.end:
                _act(frame, step, setting, middle - step.start)
        yield np.asarray(frame)


def _set(rng: np.random.Generator, home: tuple[float, float]) -> Setting:
    return Setting(
        x=home[0] + rng.uniform(-2, 2),
        y=home[1] + rng.uniform(-2, 2),
        scale=rng.uniform(0.88, 1.05),
        mirrored=bool(rng.random() < 0.5),
        period=rng.uniform(0.9, 1.3),
        phase=rng.uniform(0, 1),
    )


def _act(frame: Image.Image, step: Step, setting: Setting, seconds: float) -> None:
    stage = Stage(frame, x=setting.x, y=setting.y, scale=setting.scale, mirrored=setting.mirrored)
    phase = setting.phase + seconds / setting.period
    MOTIONS[step.action](stage, INGREDIENTS[step.ingredient], phase)


def _furnish(rng: np.random.Generator, size: int) -> Image.Image:
    """Draw a kitchen: a tiled or striped wall, a counter, and things that mean nothing."""
    unit = size / 64
    wall, counter = _pastel(rng), _pastel(rng)
    kitchen = Image.new("RGB", (size, size), wall)
    draw = ImageDraw.Draw(kitchen)
    joint = _shade(wall, rng.uniform(0.85, 1.1))
    gap = max(2.0, rng.uniform(6, 16) * unit)
    tilt = rng.uniform(-0.4, 0.4)
    lines = range(-math.ceil(size / gap), math.ceil(2 * size / gap))
    for index in lines:
        x = index * gap
        draw.line([(x, 0), (x + tilt * size, size)], fill=joint)
    if rng.random() < 0.5:
        for index in lines:
            draw.line([(0, index * gap), (size, index * gap)], fill=joint)
    top = rng.uniform(40, 54) * unit
    draw.rectangle([(0, top), (size, size)], fill=counter)
    draw.line([(0, top), (size, top)], fill=_shade(counter, 0.8))
    _place_props(rng, kitchen, unit)
    return kitchen


def _place_props(rng: np.random.Generator, kitchen: Image.Image, unit: float) -> None:
    """Put up to three things at the sides, where they hide nothing."""
    for _ in range(int(rng.integers(0, 4))):
        glyph = PROPS[int(rng.integers(len(PROPS)))]
        prop = emoji(glyph, rng.uniform(9, 14) * unit, mirrored=bool(rng.random() < 0.5))
        x = (rng.uniform(0, 8) if rng.random() < 0.5 else rng.uniform(56, 64)) * unit
        y = rng.uniform(4, 60) * unit
        kitchen.paste(prop, (round(x - prop.width / 2), round(y - prop.height / 2)), prop)


def _pastel(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(120, 246, 3))
    return red, green, blue


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (min(255, round(value * by)) for value in colour)
    return red, green, blue
