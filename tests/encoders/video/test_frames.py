import pytest
import torch

from vtlearn.encoders.video.frames import check_frames, clip_lengths, mean_over_frames
from vtlearn.errors import ArgumentError


def test_clips_of_a_decoder_pass() -> None:
    check_frames(torch.zeros(0, 1, 3, 7, 5, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 8, 3, 4, 4), torch.float32),
        ((8, 3, 4, 4), torch.uint8),
        ((2, 3, 8, 4, 4), torch.uint8),
    ],
)
def test_anything_else_is_refused(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    with pytest.raises(ArgumentError, match=r"of torch\.uint8 and scales them itself"):
        check_frames(torch.zeros(shape, dtype=dtype))


FRAMES = torch.zeros(3, 4, 7)


def test_all_frames_count_where_nothing_is_said() -> None:
    length, whole = clip_lengths(FRAMES, None)
    assert length.tolist() == [4, 4, 4]
    assert length.dtype == torch.int64
    assert whole


@pytest.mark.parametrize(("lengths", "expected"), [([4, 4, 4], True), ([4, 1, 3], False)])
def test_lengths_are_compared_with_the_frames(lengths: list[int], expected: bool) -> None:
    length, whole = clip_lengths(FRAMES, torch.tensor(lengths, dtype=torch.int32))
    assert length.tolist() == lengths
    assert length.dtype == torch.int64
    assert whole == expected


def test_no_clips_are_whole() -> None:
    length, whole = clip_lengths(FRAMES[:0], torch.empty(0, dtype=torch.int64))
    assert length.shape == (0,)
    assert whole


@pytest.mark.parametrize("lengths", [[4, 4], [4, 4, 5], [0, 4, 4]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ArgumentError, match="for 3 clips of 4 frames: give one number per clip"):
        clip_lengths(FRAMES, torch.tensor(lengths))


def test_the_mean_is_over_frames_that_count() -> None:
    x = torch.arange(24.0).reshape(2, 4, 3)
    x[1, 2:] = 0
    assert torch.equal(mean_over_frames(x, None), x.mean(1))
    mean = mean_over_frames(x, torch.tensor([4, 2]))
    torch.testing.assert_close(mean, torch.stack([x[0].mean(0), x[1, :2].mean(0)]))
