import pytest

from vtlearn.checks import (
    allowed_count,
    require_choice,
    require_divides,
    require_not_negative,
    require_positive,
    require_share,
)
from vtlearn.errors import ArgumentError


@pytest.mark.parametrize("number", [0, -1, float("nan")])
def test_what_is_not_positive_is_refused_by_name(number: float) -> None:
    require_positive(fps=1e-9)
    with pytest.raises(ArgumentError, match="fps must be positive"):
        require_positive(size=1, fps=number)


@pytest.mark.parametrize("number", [-1e-9, float("nan")])
def test_what_is_negative_is_refused_by_name(number: float) -> None:
    require_not_negative(steps=0)
    with pytest.raises(ArgumentError, match="steps must be 0 or more, but is"):
        require_not_negative(size=1, steps=number)


def test_what_is_no_share_is_refused_by_name() -> None:
    require_share(flip=0, dropout=1)
    for number in (-0.1, 1.1, float("nan")):
        with pytest.raises(ArgumentError, match=f"^dropout={number} has to be from 0 to 1$"):
            require_share(flip=0.5, dropout=number)


@pytest.mark.parametrize(
    ("share", "total", "allowed"),
    [
        (0.01, 300, 3),
        (0.01, 299, 2),
        (0.01, 20, 1),  # less than one of them
        (0.29, 100, 29),  # a product of floats that is below 29
        (1.0, 7, 7),
        (0.0, 7, 0),
    ],
)
def test_a_share_above_zero_allows_at_least_one(share: float, total: int, allowed: int) -> None:
    assert allowed_count(share, total) == allowed


def test_what_is_left_over_is_refused_by_both_names() -> None:
    require_divides(heads=4, width=8)
    with pytest.raises(ArgumentError, match=r"^heads=12 has to divide width=32$"):
        require_divides(heads=12, width=32)


def test_a_word_that_is_not_known_is_refused_by_name() -> None:
    require_choice(("dtw", "otam"), metric="otam")
    with pytest.raises(ArgumentError, match=r"^shape: expected one of dtw, otam, got 'round'$"):
        require_choice(("dtw", "otam"), metric="dtw", shape="round")
