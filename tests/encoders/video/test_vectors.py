import pytest

from vtlearn.encoders.video import CachedFeatures, VideoCLIP
from vtlearn.encoders.video.vectors import VectorEncoder

SIZES = {"layers": 1, "heads": 2, "num_frames": 8, "input_dim": 4}


@pytest.mark.parametrize(
    "encoder",
    [
        CachedFeatures(dim=8, **SIZES),
        VideoCLIP(width=8, feedforward=8, vocab_size=200, **SIZES),  # type: ignore[arg-type]
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_clips_of_up_to_so_many_vectors_of_one_width_are_taken(encoder: VectorEncoder) -> None:
    assert encoder.reads_stored
    taken = [
        (frames, size) for frames in range(10) for size in (3, 4) if encoder.accepts(frames, size)
    ]
    assert taken == [(frames, 4) for frames in range(1, 9)]
