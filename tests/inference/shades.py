"""A model that sees how bright windows are, and knows the words for it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tests.inference.models import CLIPS
from vtlearn.batch import Encoded
from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.heads import Head, InfoNCE
from vtlearn.inference import Model
from vtlearn.learner import VideoTextLearner

#: A grey level, by the word for it.
SHADES = {"dark": 30, "grey": 120, "bright": 220}


class SeenShades(VideoEncoder):
    """One of three directions, by the nearest shade."""

    dim, num_frames, size, reads_stored = 3, 2, 16, False

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        del frame_length  # all of it is one shade
        levels = frames.float().mean((1, 2, 3, 4))
        nearest = (levels[:, None] - torch.tensor([*SHADES.values()])).abs().argmin(1)
        return Encoded(torch.eye(3)[nearest])


class SpokenShades(TextEncoder):
    """The direction of the first shade that a text names; nothing, if it names none."""

    dim = 3

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        del max_words
        named = [[word for word in text.split() if word in SHADES] for text in texts]
        ids = [1 + [*SHADES].index(words[0]) if words else 0 for words in named]
        return Tokens(torch.tensor(ids)[:, None], torch.ones(len(ids), dtype=torch.int64))

    def forward(self, tokens: Tokens) -> Encoded:
        return Encoded(torch.cat([torch.zeros(1, 3), torch.eye(3)])[tokens.ids[:, 0]])


def shade_model(head: Head | None = None) -> Model:
    learner = VideoTextLearner(SeenShades(), SpokenShades(), head or InfoNCE())
    learner.clips = CLIPS
    return Model(learner, "shades")
