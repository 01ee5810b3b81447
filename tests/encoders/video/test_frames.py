import pytest
import torch

from vtlearn.encoders.video.frames import (
    check_frames,
    check_vectors,
    clip_lengths,
    mean_over_frames,
    zeroed,
)
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


@pytest.mark.parametrize("shape", [(2, 9, 7), (2, 8, 6), (8, 7), (2, 8, 3, 7, 7)])
def test_clips_of_other_vectors_are_refused(shape: tuple[int, ...]) -> None:
    check_vectors(torch.zeros(0, 1, 7), 8, 7, encoder="It")
    with pytest.raises(ArgumentError, match=r"; It takes \(clips, up to 8 frames, 7\) of stored"):
        check_vectors(torch.zeros(shape), 8, 7, encoder="It")


def test_padding_becomes_zeros_whatever_it_holds() -> None:
    x = torch.tensor([[[1.0], [float("nan")], [float("inf")]]])
    assert zeroed(x, torch.tensor([[False, True, True]])).flatten().tolist() == [1, 0, 0]
    assert zeroed(x, None) is x


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
