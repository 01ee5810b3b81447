import pytest
import torch

from vtlearn.encoders.video.frames import check_frames
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
