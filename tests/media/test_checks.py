import pytest

from vtlearn.errors import ArgumentError
from vtlearn.media.checks import require_inside, require_positive


@pytest.mark.parametrize(
    "box", [(-1, 0, 2, 2), (0, -1, 2, 2), (0, 0, 9, 2), (0, 9, 2, 2), (0, 0, 0, 2), (0, 0, 2, -1)]
)
def test_boxes_that_leave_the_picture_are_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ArgumentError, match="8 pixels high and 10 wide"):
        require_inside(box, 8, 10)


def test_boxes_inside_are_accepted() -> None:
    require_inside((0, 0, 8, 10), 8, 10)
    require_inside((7, 9, 1, 1), 8, 10)


@pytest.mark.parametrize("number", [0, -1, float("nan")])
def test_what_is_not_positive_is_refused_by_name(number: float) -> None:
    require_positive(fps=1e-9)
    with pytest.raises(ArgumentError, match="fps must be positive"):
        require_positive(size=1, fps=number)
