import numpy as np
import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.media.video.framing import Orientation, centre_square, crop_boxes, require_inside

ALL = [Orientation(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)]


def place_pixels(matrix: list[int], picture: np.ndarray) -> np.ndarray:
    """Move each pixel to where a display matrix puts it, one by one."""
    a, b, _, c, d = matrix
    moved = {
        (b * x + d * y, a * x + c * y): picture[y, x]
        for y in range(picture.shape[0])
        for x in range(picture.shape[1])
    }
    rows, columns = (sorted({place[axis] for place in moved}) for axis in (0, 1))
    return np.array([[moved[row, column] for column in columns] for row in rows])


@pytest.mark.parametrize(
    "matrix",
    [[s, 0, 0, 0, t] for s in (1, -1) for t in (1, -1)]
    + [[0, s, 0, t, 0] for s in (1, -1) for t in (1, -1)],
)
def test_a_display_matrix_moves_each_pixel(matrix: list[int]) -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    orientation = Orientation.read((np.array(matrix, np.int32) * 65536).tobytes())
    np.testing.assert_array_equal(orientation.lay(picture), place_pixels(matrix, picture))


def test_no_matrix_and_a_slight_turn_leave_the_picture() -> None:
    assert Orientation.read(None) == Orientation()
    assert (
        Orientation.read(np.array([65000, 8000, 0, -8000, 65000], np.int32).tobytes())
        == Orientation()
    )


@pytest.mark.parametrize("orientation", ALL)
def test_a_box_of_the_upright_picture_is_found_in_the_decoded_one(
    orientation: Orientation,
) -> None:
    picture = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    upright = orientation.lay(picture)
    assert orientation.upright_size(7, 9) == upright.shape
    top, left, height, width = orientation.decoded_box((1, 2, 4, 3), 7, 9)
    part = picture[top : top + height, left : left + width]
    np.testing.assert_array_equal(orientation.lay(part), upright[1:5, 2:5])


def test_the_centre_square() -> None:
    assert centre_square(10, 4) == (3, 0, 4, 4)
    assert centre_square(5, 8) == (0, 1, 5, 5)


def test_boxes_are_given_for_every_clip() -> None:
    assert crop_boxes("center", 3) == [None] * 3
    assert crop_boxes(torch.tensor([[1, 2, 3, 4]]), 1) == [(1, 2, 3, 4)]
    for crop in ("middle", [(1, 2, 3, 4)], [(1.5, 2, 3, 4), (1, 2, 3, 4)]):
        with pytest.raises(ArgumentError, match="for each of 2 clips"):
            crop_boxes(crop, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "box", [(-1, 0, 2, 2), (0, -1, 2, 2), (0, 0, 9, 2), (0, 9, 2, 2), (0, 0, 0, 2), (0, 0, 2, -1)]
)
def test_boxes_that_leave_the_picture_are_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ArgumentError, match="8 pixels high and 10 wide"):
        require_inside(box, 8, 10)


def test_boxes_inside_are_accepted() -> None:
    require_inside((0, 0, 8, 10), 8, 10)
    require_inside((7, 9, 1, 1), 8, 10)
