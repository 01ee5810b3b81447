from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.datasets.sampling.overlap import (
    OverlappingPair,
    OverlapSampling,
    draw_pairs,
    grow_captions,
    grow_seconds,
)
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import Caption

#: Six captions of 2 s and 5 words each.
SPANS = [(2.0 * number, 2.0 * number + 2) for number in range(6)]
WORDS = [5] * 6


class Coin:
    """A generator whose falls are known: "<" for before, ">" for after; no more than these."""

    def __init__(self, falls: str) -> None:
        self.falls: Iterator[str] = iter(falls)

    def random(self) -> float:
        return {"<": 0.1, ">": 0.9}[next(self.falls)]

    def is_used_up(self) -> bool:
        return next(self.falls, None) is None


def run(index: int, falls: str, budget: int, max_seconds: float = 256.0) -> range:
    coin = Coin(falls)
    grown = grow_captions(
        WORDS, SPANS, index, budget=budget, max_seconds=max_seconds, rng=cast(Any, coin)
    )
    assert coin.is_used_up()
    return grown


def test_a_caption_grows_until_it_has_its_words() -> None:
    assert run(2, "", budget=5) == range(2, 3)
    assert run(2, ">", budget=6) == range(2, 4)  # the last one brings more
    assert run(2, "<", budget=10) == range(1, 3)
    assert run(2, "><", budget=11) == range(1, 4)


def test_at_either_end_it_grows_on_the_other_side() -> None:
    assert run(0, "", budget=15) == range(3)  # no coin is needed
    assert run(5, "", budget=15) == range(3, 6)
    assert run(1, "<", budget=20) == range(4)
    assert run(4, ">", budget=20) == range(2, 6)
    assert run(3, "<<<", budget=99) == range(6)  # all that there is


def test_a_run_that_lasts_long_enough_grows_no_further() -> None:
    assert run(2, "<>", budget=99, max_seconds=6.0) == range(1, 4)
    assert run(2, "<>", budget=99, max_seconds=5.0) == range(1, 4)  # the last one may overshoot
    assert run(2, "", budget=99, max_seconds=2.0) == range(2, 3)
    spans = [(0.0, 60.0), (10.0, 12.0), (20.0, 22.0)]  # the first outlasts the others
    grown = grow_captions([1, 1, 1], spans, 1, budget=9, max_seconds=50.0, rng=cast(Any, Coin("<")))
    assert grown == range(2)


def window(centre: int, length: int, falls: str) -> range:
    coin = Coin(falls)
    grown = grow_seconds(centre, length, 10, cast(Any, coin))
    assert coin.is_used_up()
    return grown


def test_a_moment_grows_into_whole_seconds_of_the_video() -> None:
    assert window(5, 1, ">") == range(5, 6)
    assert window(5, 1, "<") == range(4, 5)
    assert window(5, 4, "<>><") == range(3, 7)
    assert window(0, 3, "") == range(3)
    assert window(1, 4, "<") == range(4)
    assert window(9, 3, ">") == range(7, 10)
    assert window(4, 99, "<<<<") == range(10)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(1, 60),
    st.integers(0, 999),
)
def test_pairs_are_sorted_and_inside_the_video(
    captions: list[tuple[int, int]], duration: int, seed: int
) -> None:
    said, start = [], 0.0
    for gap, length in captions:
        start += gap * 1.7
        said.append(Caption(start, start + length * 0.9, "one two three"))
    overlap = OverlapSampling(words=(2, 20), seconds=(2, 9), max_seconds=30.0)
    pairs = draw_pairs(said, duration, overlap, np.random.default_rng(seed))
    assert len(pairs) == 16
    places = [(c.start, s.start, c.stop, s.stop) for c, s in pairs]
    assert places == sorted(places)
    for run, seconds in pairs:
        assert 0 <= run.start < run.stop <= len(said)
        assert 3 * (len(run) - 1) < 20
        assert 0 <= seconds.start < seconds.stop <= duration
        assert min(2, duration) <= len(seconds) <= 9


def test_what_is_drawn_is_uniform() -> None:
    said = [Caption(10.0 * n, 10.0 * n + 9.5, "one") for n in range(10)]
    overlap = OverlapSampling(num_clips=4000, words=(1, 5), seconds=(3, 6))
    pairs = draw_pairs(said, 100, overlap, np.random.default_rng(0))
    lengths = Counter(len(run) for run, _ in pairs)
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert min(lengths.values()) > 700  # a word a caption, so the budget
    seconds = Counter(len(window) for _, window in pairs)
    assert set(seconds) == {3, 4, 5, 6}
    assert min(seconds.values()) > 900
    singles = [(run.start, window) for run, window in pairs if len(run) == 1]
    starts = Counter(start for start, _ in singles)
    assert set(starts) == set(range(10))
    assert min(starts.values()) > 40
    middles = [w.start + len(w) / 2 - 10 * start for start, w in singles if 0 < start < 9]
    assert np.mean(middles) == pytest.approx(5.0, abs=0.5)  # of the seconds 0 to 10, both included
    assert np.std(middles) == pytest.approx((10 + 4.5 / 4) ** 0.5, abs=0.4)


def test_a_caption_after_the_end_has_the_last_seconds() -> None:
    overlap = OverlapSampling(num_clips=8, seconds=(3, 3))
    late = [Caption(90.0, 95.0, "after the end")]
    pairs = draw_pairs(late, 10, overlap, np.random.default_rng(0))
    assert {window.start for _, window in pairs} <= {6, 7}
    assert {len(window) for _, window in pairs} == {3}


def test_the_same_generator_draws_the_same() -> None:
    said = [Caption(a, b, "one two") for a, b in SPANS]
    one, again, other = (
        draw_pairs(said, 14, OverlapSampling(), np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert one == again != other
    assert isinstance(one[0], OverlappingPair)
    assert all(a.captions.start <= b.captions.start for a, b in pairwise(one))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_clips": 0}, "num_clips must be positive"),
        ({"num_clips": 1.5}, r"overlap\.num_clips: expected an int, got 1\.5"),
        ({"words": (0, 4)}, r"overlap\.words: expected two ints from 1, .* got \(0, 4\)"),
        ({"words": (9, 4)}, r"overlap\.words"),
        ({"seconds": (3,)}, r"overlap\.seconds"),
        ({"seconds": (1.5, 4)}, r"overlap\.seconds"),
        ({"max_seconds": 0}, "max_seconds must be positive"),
    ],
)
def test_numbers_outside_their_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        OverlapSampling(**wrong)
    assert OverlapSampling(words=[1, 2]).words == (1, 2)  # type: ignore[arg-type]


def test_no_caption_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="captions must be positive"):
        draw_pairs([], 5, OverlapSampling(), np.random.default_rng(0))
