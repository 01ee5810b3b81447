import pytest

from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.extent import captions_within


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        ((0.0, 1.9), None),
        ((0.0, 2.0), None),
        ((0.0, 3.0), (2.0, 3.0)),
        ((2.0, 10.0), (2.0, 10.0)),
        ((9.0, 14.0), (9.0, 10.0)),
        ((10.0, 11.0), None),
        ((12.0, 13.0), None),
        ((-3.0, 20.0), (2.0, 10.0)),
        ((5.0, 5.0), (5.0, 5.0)),
        ((2.0, 2.0), (2.0, 2.0)),
        ((1.0, 1.0), None),
        ((10.0, 10.0), None),
    ],
)
def test_only_what_is_said_while_something_is_shown_is_kept(
    span: tuple[float, float], kept: tuple[float, float] | None
) -> None:
    found = captions_within([Caption(*span, "stir")], 2.0, 10.0)
    assert found == ([] if kept is None else [Caption(*kept, "stir")])


def test_a_picture_is_shown_at_0() -> None:
    assert captions_within([Caption(0.0, 0.0, "a dog")], 0.0, 0.04) == [Caption(0.0, 0.0, "a dog")]
