"""What happens in one video: which steps, of which recipe, and when.

Times are whole frames, so that the ground truth is exact to the frame.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS, RECIPES
from vtlearn.kitchen.truth import Step

__all__ = ["Pair", "choose_pairs", "schedule_steps", "write_script"]

FEWEST_STEPS, MOST_STEPS = 6, 10
STEP_SECONDS = (3.0, 5.0)
BACKGROUND_SECONDS = (1.0, 4.0)
TRIMMED_SECONDS = (0.0, 0.5)  # of the empty kitchen at either end of a clip of one step
# How often something of a recipe is left out, or done twice, and how often nothing happens between.
OMITTED, REPEATED, BACKGROUND = 0.1, 0.1, 0.4


class Pair(NamedTuple):
    """An action and what it is done to."""

    action: str
    ingredient: str


class Script(NamedTuple):
    """The content of one video.

    Attributes:
        duration: Seconds.
        recipe: The recipe's name, or None for a free sequence.
        steps: What is shown, in time order.
    """

    duration: float
    recipe: str | None
    steps: list[Step]


def required_pairs(seed: int, ingredients: int, videos: int) -> list[list[Pair]]:
    """Deal all pairs of an action and an ingredient to videos, so that together they show each one.

    Args:
        seed: Where the order of the ingredients comes from.
        ingredients: How many ingredients there are.
        videos: How many videos share the pairs; no video is given more than it has steps for, so
            that a small number of them shows only some pairs.

    Returns:
        The pairs that each of the videos must show.

    Example:
        >>> dealt = required_pairs(0, 24, 100)
        >>> len({pair for pairs in dealt for pair in pairs})
        192
    """
    rng = np.random.default_rng([seed, len(ACTIONS)])
    names = [list(INGREDIENTS)[index] for index in rng.permutation(ingredients)]
    pairs = [Pair(action, name) for name in names for action in ACTIONS]
    # Runs of pairs, not every n-th: eight in a row have eight actions, which recipes have room for.
    bounds = np.linspace(0, len(pairs), videos + 1).round().astype(int).tolist()
    return [pairs[start:end][:FEWEST_STEPS] for start, end in pairwise(bounds)]


def write_script(
    rng: np.random.Generator,
    *,
    fps: int,
    free: float,
    ingredients: int,
    required: Sequence[Pair] = (),
) -> Script:
    """Invent a video.

    Args:
        rng: Where chance comes from.
        fps: Frames a second; times are multiples of a frame.
        free: The probability of a free sequence of actions instead of a recipe's.
        ingredients: How many of the ingredients may occur.
        required: Pairs that must occur, at most six. Where no recipe has room for them, the video
            is a free sequence.

    Returns:
        The script.

    Example:
        >>> script = write_script(np.random.default_rng(0), fps=8, free=1.0, ingredients=24)
        >>> script.recipe is None, 6 <= len(script.steps) <= 10
        (True, True)
    """
    needed = Counter(pair.action for pair in required)
    fitting = [name for name, actions in RECIPES.items() if needed <= Counter(actions)]
    wants_recipe, which = rng.random() >= free, rng.random()
    recipe = fitting[int(which * len(fitting))] if fitting and wants_recipe else None
    actions = _free_actions(rng, needed) if recipe is None else list(RECIPES[recipe])
    pairs = choose_pairs(rng, actions, ingredients, required)
    if recipe is not None:
        pairs = _vary(rng, pairs, set(required))
    return schedule_steps(rng, recipe, pairs, fps=fps)


def write_step(rng: np.random.Generator, pair: Pair, *, fps: int) -> Script:
    """Invent a clip that shows one step, and hardly anything before and after it.

    Args:
        rng: Where chance comes from.
        pair: What is done, and to what.
        fps: Frames per second; times are multiples of a frame.

    Returns:
        The script.

    Example:
        >>> write_step(np.random.default_rng(0), Pair("chop", "carrot"), fps=8).steps
        [Step(start=0.375, end=3.875, action='chop', ingredient='carrot')]
    """
    start = round(rng.uniform(*TRIMMED_SECONDS) * fps)
    end = start + _frames(rng, STEP_SECONDS, fps)
    duration = end + round(rng.uniform(*TRIMMED_SECONDS) * fps)
    return Script(duration / fps, None, [Step(start / fps, end / fps, *pair)])


def _free_actions(rng: np.random.Generator, needed: Counter[str]) -> list[str]:
    count = max(int(rng.integers(FEWEST_STEPS, MOST_STEPS + 1)), needed.total())
    drawn = rng.choice(ACTIONS, size=count - needed.total()).tolist()
    return [str(action) for action in rng.permutation([*needed.elements(), *drawn])]


def choose_pairs(
    rng: np.random.Generator,
    actions: Sequence[str],
    ingredients: int,
    required: Sequence[Pair] = (),
) -> list[Pair]:
    """Give each action something to work on: the required first, the rest never twice alike.

    Args:
        rng: Where chance comes from.
        actions: What is done.
        ingredients: How many of the ingredients may occur; where there are fewer than an action
            has occurrences, pairs do occur twice.
        required: Pairs that must occur, where their actions do.

    Returns:
        A pair for each action, in the same order.

    Example:
        >>> pairs = choose_pairs(np.random.default_rng(0), ["stir", "fry", "stir"], ingredients=2)
        >>> sorted(pair.ingredient for pair in pairs if pair.action == "stir")
        ['carrot', 'tomato']
    """
    waiting = list(required)
    taken = set(required)
    pairs = []
    for action in actions:
        pair = next((pair for pair in waiting if pair.action == action), None)
        if pair is not None:
            waiting.remove(pair)
        else:
            pair = _fresh_pair(rng, action, ingredients, taken)
        taken.add(pair)
        pairs.append(pair)
    return pairs


def _fresh_pair(rng: np.random.Generator, action: str, ingredients: int, taken: set[Pair]) -> Pair:
    every = [Pair(action, name) for name in list(INGREDIENTS)[:ingredients]]
    fresh = [pair for pair in every if pair not in taken] or every
    return fresh[int(rng.integers(len(fresh)))]


def _vary(rng: np.random.Generator, pairs: Sequence[Pair], required: set[Pair]) -> list[Pair]:
    """Leave steps out and do steps twice, as cooks do, within the allowed number of steps."""
    varied: list[Pair] = []
    spare = len(pairs) - FEWEST_STEPS
    room = MOST_STEPS - len(pairs)
    for pair in pairs:
        chance = rng.random()
        if chance < OMITTED and spare and pair not in required:
            spare -= 1
            continue
        varied.append(pair)
        if chance > 1 - REPEATED and room:
            room -= 1
            varied.append(pair)
    return varied


def schedule_steps(
    rng: np.random.Generator,
    recipe: str | None,
    pairs: Sequence[Pair],
    *,
    fps: int,
    background: tuple[float, float] = BACKGROUND_SECONDS,
    share: float = BACKGROUND,
) -> Script:
    """Put steps on the clock, with stretches of an empty kitchen between some of them.

    Args:
        rng: Where chance comes from.
        recipe: The recipe's name, or None for a free sequence.
        pairs: What is done, in temporal order.
        fps: Frames per second; times are multiples of a frame.
        background: The shortest and the longest stretch of an empty kitchen, in seconds. There is
            one at either end.
        share: The probability of one between two steps; it is 1 between two that are alike.

    Returns:
        The script.

    Example:
        >>> pairs = [Pair("wash", "corn"), Pair("chop", "corn")]
        >>> script = schedule_steps(np.random.default_rng(0), "soup", pairs, fps=8, share=1.0)
        >>> len(script.steps), script.steps[0].end < script.steps[1].start
        (2, True)
    """
    clock = _frames(rng, background, fps)
    steps: list[Step] = []
    for pair in pairs:
        # A step done twice is seen to end before it is done again.
        again = bool(steps) and steps[-1][2:] == pair
        if steps and (rng.random() < share or again):
            clock += _frames(rng, background, fps)
        end = clock + _frames(rng, STEP_SECONDS, fps)
        steps.append(Step(clock / fps, end / fps, pair.action, pair.ingredient))
        clock = end
    clock += _frames(rng, background, fps)
    return Script(clock / fps, recipe, steps)


def _frames(rng: np.random.Generator, seconds: tuple[float, float], fps: int) -> int:
    return max(1, round(rng.uniform(*seconds) * fps))
