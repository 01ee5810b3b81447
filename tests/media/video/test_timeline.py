from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.errors import ArgumentError
from vtlearn.media.video.timeline import (
    FrameSource,
    TimedFrame,
    TimeRange,
    frame_times,
    time_ranges,
)


class Reel(FrameSource[int]):
    """A film in memory, whose frames are their numbers."""

    def __init__(
        self,
        starts: Sequence[float],
        keyframes: Sequence[int] = (0,),
        lost: Sequence[int] = (),
        known: float = np.inf,
        drift: int = 0,
    ) -> None:
        super().__init__()
        self.keyframes = keyframes
        self.starts = starts
        self.known = known
        self.drift = drift  # keyframes by which a seek goes wrong
        self.lost = lost
        self.played = 0
        self.sought: list[float] = []

    def _from(self, first: int) -> Iterator[TimedFrame[int]]:
        loss = False
        for i, start in list(enumerate(self.starts))[first:]:
            self.played += 1
            if i not in self.lost:
                yield TimedFrame(i, start, self._end(i), loss)
            loss = i in self.lost
        self.cut_off = loss

    def _end(self, i: int) -> float:
        return self.starts[i + 1] if i + 1 < len(self.starts) else self.starts[i] + 1

    def restart(self) -> Iterator[TimedFrame[int]]:
        return self._from(0)

    def seek_keyframe(self, time: float) -> Iterator[TimedFrame[int]]:
        self.sought.append(time)
        earlier = [k for k, i in enumerate(self.keyframes) if self.starts[i] <= time] or [0]
        keyframe = min(max(earlier[-1] + self.drift, 0), len(self.keyframes) - 1)
        return self._from(self.keyframes[keyframe])

    def keyframe_before(self, time: float) -> float | None:
        found = [self.starts[i] for i in self.keyframes if self.starts[i] <= time]
        return found[-1] if found and found[-1] <= self.known else None

    def known_until(self) -> float:
        return self.known

    def empty(self) -> Exception:
        return LookupError("empty")


def shown(found: Sequence[TimeRange[int]]) -> list[tuple[int | None, bool]]:
    assert all(a.last == b.first and b.first < b.last for a, b in pairwise(found))
    return [(run.frame, run.valid) for run in found for _ in range(run.first, run.last)]


def brute_force(
    starts: Sequence[float], lost: Sequence[int], time: float, hold_last: bool
) -> tuple[int | None, bool]:
    there = [i for i, start in enumerate(starts) if start <= time]
    number = there[-1] if there else 0
    if number in lost:
        return None, False
    if time >= starts[-1] + 1 and not hold_last:
        return None, True
    return number, True


gaps = st.lists(st.sampled_from([0.1, 0.5, 1.0, 3.0, 20.0]), min_size=1, max_size=40)


@given(
    gaps,
    st.sets(st.integers(0, 39)),
    st.lists(st.floats(-5, 300), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([0.0, 15.0, np.inf]),
    st.sampled_from([-2, -1, 0, 1]),
)
def test_jumps_never_change_what_is_shown(
    gaps: list[float],
    keyframes: set[int],
    times: list[float],
    hold_last: bool,
    known: float,
    drift: int,
) -> None:
    starts = np.cumsum([0.0, *gaps]).tolist()
    keys = sorted({0} | {i for i in keyframes if i < len(starts)})
    reel = Reel(starts, keys, known=known, drift=drift)
    times = sorted(times)
    wanted = [brute_force(starts, (), time, hold_last) for time in times]
    assert shown(list(time_ranges(reel, times, hold_last=hold_last))) == wanted


@given(gaps, st.sets(st.integers(0, 39)), st.lists(st.floats(-5, 300), min_size=1))
def test_what_was_lost_is_not_known(gaps: list[float], lost: set[int], times: list[float]) -> None:
    starts = np.cumsum([0.0, *gaps]).tolist()
    gone = [i for i in lost if i < len(starts) - 1]  # the end: see the next test
    reel = Reel(starts, range(len(starts)), lost=gone)
    reel.can_seek = False
    times = sorted(times)
    wanted = [brute_force(starts, gone, time, True) for time in times]
    assert shown(list(time_ranges(reel, times, hold_last=True))) == wanted


@pytest.mark.parametrize("hold_last", [True, False])
def test_a_lost_end_is_not_replaced(hold_last: bool) -> None:
    found = time_ranges(Reel([0, 1, 2, 3], lost=[2, 3]), [1.5, 2.5, 3.5, 9.0], hold_last=hold_last)
    assert shown(list(found)) == [(1, True)] + [(None, False)] * 3


def test_an_empty_film_is_an_error() -> None:
    with pytest.raises(LookupError, match="empty"):
        list(time_ranges(Reel([]), [0.0], hold_last=True))


def test_no_time_is_no_run() -> None:
    assert list(time_ranges(Reel([]), [], hold_last=True)) == []


def test_a_jump_saves_the_way_and_a_short_way_is_played() -> None:
    starts = [i / 25 for i in range(5000)]
    reel = Reel(starts, range(0, 5000, 50))
    list(time_ranges(reel, [100.0, 100.9, 101.9, 150.0], hold_last=True))
    assert reel.sought == [100.0, 150.0]
    assert reel.played < 110


def test_a_film_that_jumps_back_is_not_trusted_again() -> None:
    reel = Reel([float(i) for i in range(300)], [0], known=0.0)
    list(time_ranges(reel, [10.0, 100.0, 200.0, 290.0], hold_last=True))
    assert reel.sought == [10.0]
    assert reel.played <= 300 + 2


def test_frame_times() -> None:
    times = frame_times(torch.tensor([1.5, 0.0]), 3, 10)
    np.testing.assert_allclose(times, [[1.5, 1.6, 1.7], [0, 0.1, 0.2]], atol=2e-6)
    assert (times > np.array([[1.5, 1.6, 1.7], [0, 0.1, 0.2]])).all()
    for starts in ([0.0, float("nan")], [float("inf")], [[0.0]]):
        with pytest.raises(ArgumentError, match="finite seconds, one a clip"):
            frame_times(starts, 3, 10)  # type: ignore[arg-type]
