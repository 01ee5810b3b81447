"""What every encoder keeps, whatever it computes."""

import inspect

import pytest
import torch

import vtlearn.encoders.text as text_encoders
import vtlearn.encoders.video as video_encoders
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.encoders.text import TinyText, Word2Vec
from vtlearn.encoders.video import S3D, CachedFeatures, TinyVideo

CAPTIONS = ["chop the carrot", "stir the soup", "", "word never heard"]
VIDEO = [
    TinyVideo(dim=6, num_frames=4, size=32, width=4),
    S3D(dim=6, num_frames=4, size=32, width=0.1),
    CachedFeatures(dim=6, input_dim=10, num_frames=4, heads=2),
]


def text() -> list[TextEncoder]:
    encoders = [TinyText(dim=6, width=8, hidden=8), Word2Vec(dim=6, hidden=8, embedding_dim=4)]
    for encoder in encoders:
        encoder.build(CAPTIONS[:2] * 5)
    return encoders


def test_every_encoder_is_tried_here() -> None:
    def kinds(module: object, base: type) -> set[type]:
        return {
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, base)
        }

    assert {type(encoder) for encoder in VIDEO} == kinds(video_encoders, VideoEncoder)
    assert {type(encoder) for encoder in text()} == kinds(text_encoders, TextEncoder)


@pytest.mark.parametrize("encoder", VIDEO, ids=lambda encoder: type(encoder).__name__)
def test_a_clips_vector_does_not_depend_on_its_neighbours(encoder: VideoEncoder) -> None:
    frames = torch.randint(0, 256, (3, encoder.num_frames, 3, 32, 32), dtype=torch.uint8)
    if isinstance(encoder, CachedFeatures):
        frames = torch.randn(3, encoder.num_frames, encoder.size)
    encoder.eval()
    whole = encoder(frames).pooled
    assert whole.shape == (3, encoder.dim)
    torch.testing.assert_close(whole[1:2], encoder(frames[1:2]).pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", text(), ids=lambda encoder: type(encoder).__name__)
def test_a_captions_vector_does_not_depend_on_its_neighbours(encoder: TextEncoder) -> None:
    encoder.eval()
    assert not encoder.needs_vocabulary
    whole = encoder(encoder.tokenize(CAPTIONS)).pooled
    assert whole.shape == (4, encoder.dim)
    assert torch.isfinite(whole).all()
    alone = encoder(encoder.tokenize(CAPTIONS[1:2])).pooled
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-4, atol=1e-5)
