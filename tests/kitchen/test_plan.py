import pickle

import numpy as np
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import Narrator, Pair, plan_video
from vtlearn.kitchen.plan import plan_clip, plan_silent
from vtlearn.kitchen.script import write_script


def test_a_plan_is_a_function_of_where_it_stands() -> None:
    plans = [
        plan_video(seed, split, i) for seed in (0, 1) for split in ("train", "val") for i in (0, 1)
    ]
    again = [
        plan_video(seed, split, i) for seed in (0, 1) for split in ("train", "val") for i in (0, 1)
    ]
    assert plans == again
    assert len({str(plan.steps) for plan in plans}) == len(plans)
    assert pickle.loads(pickle.dumps(plans)) == plans  # noqa: S301 (our own bytes)


def test_another_narrator_leaves_the_pictures_as_they_are() -> None:
    one, two = plan_video(0, "train", 0), plan_video(0, "train", 0, narrator=Narrator(shift=0.0))
    assert one.lines != two.lines
    assert one._replace(lines=[]) == two._replace(lines=[])


def test_truth_and_transcript_tell_the_same() -> None:
    plan = plan_video(0, "test", 7)
    assert plan.id == "kitchen_test_0007"
    assert len(plan.truth.narrated) == len(plan.transcript["text"]) == len(plan.transcript["end"])
    assert plan.truth.steps == plan.steps


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(
        ArgumentError, match="no split 'validation'; choose one of train, val, test"
    ):
        plan_video(0, "validation", 0)


def test_a_clip_is_a_function_of_its_key() -> None:
    pair = Pair("chop", "carrot")
    one, again, other = (
        plan_clip("video7", pair, (0, key), split="validate", size=32, fps=4) for key in (7, 7, 8)
    )
    assert one == again
    assert (one.steps, one.scenery) != (other.steps, other.scenery)
    assert (one.id, one.split, one.size, one.fps) == ("video7", "validate", 32, 4)
    assert one.transcript["text"] == []
    assert [step.caption for step in one.steps] == ["chop carrot"]


def test_a_silent_video_shows_its_script() -> None:
    script = write_script(np.random.default_rng(0), fps=4, free=0.0, ingredients=24)
    one, other = (
        plan_silent("-7", script, (0, key), split="training", size=32, fps=4) for key in (7, 8)
    )
    assert (one.id, one.split, one.size, one.fps) == ("-7", "training", 32, 4)
    assert (one.duration, one.recipe, one.steps, one.lines) == (*script, [])
    assert one._replace(scenery=other.scenery) == other
    assert one.scenery != other.scenery
