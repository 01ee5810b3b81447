import pytest

from vtlearn.pseudolabel.filters import Dropped, normalize, why_dropped


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a man chops a carrot", None),
        ("", Dropped.EMPTY),
        ("... !", Dropped.EMPTY),
        ("a man", Dropped.SHORT),
        ("a man.", Dropped.SHORT),
        ("a man chops", None),
        ("very very very good", Dropped.LOOPING),
        ("very very good soup", None),
        ("A pan, a pan, a pan", Dropped.LOOPING),
        ("stir the egg stir the egg stir the egg", Dropped.LOOPING),
        ("stir the egg stir the egg stir the soup", None),
        ("in the hot pan in the hot pan in the hot pan", None),  # four words
        ("it's it's it's hot", Dropped.LOOPING),
    ],
)
def test_what_is_no_sentence_is_dropped(text: str, reason: Dropped | None) -> None:
    assert why_dropped(text) is reason


def test_a_sentence_has_one_line() -> None:
    assert normalize("\ta\n man \u2028 chops\r\n") == "a man chops"
