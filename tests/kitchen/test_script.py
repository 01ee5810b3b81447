from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
import pytest

from vtlearn.kitchen.recipes import RECIPES
from vtlearn.kitchen.script import (
    Pair,
    Script,
    choose_pairs,
    required_pairs,
    schedule_steps,
    write_script,
    write_step,
)


def scripts(free: float, count: int = 200) -> list[Script]:
    return [
        write_script(np.random.default_rng(seed), fps=8, free=free, ingredients=24)
        for seed in range(count)
    ]


def is_edit(actions: Sequence[str], recipe: Sequence[str]) -> bool:
    """Whether leaving out and doubling steps of the recipe gives the actions."""
    if not recipe:
        return not actions
    if is_edit(actions, recipe[1:]):
        return True
    counts = [n for n in (1, 2) if list(actions[:n]) == [recipe[0]] * n]
    return any(is_edit(actions[n:], recipe[1:]) for n in counts)


@pytest.mark.parametrize("free", [0.0, 1.0])
def test_steps_follow_each_other_inside_the_video(free: float) -> None:
    for script in scripts(free):
        assert 6 <= len(script.steps) <= 10
        assert script.steps[0].start > 0
        assert script.steps[-1].end < script.duration
        assert all(3 <= step.end - step.start <= 5 for step in script.steps)
        assert all(one.end <= two.start for one, two in pairwise(script.steps))
        assert all(step.start * 8 == round(step.start * 8) for step in script.steps)


def test_recipes_are_followed_with_steps_left_out_and_done_twice() -> None:
    edited = 0
    for script in scripts(free=0.0):
        assert script.recipe is not None
        actions = tuple(step.action for step in script.steps)
        assert is_edit(actions, RECIPES[script.recipe])
        edited += actions != RECIPES[script.recipe]
    assert 60 < edited < 180


def test_a_step_done_twice_is_seen_to_end() -> None:
    doubled = [
        (one, two)
        for script in scripts(free=0.0)
        for one, two in pairwise(script.steps)
        if one[2:] == two[2:]
    ]
    assert len(doubled) > 20
    assert all(two.start - one.end >= 1 for one, two in doubled)


def test_ingredients_are_drawn_anew() -> None:
    by_recipe = sorted(
        (script.recipe or "", tuple(step.ingredient for step in script.steps))
        for script in scripts(free=0.0)
    )
    for _, group in groupby(by_recipe, key=lambda pair: pair[0]):
        drawn = [ingredients for _, ingredients in group]
        assert len(set(drawn)) == len(drawn)


def test_free_is_the_share_of_free_sequences() -> None:
    share = np.mean([script.recipe is None for script in scripts(free=0.3, count=1000)])
    assert share == pytest.approx(0.3, abs=0.05)


def test_some_stretches_are_empty() -> None:
    gaps = [two.start - one.end for script in scripts(1.0) for one, two in pairwise(script.steps)]
    assert 0.3 < np.mean(np.array(gaps) > 0) < 0.5


@pytest.mark.parametrize("free", [0.0, 1.0])
def test_required_pairs_are_shown(free: float) -> None:
    required = [Pair("chop", "corn"), Pair("chop", "fish"), Pair("bake", "crab")]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        script = write_script(rng, fps=8, free=free, ingredients=24, required=required)
        assert set(required) <= {step[2:] for step in script.steps}


def test_what_no_recipe_has_room_for_is_a_free_sequence() -> None:
    required = [Pair("pour", name) for name in ("corn", "fish", "crab", "kiwi", "pear", "lemon")]
    rng = np.random.default_rng(0)
    script = write_script(rng, fps=8, free=0.0, ingredients=24, required=required)
    assert script.recipe is None
    assert set(required) <= {step[2:] for step in script.steps}


@pytest.mark.parametrize(("videos", "pairs"), [(100, 192), (32, 192), (300, 192), (2, 12)])
def test_pairs_are_dealt_as_far_as_they_fit(videos: int, pairs: int) -> None:
    dealt = required_pairs(3, 24, videos)
    assert len(dealt) == videos
    assert len({pair for hand in dealt for pair in hand}) == pairs
    assert max(map(len, dealt)) <= 6


def test_a_clip_is_one_step_with_hardly_anything_around_it() -> None:
    clips = [
        write_step(np.random.default_rng(seed), Pair("bake", "crab"), fps=8) for seed in range(200)
    ]
    for clip in clips:
        (step,) = clip.steps
        assert (step.action, step.ingredient, clip.recipe) == ("bake", "crab", None)
        assert 0 <= step.start <= 0.5
        assert 0 <= clip.duration - step.end <= 0.5
        assert 3 <= step.end - step.start <= 5
        assert all(time * 8 == round(time * 8) for time in (step.start, step.end, clip.duration))
    assert len({clip.steps[0].start for clip in clips}) == 5


def test_actions_of_a_recipe_are_never_done_twice_to_the_same() -> None:
    for seed in range(50):
        pairs = choose_pairs(np.random.default_rng(seed), RECIPES["soup"], ingredients=2)
        assert tuple(pair.action for pair in pairs) == RECIPES["soup"]
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize(("share", "stretches"), [(0.0, 1), (1.0, 3)])
def test_background_is_as_long_and_as_frequent_as_asked(share: float, stretches: int) -> None:
    corn, pear = Pair("wash", "corn"), Pair("chop", "pear")
    for seed in range(50):
        script = schedule_steps(
            np.random.default_rng(seed),
            "soup",
            [corn, corn, pear, corn],  # two alike are never seen as one
            fps=8,
            background=(3.0, 9.0),
            share=share,
        )
        assert script.recipe == "soup"
        assert [step[2:] for step in script.steps] == [corn, corn, pear, corn]
        between = [after.start - step.end for step, after in pairwise(script.steps)]
        lengths = [seconds for seconds in between if seconds]
        assert len(lengths) == stretches
        lengths += [script.steps[0].start, script.duration - script.steps[-1].end]
        assert all(3 <= seconds <= 9 for seconds in lengths)
