from pathlib import Path

import pytest

from vtlearn.datasets.kitchen import NarratedVideo
from vtlearn.datasets.kitchen_videos import (
    narration,
    plain_captions,
    step_items,
    step_text_ids,
    window_item,
)
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.datasets.sampling.windows import TimedWindows
from vtlearn.kitchen.truth import Step, VideoTruth
from vtlearn.media.captions import Caption


def video(duration: float = 12.5) -> NarratedVideo:
    steps = [Step(0.5, 2.5, "chop", "carrot"), Step(5.0, 12.0, "fry", "egg")]
    captions = [Caption(0.0, 2.0, "hello"), Caption(6.0, 9.0, "fry the egg")]
    truth = VideoTruth(duration, None, steps, [None, 1])
    return NarratedVideo("v", Path("v.mp4"), captions, truth)


def test_a_step_is_its_own_vectors_or_a_clip_from_its_middle() -> None:
    (first, second) = step_items([video()], clip_seconds=3.0, stored=True)
    assert (first.id, second.id) == ("v:0", "v:1")
    assert first.starts == UniformWindows(0.5, 2.5, 1)
    assert second.starts == UniformWindows(5.0, 12.0, 1)
    assert [one.starts for one in step_items([video()], 3.0, stored=False)] == [[0.0], [7.0]]
    assert not [*first.texts, *first.text_ids]


def test_plain_captions_are_those_of_the_steps_and_narration_is_all_that_is_said() -> None:
    assert plain_captions(video()) == {"v:0": "chop carrot", "v:1": "fry egg"}
    assert step_text_ids(video()) == list(plain_captions(video()))
    assert narration(video()) == {"v#0": "hello", "v#1": "fry the egg"}


@pytest.mark.parametrize(
    ("duration", "starts", "lengths"),
    [
        (12.5, [0, 2, 4, 6, 8, 10], [3, 3, 3, 3, 3, 3]),  # 13 vectors
        (12.0, [0, 2, 4, 6, 8, 10], [3, 3, 3, 3, 3, 2]),
        (11.0, [0, 2, 4, 6, 8], [3, 3, 3, 3, 3]),  # nothing starts at the last vector
        (3.0, [0], [3]),
        (1.5, [0], [2]),
        (0.5, [0], [1]),
    ],
)
def test_windows_of_stored_features(duration: float, starts: list[int], lengths: list[int]) -> None:
    windows = window_item(video(duration), clip_seconds=8.0, stored=True).starts
    assert isinstance(windows, TimedWindows)
    assert list(windows) == starts
    assert windows.frame_lengths(1.0, 8, stored=True) == lengths
    vectors = -int(-duration // 1)
    assert starts == list(range(0, max(1, vectors - 1), 2))


def test_windows_of_pixels_are_clips() -> None:
    item = window_item(video(), clip_seconds=4.0, stored=False)
    assert item.starts == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert window_item(video(3.0), 4.0, stored=False).starts == [0.0]
    assert item.id != "v"  # those of kitchen-alignment are others
