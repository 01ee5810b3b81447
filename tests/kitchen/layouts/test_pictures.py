import numpy as np
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus, references_of
from vtlearn.kitchen.layouts import KitchenMSVD, KitchenVATEX
from vtlearn.kitchen.layouts.pictures import PictureOptions, draw_pictures
from vtlearn.kitchen.renderer import render_frames

OPTIONS = PictureOptions(seed=0, train=100, per_step=4, captions=5, size=16, ingredients=24)


def test_a_picture_is_a_frame_of_a_step_and_its_captions_tell_of_that() -> None:
    for picture in draw_pictures(OPTIONS):
        middle = picture.plan.duration / 2
        (step,) = [step for step in picture.plan.steps if step.start <= middle < step.end]
        assert len(set(picture.captions)) == 5
        assert set(picture.captions) <= set(references_of(step))
        assert round(picture.plan.duration * picture.plan.fps) == 1


def test_all_actions_are_done_to_all_ingredients() -> None:
    told = {
        tuple(sorted(picture.captions)) for picture in draw_pictures(OPTIONS._replace(captions=10))
    }
    assert len(told) == 192


def test_fewer_captions_are_the_first_of_more() -> None:
    few, many = (draw_pictures(OPTIONS._replace(captions=count)) for count in (1, 10))
    assert [one.plan for one in few] == [one.plan for one in many]
    assert [one.captions for one in few] == [one.captions[:1] for one in many]
    assert len({one.captions[0].split()[0] for one in few}) > 3  # forms are drawn by chance


def test_no_picture_is_taken_twice() -> None:
    pictures = draw_pictures(OPTIONS._replace(train=1, per_step=24))
    starts = [one.plan.steps[0].start for one in pictures]
    assert len(set(starts)) == len(pictures)  # each at a time of its own
    assert len({one.url for one in pictures}) == len(pictures)


def test_the_kitchen_is_another_than_that_of_videos() -> None:
    sceneries = {one.plan.scenery for one in draw_pictures(OPTIONS)}
    others = [*KitchenCorpus().plans(), *KitchenVATEX().plans(), *KitchenMSVD().plans()]
    assert len(sceneries) == 100
    assert not sceneries & {plan.scenery for plan in others}
    again = {one.plan.scenery for one in draw_pictures(OPTIONS._replace(seed=1))}
    assert not sceneries & again


@pytest.mark.parametrize(("name", "most"), [("per_step", 24), ("captions", 10)])
def test_more_than_there_is_is_refused(name: str, most: int) -> None:
    few = OPTIONS._replace(train=1)
    assert len(draw_pictures(few._replace(**{name: most}))) > 0
    with pytest.raises(ArgumentError, match=f"{name} is {most + 1}; it must be {most} or less"):
        draw_pictures(few._replace(**{name: most + 1}))


def test_pictures_are_drawn_as_the_video_shows_them() -> None:
    (first, *_) = draw_pictures(OPTIONS._replace(train=1))
    (frame,) = render_frames(first.plan)
    assert frame.shape == (16, 16, 3)
    empty = first.plan._replace(steps=[step._replace(end=step.start) for step in first.plan.steps])
    assert not np.array_equal(frame, next(render_frames(empty)))  # something is being done
