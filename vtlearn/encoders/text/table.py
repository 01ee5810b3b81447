"""What text encoders with a table of words share: growing it, padding ids, pooling over words.

Id 0 is the padding, and row 0 of the table is what the padding is read as.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vtlearn.encoders.base import Tokens
from vtlearn.errors import ArgumentError
from vtlearn.padding import valid

__all__ = ["resized"]


def padded(rows: Sequence[Sequence[int]], size: int) -> Tokens:
    """Lay lists of word ids side by side.

    Args:
        rows: The ids of each text; what is longer than ``size`` is cut.
        size: How many ids a text has afterwards.

    Returns:
        ``ids`` (texts, size), padded with 0 at the end, and how many of them are real.

    Raises:
        ArgumentError: If ``size`` is not positive.

    Example:
        >>> padded([[5, 7], [], [1, 2, 3, 4]], 3)
        Tokens(ids=tensor([[5, 7, 0],
                [0, 0, 0],
                [1, 2, 3]]), length=tensor([2, 0, 3]))
    """
    if size < 1:
        message = f"max_words={size} must be positive"
        raise ArgumentError(message)
    filled = [[*row[:size], *[0] * (size - len(row))] for row in rows]
    ids = torch.tensor(filled, dtype=torch.int64).reshape(len(rows), size)
    return Tokens(ids, torch.tensor([min(len(row), size) for row in rows], dtype=torch.int64))


def max_over_words(words: Tensor, length: Tensor) -> Tensor:
    """Pool the real words of each text; an empty text is its padding.

    Args:
        words: (texts, words, width).
        length: How many of the words are real, (texts,), int64.

    Returns:
        (texts, width): the largest value of each column over the real words, or over the first
        padding where there is no word.

    Example:
        >>> max_over_words(torch.tensor([[[1.0], [3.0]], [[1.0], [3.0]]]), torch.tensor([0, 2]))
        tensor([[1.],
                [3.]])
    """
    counted = valid(length.clamp(min=1), words.shape[1])
    return words.masked_fill(~counted[:, :, None], float("-inf")).amax(1)


def resized(table: nn.Embedding, rows: int) -> nn.Embedding:
    """Make room for another number of words.

    Args:
        table: What is there; kept as it is, if it has the size already.
        rows: How many rows it should have, the padding's among them.

    Returns:
        ``table``, or a new one on its device with its dtype and ``requires_grad``: random rows, and
        zeros for the padding.

    Example:
        >>> resized(nn.Embedding(1, 3), 5)
        Embedding(5, 3)
    """
    if table.num_embeddings == rows:
        return table
    weight = torch.randn(rows, table.embedding_dim).to(table.weight)
    weight[0] = 0
    larger = nn.Embedding(rows, table.embedding_dim, _weight=weight)
    larger.weight.requires_grad_(table.weight.requires_grad)
    return larger
