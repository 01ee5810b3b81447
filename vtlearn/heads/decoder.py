"""A small decoder: transformer layers over subwords of its own, which read a clip's tokens.

``decoder_base`` says what every decoder promises.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from vtlearn.checks import require_divides, require_positive, require_share
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.text.table import resized
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads.beam_search import Found, beam_search
from vtlearn.heads.decoder_base import Decoder, at_rest, require_search
from vtlearn.heads.decoder_layers import DecoderLayer, KeysValues
from vtlearn.heads.lines import (
    NOT_ASKED,
    Line,
    in_blocks,
    mean_cross_entropy,
    next_pieces,
    require_words,
    side_by_side,
    wide,
)
from vtlearn.heads.masking import mask_words
from vtlearn.padding import valid
from vtlearn.subwords import Subwords, subwords_from_state, subwords_to_state

__all__ = ["Decoder", "TextDecoder"]

_PADDING, _UNKNOWN = 0, 1
_INITIAL_SCALE = 0.02  # of embeddings: as outputs, larger ones would be sure of themselves at once


class _Memory(NamedTuple):
    """What layers read of clips.

    Attributes:
        layers: Keys and values for each layer.
        counted: Which entries of each clip count, (clips, 1, 1, entries), bool.
    """

    layers: list[KeysValues]
    counted: Tensor

    def of_clips(self, clips: slice) -> Self:
        return self._replace(
            layers=[KeysValues(*(x[clips] for x in layer)) for layer in self.layers],
            counted=self.counted[clips],
        )


class _Vocabulary(NamedTuple):
    """Subwords with the pieces that begin, end and mask a text."""

    subwords: Subwords
    begin: int
    end: int
    mask: int

    @classmethod
    def of(cls, subwords: Subwords) -> Self:
        begin, end, mask = subwords.begin, subwords.end, subwords.mask
        if begin is None or end is None or mask is None:
            message = (
                "the checkpoint's subwords have no pieces that begin, end and mask a text: they "
                "were not learned by a TextDecoder"
            )
            raise CheckpointError(message)
        return cls(subwords, begin, end, mask)


class TextDecoder(Decoder):
    """Predict subwords by transformer layers that read a clip's tokens.

    Words attend to each other, only to earlier ones where the next is predicted, and to all tokens
    of their clip. What a word is predicted with is the embedding that it is read by. Tokens carry
    no position of their own: an encoder has to put the order of frames into them.

    Args:
        width: Width of the words' vectors.
        layers: Transformer layers.
        heads: Attention heads of a layer, which divide the width.
        dropout: Probability that a value is dropped in training, from 0 to 1.
        vocab_size: How many subwords there may be; fewer, where the captions have no more.
        max_words: How many subwords of a text are read, without an end behind a text that is cut,
            and written at most.

    Raises:
        ArgumentError: If a number is outside its range, or the heads do not divide the width.

    Source: the tied embedding follows Press and Wolf, "Using the Output Embedding to Improve
        Language Models", 2017.

    Example:
        >>> from vtlearn.encoders.video import TinyVideo
        >>> decoder = TextDecoder(width=16, heads=2, dropout=0.0)
        >>> decoder.connect(TinyVideo(width=4))
        >>> decoder.build(["chop the carrot", "fry the egg"] * 5)
        >>> tokens = torch.randn(2, 8, 1, 32)
        >>> decoder.losses(["fry the carrot", "chop"], tokens).shape
        torch.Size([2])
        >>> decoder.log_likelihood(tokens, ["fry", "fry the egg", "chop"]).shape
        torch.Size([2, 3])
        >>> len(decoder.generate(tokens))
        2
    """

    def __init__(
        self,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        vocab_size: int = 1000,
        max_words: int = 32,
    ) -> None:
        super().__init__()
        require_positive(width=width, layers=layers, heads=heads)
        require_positive(vocab_size=vocab_size, max_words=max_words)
        require_share(dropout=dropout)
        require_divides(heads=heads, width=width)
        self.vocab_size, self.max_words = vocab_size, max_words
        self._vocabulary: _Vocabulary | None = None
        self.embedding = nn.Embedding(1, width)
        self.positions = nn.Parameter(_INITIAL_SCALE * torch.randn(1 + max_words, width))
        self.layers = nn.ModuleList(DecoderLayer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @override
    def make_layers(self, video_encoder: VideoEncoder) -> None:
        width = self.embedding.embedding_dim
        # normalised, because tokens may have any scale
        self.project = nn.Sequential(
            nn.Linear(video_encoder.token_width or 0, width), nn.LayerNorm(width)
        )

    @property
    @override
    def needs_vocabulary(self) -> bool:
        return self._vocabulary is None

    @override
    def build(self, captions: Iterable[str]) -> None:
        self._take(Subwords.learn(captions, self.vocab_size, begin=True, end=True, mask=True))

    @override
    def get_extra_state(self) -> Tensor:
        return subwords_to_state(None if self._vocabulary is None else self._vocabulary.subwords)

    @override
    def set_extra_state(self, state: Any) -> None:
        self._take(subwords_from_state(state))  # whose vectors are loaded next

    def _take(self, subwords: Subwords | None) -> None:
        self._vocabulary = None if subwords is None else _Vocabulary.of(subwords)
        table = resized(self.embedding, 1 if subwords is None else len(subwords))
        if table is not self.embedding:
            table.weight.data *= _INITIAL_SCALE
        self.embedding = table

    @override
    def has_words(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([bool(row) for row in self._encode(texts)], dtype=torch.bool)

    @override
    def losses(
        self,
        texts: Sequence[str],
        tokens: Tensor,
        token_length: Tensor | None = None,
        masked: bool = False,
        rng: Sequence[np.random.Generator] | None = None,
    ) -> Tensor:
        rows, generators = self._encode(texts), list(rng or ())
        require_words(texts, rows, len(tokens))
        if masked and len(generators) != len(texts):
            message = (
                f"{len(texts)} texts came with {len(generators)} generators: give one for each"
            )
            raise ArgumentError(message)
        if masked:
            lines = [self._hide(*pair) for pair in zip(rows, generators, strict=True)]
        else:
            lines = [self._shift(row) for row in rows]
        return self._cross_entropy(lines, self._remember(tokens, token_length), causal=not masked)

    @override
    def log_likelihood(
        self, tokens: Tensor, texts: Sequence[str], token_length: Tensor | None = None
    ) -> Tensor:
        lines = [self._shift(row) for row in self._encode(texts)]
        with at_rest(self):
            memory = self._remember(tokens, token_length)
            return in_blocks(
                len(tokens),
                len(lines),
                lambda some, texts: self._likelihoods(memory.of_clips(some), lines[texts]),
            )

    @override
    def generate(
        self,
        tokens: Tensor,
        token_length: Tensor | None = None,
        *,
        beams: int = 5,
        length_penalty: float = 1.0,
        max_new: int = 30,
    ) -> list[str]:
        require_search(beams, length_penalty, max_new)
        subwords, most = self._known().subwords, min(max_new, self.max_words + 1)
        with at_rest(self):
            memory = self._remember(tokens, token_length)
            found = self._search(memory, beams, length_penalty, most)
            if beams > 1:  # which may lose the greedy text on its way
                found = found.or_better(self._search(memory, 1, length_penalty, most))
        return subwords.decode(found.words)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self._known().subwords.encode(texts)

    def _known(self) -> _Vocabulary:
        if self._vocabulary is None:
            message = (
                "this TextDecoder has no subwords: load a checkpoint that has them, or call "
                "build(captions)"
            )
            raise ArgumentError(message)
        return self._vocabulary

    def _shift(self, row: Sequence[int]) -> Line:
        """Ask for each word after those before it, and for the end of what is not cut."""
        known = self._known()
        return next_pieces(row, known.begin, known.end, self.max_words)

    def _hide(self, row: Sequence[int], rng: np.random.Generator) -> Line:
        """Ask for some words in their own places."""
        known, words = self._known(), row[: self.max_words]
        others = range(known.subwords.first_of_texts, len(known.subwords))
        ids, hidden = mask_words(words, rng, mask=known.mask, others=others)
        asked = [word if one else NOT_ASKED for word, one in zip(words, hidden, strict=True)]
        return Line([known.begin, *ids], [NOT_ASKED, *asked])

    def _likelihoods(self, memory: _Memory, lines: Sequence[Line]) -> Tensor:
        clips = len(memory.counted)
        losses = self._cross_entropy([*lines] * clips, memory, causal=True)
        return -losses.reshape(clips, len(lines))

    def _cross_entropy(self, lines: Sequence[Line], memory: _Memory, *, causal: bool) -> Tensor:
        device = memory.counted.device
        length = torch.tensor([len(line.ids) for line in lines], dtype=torch.int64, device=device)
        ids = side_by_side([line.ids for line in lines], _PADDING, device)
        targets = side_by_side([line.targets for line in lines], NOT_ASKED, device)
        size = ids.shape[1]
        if causal:  # where no word sees the padding behind it
            seen = torch.ones(1, 1, size, size, dtype=torch.bool, device=device).tril()
        else:
            seen = valid(length, size)[:, None, None]
        logits, _ = self._decode(ids, seen, memory)
        return mean_cross_entropy(logits, targets)

    def _remember(self, tokens: Tensor, token_length: Tensor | None) -> _Memory:
        """Let all layers read clips; what does not count is neither read nor differentiated."""
        self.require_tokens(tokens)
        clips, frames, patches, _ = tokens.shape
        if token_length is None:
            token_length = torch.full((clips,), frames)
        length = token_length.to(tokens.device)
        tokens = tokens.masked_fill(~valid(length, frames)[:, :, None, None], 0)
        entries = self.project(tokens.flatten(1, 2).to(self.positions.dtype))
        # a clip without frames reads a zero: attention to nothing would be NaN
        counted = valid(length.clamp(min=1), frames).repeat_interleave(patches, 1)
        layers = [cast("DecoderLayer", layer).remember(entries) for layer in self.layers]
        return _Memory(layers, counted[:, None, None])

    def _decode(
        self, ids: Tensor, seen: Tensor | None, memory: _Memory, past: Sequence[KeysValues] = ()
    ) -> tuple[Tensor, list[KeysValues]]:
        """Compute logits (rows, words, pieces), and what words after these attend to."""
        first = past[0].keys.shape[2] if past else 0
        x = self.dropout(self.embedding(ids) + self.positions[first : first + ids.shape[1]])
        present = []
        for index, layer in enumerate(self.layers):
            before = past[index] if past else None
            x, words = layer(x, seen, memory.layers[index], memory.counted, before)
            present.append(words)
        logits = wide(functional.linear(self.norm(x), self.embedding.weight))
        known = self._known()
        never = torch.tensor([_PADDING, known.begin, known.mask], device=ids.device)
        return logits.index_fill(2, never, -torch.inf), present

    def _search(self, memory: _Memory, beams: int, length_penalty: float, max_new: int) -> Found:
        past: list[KeysValues] = []

        def step(words: Tensor, parents: Tensor) -> Tensor:
            before = [one.of_rows(parents) for one in past]
            logits, past[:] = self._decode(words[:, None], None, memory, before)
            found = logits[:, 0].log_softmax(-1)
            found[:, _UNKNOWN] = -torch.inf  # which cannot be written
            return found

        return beam_search(
            step,
            len(memory.counted),
            begin=self._known().begin,
            end=self._known().end,
            beam=beams,
            length_penalty=length_penalty,
            max_new=max_new,
            device=memory.counted.device,
        )
