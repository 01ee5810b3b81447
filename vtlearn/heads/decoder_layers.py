"""A transformer layer of a decoder: words attend to words, then to the tokens of their clip.

The tokens' keys and values are computed once per clip. Several rows of words may read one clip (the
beams of a search, the candidates of a comparison): they are laid end to end as queries, so that no
key or value is ever copied.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__: list[str] = []


class KeysValues(NamedTuple):
    """What is attended to.

    Attributes:
        keys: (rows, heads, entries, width / heads).
        values: The same.
    """

    keys: Tensor
    values: Tensor

    def followed_by(self, other: "KeysValues") -> "KeysValues":
        """Append entries."""
        return KeysValues(*(torch.cat(pair, 2) for pair in zip(self, other, strict=True)))

    def of_rows(self, rows: Tensor) -> "KeysValues":
        """Take some rows, in an order."""
        return KeysValues(self.keys[rows], self.values[rows])


class DecoderLayer(nn.Module):
    """Attend to words, then to a clip's tokens, then transform each word; normalise before each.

    Args:
        width: Width of words and tokens.
        heads: Attention heads, which divide the width.
        dropout: Probability that a value is dropped in training.

    Source: Vaswani et al., "Attention Is All You Need", 2017, with the normalisation before each
        part and GELU, as usual today.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.words = nn.Linear(width, 3 * width)
        self.words_out = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.memory = nn.Linear(width, 2 * width)
        self.memory_out = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def remember(self, tokens: Tensor) -> KeysValues:
        """Compute the keys and values of clips.

        Args:
            tokens: (clips, entries, width).

        Returns:
            Of each clip, for :meth:`forward`.
        """
        keys, values = self.memory(tokens).chunk(2, -1)
        return KeysValues(self._split(keys), self._split(values))

    def forward(
        self,
        x: Tensor,
        seen: Tensor | None,
        memory: KeysValues,
        counted: Tensor,
        past: KeysValues | None = None,
    ) -> tuple[Tensor, KeysValues]:
        """Transform words.

        Args:
            x: (rows, words, width); the same number of rows for each clip, one after another.
            seen: Which word (columns) each word (rows) attends to, bool, (rows or 1, 1, words,
                words); None: all.
            memory: Keys and values of clips.
            counted: Which of a clip's entries count, (clips, 1, 1, entries), bool.
            past: Keys and values of the words before ``x``.

        Returns:
            (rows, words, width); and keys and values of the words so far.
        """
        query, keys, values = (self._split(y) for y in self.words(self.norm1(x)).chunk(3, -1))
        present = KeysValues(keys, values)
        present = present if past is None else past.followed_by(present)
        x = x + self.dropout(self.words_out(_joined(self._attend(query, present, seen))))
        x = x + self.dropout(self.memory_out(self._read(self.norm2(x), memory, counted)))
        hidden = self.dropout(functional.gelu(self.up(self.norm3(x))))
        result: Tensor = x + self.dropout(self.down(hidden))
        return result, present

    def _read(self, x: Tensor, memory: KeysValues, counted: Tensor) -> Tensor:
        rows, words, width = x.shape
        clips = len(counted)
        queries = rows * words // clips if clips else 0
        by_clip = self._split(self.query(x).reshape(clips, queries, width))
        return _joined(self._attend(by_clip, memory, counted)).reshape(rows, words, width)

    def _attend(self, query: Tensor, others: KeysValues, seen: Tensor | None) -> Tensor:
        dropout = self.dropout.p if self.training else 0.0
        attended: Tensor = functional.scaled_dot_product_attention(
            query, *others, seen, dropout_p=dropout
        )
        return attended

    def _split(self, x: Tensor) -> Tensor:
        """Turn (rows, entries, width) into (rows, heads, entries, width / heads)."""
        rows, entries, width = x.shape
        return x.reshape(rows, entries, self.heads, width // self.heads).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)
