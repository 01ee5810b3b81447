import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.inference.retiming import NewTime, distance_cost, peak_centre, retime, standardize

Array = NDArray[np.float64]


def windows(count: int, seconds: float = 2.0) -> Array:
    starts = np.arange(float(count))
    return np.stack([starts, starts + seconds], 1)


def shown(count: int, *spans: tuple[int, int]) -> Array:
    """Similarities of captions each of which some windows match, from one up to another."""
    similarity = np.zeros((count, len(spans)))
    for caption, (first, last) in enumerate(spans):
        similarity[first:last, caption] = 1.0
    return similarity


def retime_slowly(
    similarity: Array, spans: Array, spoken: Array, spread: float, duration: float
) -> list[NewTime]:
    """Loops over numbers, from what the docstring says."""
    cells = [float(cell) for row in similarity for cell in row]
    mean = sum(cells) / len(cells)
    deviation = math.sqrt(sum((cell - mean) ** 2 for cell in cells) / len(cells))
    middles = [(min(start, duration) + min(end, duration)) / 2 for start, end in spans.tolist()]
    times = []
    for caption, (start, end) in enumerate(spoken.tolist()):
        column = [(cell - mean) / deviation for cell in similarity[:, caption].tolist()]
        away = [abs(middle - (start + end) / 2) for middle in middles]
        scores = [z - 0.5 * (d / spread) ** 2 for z, d in zip(column, away, strict=True)]
        best = max(range(len(scores)), key=scores.__getitem__)
        confidence = 1 / (1 + math.exp(-4 * (scores[best] - 1.3)))
        if scores[best] < 1.3:
            times.append(NewTime(start, end, False, confidence))
            continue
        floor = (column[best] + sum(column) / len(column)) / 2
        weights = {best: column[best] - floor}
        for step in (-1, 1):
            near = best + step
            while 0 <= near < len(column) and column[near] > floor:
                if abs(middles[near] - middles[best]) > 5:
                    break
                weights[near] = column[near] - floor
                near += step
        centre = sum(middles[n] * w for n, w in weights.items()) / sum(weights.values())
        begin = max(0.0, min(centre - (end - start) / 2, duration - (end - start)))
        times.append(NewTime(begin, begin + end - start, True, confidence))
    return times


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_loops_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, captions = int(rng.integers(2, 40)), int(rng.integers(1, 12))
    similarity = rng.standard_normal((count, captions)).cumsum(0)
    starts = rng.uniform(0, count, captions)
    spoken = np.stack([starts, starts + rng.uniform(0.5, 5, captions)], 1)
    arguments = similarity, windows(count), spoken
    duration, spread = count - 0.5, float(rng.uniform(2, 30))
    found = retime(*arguments, duration=duration, spread=spread)
    wanted = retime_slowly(*arguments, spread, duration)
    assert [one.matched for one in found] == [one.matched for one in wanted]
    np.testing.assert_allclose(np.array(found), np.array(wanted), atol=1e-9)


def test_a_caption_goes_to_what_it_tells_of_and_lasts_as_long() -> None:
    (new,) = retime(shown(30, (20, 24)), windows(30), np.array([[2.0, 5.0]]))
    assert new.matched
    assert (new.start, new.end) == (21.0, 24.0)  # the middles of the windows are 21 to 24
    assert new.confidence > 0.9


def test_what_matches_nothing_stays_exactly_where_it_is() -> None:
    similarity = shown(30, (20, 24), (0, 0))
    similarity[:, 1] = 0.01 * np.sin(np.arange(30))
    moved, stays = retime(similarity, windows(30), np.array([[2.0, 5.0], [7.123, 9.456]]))
    assert moved.matched
    assert (stays.start, stays.end, stays.matched) == (7.123, 9.456, False)
    assert stays.confidence < 0.5


def test_captions_may_change_their_order() -> None:
    new = retime(shown(20, (12, 15), (2, 5)), windows(20), np.array([[4.0, 6.0], [7.0, 9.0]]))
    assert [one.matched for one in new] == [True, True]
    assert new[0].start > new[1].start


def test_of_two_equal_peaks_the_near_one_is_taken() -> None:
    similarity = shown(40, (5, 8))
    similarity[30:33] = 1.0
    for said, start in ((8.0, 6.0), (27.0, 31.0)):
        (new,) = retime(similarity, windows(40), np.array([[said, said + 2]]))
        assert new.start == start


def test_far_from_its_time_a_caption_matches_only_without_a_spread() -> None:
    similarity, spoken = shown(100, (90, 93)), np.array([[2.0, 4.0]])
    (near,) = retime(similarity, windows(100), spoken, spread=15.0)
    (anywhere,) = retime(similarity, windows(100), spoken, spread=None)
    assert (near.start, near.matched) == (2.0, False)
    assert (anywhere.start, anywhere.matched) == (91.0, True)


