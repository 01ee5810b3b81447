"""How each action looks: its tool, and what moves how.

Every motion is a function of a phase that grows by one in a cycle. A cycle takes about a second, so
that four frames a second still see it, and two seconds see it whole.
"""

import math
from collections.abc import Callable

from vtlearn.kitchen.stage import Stage

__all__: list[str] = []

# Draws on a stage, with the ingredient's emoji, the moment of a phase.
Motion = Callable[[Stage, str, float], None]

INK = (30, 30, 30)
WOOD, STEEL, IRON, WATER, MILK = (
    (196, 140, 84),
    (176, 184, 192),
    (62, 62, 70),
    (60, 140, 245),
    (255, 250, 225),
)


def _sine(phase: float) -> float:
    return math.sin(2 * math.pi * phase)


def chop(stage: Stage, food: str, phase: float) -> None:
    """A knife goes up and down along the food on a wooden board."""
    height = abs(math.cos(math.pi * phase))
    across = 7 * math.sin(0.4 * math.pi * phase)
    stage.slab(0, 14, (50, 12), WOOD, INK)
    stage.emoji(food, 0, 4, 32)
    stage.emoji("🔪", across, 2 - 24 * height, 30, 12 + 24 * height)


def stir(stage: Stage, food: str, phase: float) -> None:
    """A spoon circles in a pot, and the food turns with it."""
    stage.slab(0, 4, (62, 10), STEEL, INK)
    stage.disc(0, 4, (52, 50), STEEL, INK)
    stage.emoji(food, 0, 4, 30, -90 * phase)
    angle = 2 * math.pi * phase
    stage.emoji("🥄", 17 * math.cos(angle), 15 * math.sin(angle) - 8, 32, 200)


def fry(stage: Stage, food: str, phase: float) -> None:
    """A pan jerks, the food flies up, turns over and falls back."""
    height = abs(_sine(phase / 2))
    jerk = 4 * _sine(phase)
    stage.line((16 + jerk, 17), (38 + jerk, 10), 5, INK)
    stage.disc(jerk, 17, (46, 16), IRON, INK)
    stage.emoji(food, jerk / 2, 9 - 24 * height, 30, 180 * phase)


def pour(stage: Stage, food: str, phase: float) -> None:
    """A jug tilts over the food, and milk runs while it is tilted."""
    tilt = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    stage.disc(0, 17, (50, 18), (240, 240, 245), INK)
    stage.emoji(food, -4, 8, 30)
    if tilt > 0.4:
        stage.line((-1, -11), (-2, 12), 5 * tilt, MILK)
    stage.emoji("🫖", 12, -17 - 4 * tilt, 30, 62 * tilt - 10)


def season(stage: Stage, food: str, phase: float) -> None:
    """A salt cellar, upside down, is shaken from side to side, and grains fall."""
    shake = _sine(1.5 * phase)
    stage.disc(0, 17, (46, 14), (240, 240, 245), INK)
    stage.emoji(food, 0, 7, 32)
    for grain in range(10):
        fall = (phase * 1.3 + grain * 0.37) % 1
        x = 16 * math.sin(grain * 2.4)
        stage.disc(x, -12 + 32 * fall, (2.6, 2.6), (255, 255, 255), INK)
    stage.emoji("🧂", 9 * shake, -21, 20, 180 + 25 * shake)


def wash(stage: Stage, food: str, phase: float) -> None:
    """Water falls from a shower into a basin, and the food is rubbed from side to side."""
    stage.slab(0, 19, (54, 12), WATER, INK)
    stage.emoji(food, 9 * _sine(phase), 8, 30, 14 * _sine(phase))
    for drop in range(9):
        fall = (2 * phase + drop * 0.29) % 1
        x = -16 + 4 * drop
        stage.line((x, -16 + 36 * fall), (x, -9 + 36 * fall), 2, WATER)
    stage.slab(0, -22, (36, 5), STEEL, INK)
    stage.slab(12, -28, (5, 12), STEEL, INK)


def weigh(stage: Stage, food: str, phase: float) -> None:
    """The food sinks and rises on a kitchen scale, and the hand of its dial swings."""
    sink = _sine(phase)
    stage.slab(0, 21, (34, 22), (225, 70, 70), INK)
    stage.disc(0, 22, (19, 19), (255, 255, 255), INK)
    angle = 1.3 * sink
    stage.line((0, 22), (8 * math.sin(angle), 22 - 8 * math.cos(angle)), 2, INK)
    stage.line((0, 12), (0, 5 + 5 * sink), 4, INK)
    stage.slab(0, 6 + 5 * sink, (46, 5), STEEL, INK)
    stage.emoji(food, 0, -11 + 5 * sink, 31)


def bake(stage: Stage, food: str, phase: float) -> None:
    """The food swells in a glowing oven over flickering flames."""
    glow = 0.5 + 0.5 * _sine(phase / 2)
    stage.slab(0, 1, (58, 54), IRON, INK)
    stage.slab(0, 2, (48, 44), (150 + round(90 * glow), 60 + round(70 * glow), 20), INK)
    for index, x in enumerate((-15, 0, 15)):
        size = 14 + 5 * _sine(phase + index / 3)
        stage.emoji("🔥", x, 23 - size / 2, size)
    stage.emoji(food, 0, -2, 25 + 8 * glow)
    stage.line((-20, -27), (20, -27), 2, STEEL)


MOTIONS: dict[str, Motion] = {
    "chop": chop,
    "stir": stir,
    "fry": fry,
    "pour": pour,
    "season": season,
    "wash": wash,
    "weigh": weigh,
    "bake": bake,
}
