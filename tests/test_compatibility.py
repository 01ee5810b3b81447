from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vtlearn.batch import Encoded, EncodedBatch, Rows
from vtlearn.compatibility import (
    require_accepted,
    require_current,
    require_losses,
    require_one_width,
)
from vtlearn.encoders import Tokens
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import CachedFeatures, TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import Head, HeadOutput, InfoNCE, LossTerm


class OldEncoder(TinyVideo):
    """Written before clips had lengths of their own."""

    def forward(self, frames: Tensor) -> Encoded:  # type: ignore[override]
        return super().forward(frames)


class OldHead(InfoNCE):
    """Written when features came one by one."""

    def forward(self, video: Tensor, text: Tensor, grid: Tensor) -> HeadOutput:  # type: ignore[override]
        raise NotImplementedError


class OlderHead(InfoNCE):
    """Takes two arguments, but not these."""

    def forward(self, video: Tensor, text: Tensor) -> HeadOutput:  # type: ignore[override]
        raise NotImplementedError


class OldText(TinyText):
    """Reads as many words as it likes."""

    def tokenize(self, captions: Sequence[str]) -> Tokens:  # type: ignore[override]
        return super().tokenize(captions)


class Reader(Head):
    """Reads no pooled text."""

    needs = frozenset({"video_pooled"})

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        raise NotImplementedError


def test_parts_of_an_earlier_version_are_refused_by_name() -> None:
    require_current(InfoNCE(), TinyVideo(dim=4), TinyText(dim=4))
    with pytest.raises(ArgumentError, match=r"OldHead\.forward takes \(video.*\(batch, rows\) now"):
        require_current(OldHead(), TinyVideo(dim=4), TinyText(dim=4))
    with pytest.raises(ArgumentError, match=r"OldEncoder\.forward .* \(frames, frame_length\)"):
        require_current(InfoNCE(), OldEncoder(dim=4), None)

    with pytest.raises(ArgumentError, match=r"OlderHead\.forward takes \(video"):
        require_current(OlderHead(), TinyVideo(dim=4), None)
    with pytest.raises(ArgumentError, match=r"OldText\.tokenize .* \(texts, max_words\) now"):
        require_current(InfoNCE(), TinyVideo(dim=4), OldText(dim=4))


@pytest.mark.parametrize("terms", [{}, {"loss": LossTerm(torch.zeros(()))}], ids=["none", "scalar"])
def test_a_head_that_returns_no_losses_of_items_is_named(terms: dict[str, LossTerm]) -> None:
    require_losses(InfoNCE(), HeadOutput({"loss": LossTerm(torch.zeros(0))}, {}))
    with pytest.raises(ArgumentError, match=r"InfoNCE returned the terms .* one loss per own item"):
        require_losses(InfoNCE(), HeadOutput(terms, {}))


def test_a_head_that_returns_a_bare_loss_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"InfoNCE\.forward returned a Tensor, expected a Head"):
        require_losses(InfoNCE(), torch.zeros(3))


def test_vectors_that_are_compared_have_one_width() -> None:
    encoders = (TinyVideo(dim=4), TinyText(dim=8))
    with pytest.raises(ArgumentError, match=r"TinyVideo gives .*dim=4 .*TinyText of dim=8"):
        require_one_width(*encoders, InfoNCE())
    require_one_width(*encoders, Reader())
    require_one_width(encoders[0], None, InfoNCE())


def test_clips_that_an_encoder_does_not_take_are_refused() -> None:
    encoder = TinyVideo(num_frames=8, size=64)
    for frames in (1, 4, 8):
        require_accepted(encoder, frames, 64)
    with pytest.raises(
        ArgumentError, match=r"clips of 9 frames of size 64 .*TinyVideo was made for 8 .*input_dim"
    ):
        require_accepted(encoder, 9, 64)


def test_pictures_and_stored_vectors_are_told_apart() -> None:
    features = CachedFeatures(dim=8, input_dim=64, num_frames=8, heads=2)
    require_accepted(features, 8, 64, stored=True)
    require_accepted(features, 8, 64)
    with pytest.raises(ArgumentError, match=r"CachedFeatures takes stored .*init_args\.features"):
        require_accepted(features, 8, 64, stored=False)
    with pytest.raises(ArgumentError, match=r"TinyVideo takes pictures.*leave .*features out"):
        require_accepted(TinyVideo(num_frames=8, size=64), 8, 64, stored=True)
    with pytest.raises(
        ArgumentError, match=r"of width 32, .* takes vectors of width 64: .*dim=32$"
    ):
        require_accepted(features, 8, 32, stored=True)
    with pytest.raises(ArgumentError, match=r"of 9 frames .*made for 8 frames.*num_frames"):
        require_accepted(features, 9, 64, stored=True)