def test_captions_stay_in_the_video() -> None:
    spoken = np.array([[5.0, 10.0], [5.0, 10.0], [5.0, 10.0]])
    first, last, long = retime(
        shown(15, (0, 1), (14, 15), (7, 8)),
        windows(15),
        np.concatenate([spoken[:2], [[0.0, 20.0]]]),
        duration=14.5,
    )
    assert all(one.matched for one in (first, last, long))
    assert (first.start, first.end) == (0.0, 5.0)
    assert (last.start, last.end) == (9.5, 14.5)
    assert (long.start, long.end) == (0.0, 20.0)  # longer than the video


def test_what_a_window_shows_past_the_end_does_not_count() -> None:
    (new,) = retime(shown(10, (9, 10)), windows(10), np.array([[3.0, 3.5]]), duration=9.5)
    assert new.start == 9.0  # 9.25 is the middle of what is left of it


@given(st.floats(1e-3, 1e3), st.floats(-100, 100), st.integers(0, 50))
def test_scores_may_be_of_any_size(scale: float, offset: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = rng.standard_normal((25, 6))
    spoken = np.stack([np.arange(6.0) * 4, np.arange(6.0) * 4 + 3], 1)
    plain = retime(similarity, windows(25), spoken)
    other = retime(similarity * scale + offset, windows(25), spoken)
    np.testing.assert_allclose(np.array(plain), np.array(other), rtol=1e-6, atol=1e-6)


def test_equal_scores_match_nothing() -> None:
    (new,) = retime(np.full((1, 1), 0.3), windows(1), np.array([[4.0, 5.0]]))
    assert not new.matched
    spoken = np.array([[4.0, 5.0], [1.0, 2.0]])
    assert [one.matched for one in retime(np.full((8, 2), 0.1), windows(8), spoken)] == [False] * 2
    assert standardize(np.full((8, 2), 0.1)).tolist() == [[0.0, 0.0]] * 8


def test_no_captions() -> None:
    assert retime(np.zeros((4, 0)), windows(4), np.zeros((0, 2))) == []


def test_an_hour_away_confidence_is_zero_without_a_warning() -> None:
    (new,) = retime(shown(10, (3, 5)), windows(10), np.array([[3600.0, 3602.0]]))
    assert new == NewTime(3600.0, 3602.0, False, 0.0)


def test_neighbours_move_a_caption_by_five_seconds_at_most() -> None:
    scores, middles = np.zeros(60), np.arange(60.0)
    scores[10:40] = 1.0
    assert peak_centre(scores, middles, 10) == 12.5
    assert peak_centre(scores, middles, 20) == 20.0


def test_a_peak_ends_at_a_gap() -> None:
    scores = np.array([0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 0.0])
    assert peak_centre(scores, np.arange(7.0), 3) == 3.5


def test_where_a_caption_is_below_its_own_mean_there_is_no_peak() -> None:
    assert peak_centre(np.array([0.0, 5.0, 5.0]), np.arange(3.0), 0) == 0.0


def test_distance_costs_half_a_deviation_at_the_spread() -> None:
    cost = distance_cost(np.array([0.0, 15.0, 30.0]), np.array([0.0]), 15.0)
    assert cost.tolist() == [[0.0], [0.5], [2.0]]


@pytest.mark.parametrize(
    ("shapes", "match"),
    [
        (((3, 2), (3, 2), (1, 2)), r"got the shapes \(3, 2\), \(3, 2\), \(1, 2\)"),
        (((3, 2), (2, 2), (2, 2)), "got the shapes"),
        (((3,), (3, 2), (2, 2)), "got the shapes"),
        (((0, 2), (0, 2), (2, 2)), "of one window or more"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: list[tuple[int, ...]], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        retime(*(np.zeros(shape) for shape in shapes))


def test_numbers_that_are_none_are_refused() -> None:
    similarity, spoken = shown(5, (2, 3)), np.array([[1.0, 2.0]])
    for times in ([1.0, np.inf], [np.nan, 2.0], [2.0, 1.0]):
        with pytest.raises(ArgumentError, match="at finite seconds, start first"):
            retime(similarity, windows(5), np.array([times]))
    with pytest.raises(EvaluationError, match="similarities are not finite"):
        retime(similarity * np.nan, windows(5), spoken)
    for spread in (0.0, -1.0, math.nan):
        with pytest.raises(ArgumentError, match="spread"):
            retime(similarity, windows(5), spoken, spread=spread)
