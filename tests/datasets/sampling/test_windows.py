import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.datasets.sampling.windows import (
    FrameWindows,
    TimedWindows,
    VideoFrames,
    half_stride,
    overlapping_windows,
    second_windows,
)
from vtlearn.errors import ArgumentError
from vtlearn.media.features.spec import num_vectors


def test_windows_end_where_the_video_does() -> None:
    windows = TimedWindows([0.0, 5.5, 8.0, 10.0, 30.0], 10.2)
    assert windows.frame_lengths(1.0, 6, stored=True) == [6, 6, 3, 1, 1]
    assert windows.frame_lengths(2.0, 6, stored=False) == [6, 6, 5, 1, 1]
    short = TimedWindows([0.0, 9.0], 10.2, 3.0)
    assert short.frame_lengths(1.0, 6, stored=True) == [3, 2]
    assert short.frame_lengths(1.0, 2, stored=True) == [2, 2]
    assert short.frame_lengths(0.1, 6, stored=True) == [1, 1]
    assert (len(short), short[1], list(short[:1])) == (2, 9.0, [0.0])
    assert short[1:].frame_lengths(1.0, 6, stored=True) == [2]


@pytest.mark.parametrize("fps", [0.1, 1 / 3, 0.7, 1.0, 30.0])
def test_a_window_that_starts_on_a_vector_begins_with_it(fps: float) -> None:
    windows = TimedWindows([k / fps for k in range(120)], 120 / fps)
    lengths = windows.frame_lengths(fps, 4, stored=True)
    assert lengths == [min(4, 120 - k) for k in range(120)]


def test_a_second_is_its_own_vectors_and_a_clip_of_pictures() -> None:
    seconds = second_windows(2.5)
    assert seconds.frame_lengths(2.0, 8, stored=True) == [2, 2, 1]
    assert seconds.frame_lengths(2.0, 8, stored=False) == [8, 8, 8]
    assert seconds[1:].frame_lengths(2.0, 8, stored=False) == [8, 8]


@given(st.integers(1, 9000), st.integers(1, 40), st.integers(1, 40))
def test_overlapping_windows_cover_every_vector_and_stop_at_the_end(
    tenths: int, clip: int, stride: int
) -> None:
    duration, stride = tenths / 10, min(stride, clip)
    windows = overlapping_windows(duration, float(clip), float(stride))
    vectors = num_vectors(duration, 1.0)
    assert list(windows) == [float(stride * number) for number in range(len(windows))]
    lengths = windows.frame_lengths(1.0, clip, stored=True)
    spans = [range(int(first), int(first) + n) for first, n in zip(windows, lengths, strict=True)]
    assert set().union(*spans) == set(range(vectors))
    ends = [start + clip >= vectors for start in windows]
    assert ends == [False] * (len(windows) - 1) + [True]


def test_overlapping_windows_need_a_distance() -> None:
    with pytest.raises(ArgumentError, match="stride must be positive"):
        overlapping_windows(3.0, 4.0, 0.0)


def test_half_a_window_in_whole_seconds() -> None:
    assert [half_stride(seconds) for seconds in (32.0, 6.0, 5.0, 2.0, 0.5)] == [16, 3, 2, 1, 1]


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 12), st.sampled_from([25.0, 29.97]))
def test_frame_windows_begin_with_frames_and_fit(
    frames: int, num_frames: int, count: int, fps: float
) -> None:
    starts = FrameWindows(count).starts(VideoFrames(frames, fps, 0.5), num_frames)
    last = max(0, frames - num_frames)
    wanted = [number * last // max(1, count - 1) for number in range(count)]
    assert [(start - 0.5) * fps for start in starts] == pytest.approx(wanted, abs=1e-6)


def test_frame_windows_are_some() -> None:
    with pytest.raises(ArgumentError, match="count must be positive"):
        FrameWindows(0).starts(VideoFrames(25, 25.0), 8)
