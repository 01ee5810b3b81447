import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.arguments import check_arguments


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"size": 14}, "size is 14; it must be 16 or more"),
        ({"size": 33}, "size is 33; H.264 wants an even number, such as 34"),
        ({"workers": 0}, "workers is 0; it must be 1 or more"),
        ({"ingredients": 0}, "ingredients is 0; it must be 1 or more"),
        ({"ingredients": 25}, "ingredients is 25; there are 1 to 24"),
        ({"pictures": 4}, "pictures is 4; it must be 5 or more"),
        ({"fps": 1}, "fps is 1; it must be 2 or more"),
    ],
)
def test_each_mistake_is_a_sentence(values: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check_arguments(values, {"pictures": 5, "fps": 2})
    assert str(caught.value) == message


def test_what_is_not_given_or_within_range_passes() -> None:
    check_arguments({"seed": 0, "size": 16, "workers": None, "layout": "x", "ingredients": 24})
