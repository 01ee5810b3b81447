import pytest

from vtlearn.datasets.sampling.windows import SecondWindows, TimedWindows


def test_windows_end_where_the_video_does() -> None:
    windows = TimedWindows([0.0, 5.5, 8.0, 10.0, 30.0], 10.2)
    assert windows.frame_lengths(1.0, 6, stored=True) == [6, 6, 3, 1, 1]
    assert windows.frame_lengths(2.0, 6, stored=False) == [6, 6, 5, 1, 1]
    short = TimedWindows([0.0, 9.0], 10.2, 3.0)
    assert short.frame_lengths(1.0, 6, stored=True) == [3, 2]
    assert short.frame_lengths(1.0, 2, stored=True) == [2, 2]
    assert short.frame_lengths(0.1, 6, stored=True) == [1, 1]
    assert (len(short), short[1], short[:1]) == (2, 9.0, [0.0])


@pytest.mark.parametrize("fps", [0.1, 1 / 3, 0.7, 1.0, 30.0])
def test_a_window_that_starts_on_a_vector_begins_with_it(fps: float) -> None:
    windows = TimedWindows([k / fps for k in range(120)], 120 / fps)
    lengths = windows.frame_lengths(fps, 4, stored=True)
    assert lengths == [min(4, 120 - k) for k in range(120)]


def test_a_second_is_its_own_vectors_and_a_clip_of_pictures() -> None:
    seconds = SecondWindows(2.5)
    assert seconds.frame_lengths(2.0, 8, stored=True) == [2, 2, 1]
    assert seconds.frame_lengths(2.0, 8, stored=False) == [8, 8, 8]
