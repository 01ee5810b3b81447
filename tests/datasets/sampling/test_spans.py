from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtlearn.datasets.sampling import spans as sampling
from vtlearn.errors import ArgumentError

seconds = st.floats(0, 1e4)


def test_every_run_of_captions_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(sampling.sample_consecutive(10, 8, rng) for _ in range(3000))
    assert set(drawn) == {range(8), range(1, 9), range(2, 10)}
    assert min(drawn.values()) > 900


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 50), st.integers(1, 50))
def test_as_many_captions_are_taken_as_fit(count: int, num_clips: int) -> None:
    run = sampling.sample_consecutive(count, num_clips, np.random.default_rng(0))
    assert len(run) == min(count, num_clips)
    assert 0 <= run.start < run.stop <= count


@pytest.mark.parametrize(("count", "num_clips"), [(0, 8), (8, 0)])
def test_no_caption_is_an_error(count: int, num_clips: int) -> None:
    with pytest.raises(ArgumentError, match="must be positive"):
        sampling.sample_consecutive(count, num_clips, np.random.default_rng(0))


@settings(deadline=None)  # the machine may be busy
@given(seconds, st.floats(0, 100), st.floats(0.1, 10))
def test_a_clip_starts_where_it_fits(start: float, length: float, clip_seconds: float) -> None:
    end = start + length
    drawn = sampling.clip_start(start, end, clip_seconds, np.random.default_rng(0))
    assert start <= drawn <= max(start, end - clip_seconds)


def test_a_clip_starts_at_any_fraction_of_a_second() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([sampling.clip_start(10.3, 16.5, 3.2, rng) for _ in range(4000)])
    assert drawn.mean() == pytest.approx((10.3 + 13.3) / 2, abs=0.05)
    assert drawn.std() == pytest.approx(3 / 12**0.5, abs=0.05)
    assert sampling.clip_start(10.0, 12.0, 3.2) == 10.0


@given(seconds, st.floats(0, 100), st.integers(1, 40))
def test_moments_are_the_middles_of_equal_parts(start: float, length: float, count: int) -> None:
    edges = np.linspace(start, start + length, count + 1)
    middles = sampling.part_middles(start, start + length, count)
    assert middles == pytest.approx((edges[:-1] + edges[1:]) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("start", "end", "fps", "chosen"),
    [
        (1.4, 3.2, 1.0, range(1, 4)),
        (2.0, 4.0, 1.0, range(2, 4)),  # to the second: no vector of what follows
        (0.3, 0.6, 10.0, range(3, 6)),  # 0.3 * 10 is more than 3, and 0.6 * 10 less than 6
        (0.1 + 0.2, 0.7 - 0.1, 10.0, range(3, 6)),
        (3.5, 3.5, 1.0, range(3, 4)),  # a moment
        (3.0, 3.0, 1.0, range(3, 4)),
        (1.0, 3.0, 0.5, range(2)),  # each lasts two seconds
        (2.0, 8.0, 1.0, range(2, 7)),  # at most five
        (7.5, 12.0, 1.0, range(7, 9)),  # nine vectors in all
        (8.5, 8.9, 1.0, range(8, 9)),
        (30.0, 31.0, 1.0, range(8, 9)),  # after the end: the last one
        (-2.0, 0.5, 1.0, range(1)),
    ],
)
def test_stored_vectors_of_a_time(start: float, end: float, fps: float, chosen: range) -> None:
    assert sampling.stored_vectors(start, end, fps=fps, stored=9, most=5) == chosen


@given(seconds, st.floats(0, 100), st.sampled_from([0.5, 1.0, 4.0]), st.integers(1, 9999),
       st.integers(1, 40))  # fmt: skip
def test_stored_vectors_are_some_of_those_there_are(
    start: float, length: float, fps: float, stored: int, most: int
) -> None:
    chosen = sampling.stored_vectors(start, start + length, fps=fps, stored=stored, most=most)
    assert 1 <= len(chosen) <= most
    assert 0 <= chosen.start < chosen.stop <= stored


def whole_starts(start: float, end: float, clip_seconds: float) -> list[int]:
    """All starts of the released rule, second by second."""
    first = 0
    while first + 1 <= start:
        first += 1
    whole_end = 0
    while whole_end + 1 <= end:
        whole_end += 1
    fitting = [second for second in range(whole_end + 1) if second + clip_seconds <= whole_end]
    return [first, *(second for second in fitting if second > first)]


def test_whole_seconds_are_those_of_the_released_rule() -> None:
    rng = np.random.default_rng(0)
    for start, length in rng.uniform([0, 0], [9, 11], (40, 2)).round(1).tolist():
        for clip_seconds in (1.6, 3.2, 4.0):
            wanted = whole_starts(start, start + length, clip_seconds)
            draws = [
                sampling.clip_start(start, start + length, clip_seconds, rng, floor_seconds=True)
                for _ in range(40 * len(wanted))
            ]
            counts = Counter(draws)
            assert sorted(counts) == wanted
            assert min(counts.values()) > 10  # of 40 each
            middle = sampling.clip_start(start, start + length, clip_seconds, floor_seconds=True)
            assert middle == (wanted[0] + wanted[-1]) // 2


