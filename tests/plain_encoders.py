"""Encoders that treat each clip and each text by itself: without batch normalisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.encoders import TextEncoder, VideoEncoder
from vtlearn.encoders.base import Tokens

WIDTH = 3
WORDS = ["chop", "the", "carrot", "stir", "soup", "fry", "egg", "now"]


class PlainVideo(VideoEncoder):
    """Vectors of two frames through two layers; its tokens are a vector per frame."""

    dim, num_frames, size, reads_stored = 5, 2, WIDTH, True
    token_width, frame_vectors = 5, True

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(WIDTH, 6), nn.Tanh(), nn.Dropout(dropout))
        self.out = nn.Linear(6, self.dim)
        self.seen: list[int] = []

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        if torch.is_grad_enabled():
            self.seen.append(len(frames))
        hidden = self.out(self.layers(frames.to(self.out.weight)))
        if frame_length is None:
            frame_length = torch.full((len(frames),), frames.shape[1])
        return Encoded(hidden.mean(1), hidden[:, :, None], frame_length.to(frames.device))


class PlainText(TextEncoder):
    """The largest of each text's words, and of what it is padded with: up to the longest text.

    So a vector depends on the other texts, unless all are padded to ``words``.
    """

    dim = 5

    def __init__(self, dropout: float = 0.0, words: int = 1) -> None:
        super().__init__()
        self.least = words
        self.words = nn.Embedding(len(WORDS) + 1, 6)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(6, self.dim)

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        rows = [[1 + WORDS.index(word) for word in text.split()][:max_words] for text in texts]
        longest = max(self.least, *map(len, rows), 1)
        ids = [row + [0] * (longest - len(row)) for row in rows]
        return Tokens(
            torch.tensor(ids, dtype=torch.int64).view(len(rows), longest),
            torch.tensor([len(row) for row in rows], dtype=torch.int64),
        )

    def forward(self, tokens: Tokens) -> Encoded:
        return Encoded(self.out(self.dropout(self.words(tokens.ids).tanh()).amax(1)))
