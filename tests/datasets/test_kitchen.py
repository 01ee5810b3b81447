from pathlib import Path

import pytest

from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.kitchen import (
    NarratedVideo,
    alignment_items,
    narrated_videos,
    retrieval_items,
)


@pytest.fixture
def videos(kitchen_root: Path) -> list[NarratedVideo]:
    return narrated_videos(kitchen_root, "test")


def starts(item: EvaluationItem) -> list[float]:
    assert isinstance(item.starts, list)
    return item.starts


def test_one_clip_for_each_pair_that_occurs(videos: list[NarratedVideo]) -> None:
    items = retrieval_items(videos, clip_seconds=2.0)
    shown = {step.caption for video in videos for step in video.truth.steps}
    assert [item.id for item in items] == sorted(shown)
    for item in items:
        video = next(video for video in videos if video.path == item.source)
        (start,) = starts(item)
        middle = start + 1.0
        inside = [step for step in video.truth.steps if step.start <= middle < step.end]
        assert [step.caption for step in inside] == [item.id] == list(item.texts)


def test_captions_are_those_that_tell_of_a_step(videos: list[NarratedVideo]) -> None:
    for video, item in zip(videos, alignment_items(videos, clip_seconds=2.0), strict=True):
        told = [number for number, step in enumerate(video.truth.narrated) if step is not None]
        assert [f"{video.id}#{number}" for number in told] == list(item.text_ids)
        assert list(item.texts) == [video.captions[number].text for number in told]
        assert item.text_spans == [
            (video.captions[number].start, video.captions[number].end) for number in told
        ]
        assert starts(item)[:2] == [0.0, 1.0]
        assert starts(item)[-1] + 2.0 <= video.truth.duration


def test_told_gives_the_steps_time(videos: list[NarratedVideo]) -> None:
    video = videos[0]
    for number, (start, end) in video.told().items():
        step = video.truth.narrated[number]
        assert step is not None
        assert (start, end) == (video.truth.steps[step].start, video.truth.steps[step].end)