@pytest.mark.parametrize(("least", "clip_seconds"), [(0.0, 3.2), (5.0, 3.2)])
def test_whole_seconds_are_earlier(least: float, clip_seconds: float) -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 600, 20_000)  # of recognised speech: lines of one to seven seconds
    shifts = []
    for start, length in zip(starts, rng.gamma(6, 0.65, len(starts)).clip(1, 7), strict=True):
        begin, end = sampling.pad_span(start, start + length, least)
        whole = sampling.clip_start(begin, end, clip_seconds, rng, floor_seconds=True)
        shifts.append(sampling.clip_start(begin, end, clip_seconds, rng) - whole)
    assert 0.5 < np.mean(shifts) < 1.2


def test_a_moment_is_in_its_clip() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([sampling.moment_start(10.3, 3.2, rng) for _ in range(4000)])
    assert drawn.min() >= 10.3 - 3.2
    assert drawn.max() <= 10.3
    assert drawn.mean() == pytest.approx(10.3 - 1.6, abs=0.05)
    assert drawn.std() == pytest.approx(3.2 / 12**0.5, abs=0.05)
    early = [sampling.moment_start(1.0, 3.2, rng) for _ in range(200)]
    assert 0 <= min(early) < 0.1
    whole = {sampling.moment_start(10.3, 3.2, rng, floor_seconds=True) for _ in range(200)}
    assert whole == {7.0, 8.0, 9.0, 10.0}


@settings(deadline=None)  # the machine may be busy
@given(seconds, st.floats(0, 20), st.floats(0, 10))
def test_widened_captions_are_long_enough_and_in_the_video(
    start: float, length: float, least: float
) -> None:
    begin, end = sampling.pad_span(start, start + length, least)
    assert begin >= 0
    assert end - begin >= least - 1e-9
    assert begin <= start + 1e-9
    assert end >= start + length - 1e-9
    if begin > 0:
        assert start - begin == pytest.approx(end - start - length, abs=1e-6)


def grow_one_at_a_time(spans: list[tuple[float, float]], index: int, k: int) -> list[int]:
    """The same as nearest_captions, by measuring every window that could come next."""
    window = [index]
    added = [index]
    while len(window) < min(k, len(spans)):
        grown = [
            (spans[after[-1]][1] - spans[after[0]][0], -new, after, new)
            for new in (window[0] - 1, window[-1] + 1)
            if 0 <= new < len(spans)
            for after in [sorted([*window, new])]
        ]
        _, _, window, new = min(grown)
        added.append(new)
    return added + [index] * (k - len(added))


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
    st.integers(0, 11),
    st.integers(1, 14),
)
def test_nearest_captions_grow_the_shorter_way(
    steps: list[tuple[int, int]], index: int, k: int
) -> None:
    starts = np.cumsum([gap for gap, _ in steps])
    spans = [(float(s), float(s + length)) for s, (_, length) in zip(starts, steps, strict=True)]
    index %= len(spans)
    assert sampling.nearest_captions(spans, index, k) == grow_one_at_a_time(spans, index, k)


def test_nearest_captions_by_hand() -> None:
    spans = [(0.0, 1.0), (8.0, 9.0), (10.0, 11.0), (15.0, 16.0)]
    assert sampling.nearest_captions(spans, 0, 3) == [0, 1, 2]
    assert sampling.nearest_captions(spans, 3, 2) == [3, 2]
    assert sampling.nearest_captions(spans, 1, 6) == [1, 2, 3, 0, 1, 1]
    with pytest.raises(ArgumentError, match="no caption 4 among 4"):
        sampling.nearest_captions(spans, 4, 2)
    with pytest.raises(ArgumentError, match="k must be positive"):
        sampling.nearest_captions(spans, 0, 0)


def test_test_windows_are_those_of_the_published_evaluations() -> None:
    assert sampling.uniform_windows(10.0, 30.0, 3.2, 10) == pytest.approx(
        [10 + i * (20 - 3.6) / 9 for i in range(10)]
    )
    assert sampling.uniform_windows(10.0, 13.5, 3.2, 3) == [10.0] * 3
    assert sampling.uniform_windows(0.0, 10.0, 2.0, 1) == [0.0]
    with pytest.raises(ArgumentError, match="count must be positive"):
        sampling.uniform_windows(0.0, 1.0, 1.0, 0)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 50), st.integers(0, 500), st.integers(1, 100))
def test_windows_over_a_whole_video_fit_and_leave_no_room(
    tenths: int, duration: int, clip: int
) -> None:
    starts = sampling.sliding_windows(duration / 10, clip / 10, stride=tenths / 10)
    room = max(0, duration - clip)
    assert len(starts) == room // tenths + 1  # exact, in tenths of a second
    assert starts == pytest.approx([i * tenths / 10 for i in range(len(starts))])


@given(st.integers(1, 50), st.integers(1, 500))
def test_partial_windows_start_before_the_video_ends(tenths: int, duration: int) -> None:
    starts = sampling.sliding_windows(duration / 10, 99.0, stride=tenths / 10, partial=True)
    assert len(starts) == -(-duration // tenths)  # exact, in tenths of a second
    assert starts == pytest.approx([i * tenths / 10 for i in range(len(starts))])


def test_windows_need_a_distance() -> None:
    with pytest.raises(ArgumentError, match="stride must be positive"):
        sampling.sliding_windows(10.0, 1.0, stride=0.0)
    with pytest.raises(ArgumentError, match="cannot last nan s"):
        sampling.sliding_windows(float("nan"), 1.0, partial=True)
