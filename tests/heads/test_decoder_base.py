from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.video import CachedFeatures, TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import Decoder


class Letters(Decoder):
    """Spells texts by the letters that a clip likes."""

    made = 0

    def make_layers(self, video_encoder: VideoEncoder) -> None:
        self.made += 1
        self.fc = nn.Linear(video_encoder.token_width or 0, 26)

    def has_words(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([bool(text) for text in texts])

    def losses(
        self,
        texts: Sequence[str],
        tokens: Tensor,
        token_length: Tensor | None = None,
        masked: bool = False,
        rng: Sequence[np.random.Generator] | None = None,
    ) -> Tensor:
        del token_length, masked, rng
        return -self.log_likelihood(tokens, texts).diagonal()

    def log_likelihood(
        self, tokens: Tensor, texts: Sequence[str], token_length: Tensor | None = None
    ) -> Tensor:
        del token_length
        letters = self.fc(tokens.mean((1, 2))).log_softmax(-1)
        rows = [letters[:, [ord(letter) - 97 for letter in text]].mean(1) for text in texts]
        return torch.stack(rows, 1)

    def generate(
        self,
        tokens: Tensor,
        token_length: Tensor | None = None,
        *,
        beams: int = 5,
        length_penalty: float = 1.0,
        max_new: int = 30,
    ) -> list[str]:
        del token_length, beams, length_penalty
        best = self.fc(tokens.mean((1, 2))).argmax(-1).tolist()
        return [chr(97 + letter) * max_new for letter in best]


class WithoutTokens(TinyVideo):
    def __init__(self) -> None:
        super().__init__()
        self.token_width: int | None = None


def test_layers_are_made_once() -> None:
    decoder = Letters()
    decoder.connect(TinyVideo(width=4))
    fc = decoder.fc
    decoder.connect(CachedFeatures(dim=32, heads=4, layers=0))  # of the same width
    assert decoder.fc is fc
    assert decoder.made == 1
    assert decoder.losses(["ab", "c"], torch.randn(2, 3, 1, 32)).shape == (2,)


def test_it_has_no_vocabulary_to_make_unless_it_says_so() -> None:
    decoder = Letters()
    assert not decoder.needs_vocabulary
    decoder.build(["chop"])


def test_tokens_of_another_width_are_refused() -> None:
    decoder = Letters()
    decoder.connect(TinyVideo(width=4))
    with pytest.raises(ArgumentError, match="of width 32, and cannot be to ones of 64"):
        decoder.connect(TinyVideo(width=8))


def test_an_encoder_without_tokens_is_refused_by_name() -> None:
    with pytest.raises(ArgumentError, match="Letters reads video tokens, and WithoutTokens gives"):
        Letters().connect(WithoutTokens())
