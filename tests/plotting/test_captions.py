import numpy as np
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.plotting import CaptionedFrames, draw_captions


def frames(count: int) -> list[np.ndarray]:
    return [np.full((4, 6, 3), number, np.uint8) for number in range(count)]


def test_each_clip_has_a_row_of_frames_and_its_texts() -> None:
    clips = [
        CaptionedFrames("v:0", "a cook fries $5 eggs", "a person fries an egg", frames(2)),
        CaptionedFrames("v:1", "", "a person chops a fish", frames(20)),
    ]
    figure = draw_captions(clips, title="epoch 3")
    rows = np.array(figure.axes).reshape(2, 9)
    shown = [
        [int(axes.images[0].get_array()[0, 0, 0]) for axes in row if axes.images] for row in rows
    ]
    assert shown == [[0, 1], [1, 3, 6, 8, 11, 13, 16, 18]]
    texts = [[text.get_text() for text in row[-1].texts] for row in rows]
    assert texts[0] == [
        "v:0",
        "written: a cook fries $5 eggs",
        "reference: a person fries an egg",
    ]
    assert texts[1][1] == "written: (nothing)"
    assert figure.get_suptitle() == "epoch 3"


def test_without_pixels_there_are_texts_alone() -> None:
    figure = draw_captions([CaptionedFrames("v", "a " * 200, "b")])
    (axes,) = figure.axes
    assert axes.texts[1].get_text().count("\n") == 2


def test_nothing_to_draw() -> None:
    with pytest.raises(ArgumentError, match="no clips to draw"):
        draw_captions([])
