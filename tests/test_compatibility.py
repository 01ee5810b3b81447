import pytest
from torch import Tensor

from vtlearn.batch import Encoded, EncodedBatch, Rows
from vtlearn.compatibility import require_accepted, require_current, require_one_width
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import Head, HeadOutput, InfoNCE


class OldEncoder(TinyVideo):
    """Written before clips had lengths of their own."""

    def forward(self, frames: Tensor) -> Encoded:  # type: ignore[override]
        return super().forward(frames)


class OldHead(InfoNCE):
    """Written when features came one by one."""

    def forward(self, video: Tensor, text: Tensor, grid: Tensor) -> HeadOutput:  # type: ignore[override]
        raise NotImplementedError


class Reader(Head):
    """Reads no pooled text."""

    needs = frozenset({"video_pooled"})

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        raise NotImplementedError


def test_parts_of_an_earlier_version_are_refused_by_name() -> None:
    require_current(InfoNCE(), TinyVideo(dim=4))
    with pytest.raises(ArgumentError, match=r"OldHead\.forward takes \(video.*\(batch, rows\) now"):
        require_current(OldHead(), TinyVideo(dim=4))
    with pytest.raises(ArgumentError, match=r"OldEncoder\.forward .* \(frames, frame_length\)"):
        require_current(InfoNCE(), OldEncoder(dim=4))


def test_vectors_that_are_compared_have_one_width() -> None:
    encoders = (TinyVideo(dim=4), TinyText(dim=8))
    with pytest.raises(ArgumentError, match=r"TinyVideo gives .*dim=4 .*TinyText of dim=8"):
        require_one_width(*encoders, InfoNCE())
    require_one_width(*encoders, Reader())
    require_one_width(encoders[0], None, InfoNCE())


def test_clips_that_an_encoder_does_not_take_are_refused() -> None:
    encoder = TinyVideo(num_frames=8, size=64)
    require_accepted(encoder, 8, 64)
    with pytest.raises(
        ArgumentError, match=r"clips of 4 frames of 64 px, TinyVideo was made for 8"
    ):
        require_accepted(encoder, 4, 64)
