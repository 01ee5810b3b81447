"""Hide some words of a text, to be guessed from the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__: list[str] = []


class Masked(NamedTuple):
    """A text with hidden words.

    Attributes:
        ids: What is read of it, as many as the text has words.
        hidden: Which of them are to be guessed, at least one.
    """

    ids: list[int]
    hidden: list[bool]


def mask_words(
    words: Sequence[int],
    rng: np.random.Generator,
    *,
    mask: int,
    others: range,
    share: float = 0.15,
) -> Masked:
    """Choose words to be guessed, and write something else for most of them.

    Of those chosen, 80 % become the mask, 10 % another word, and 10 % stay as they are, so that a
    model cannot rely on a word that it sees. What is drawn depends on the text's own generator
    alone.

    Args:
        words: Ids of a text, at least one.
        rng: Draws for this text.
        mask: Id of the mask.
        others: Ids that another word is drawn from.
        share: Share of the words that are chosen; where none is, one word drawn at random.

    Returns:
        What is read, and which words are to be guessed.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding", 2019, section 3.1; there without the word at least.

    Example:
        >>> mask_words([5, 6, 7], np.random.default_rng(0), mask=4, others=range(5, 9), share=0.4)
        Masked(ids=[5, 6, 8], hidden=[False, True, True])
    """
    ids = np.array(words)
    hidden = rng.random(len(ids)) < share
    if not hidden.any():
        hidden[rng.integers(len(ids))] = True
    kind = rng.random(len(ids))
    other = rng.integers(others.start, others.stop, len(ids))
    ids[hidden & (kind < 0.8)] = mask
    ids[hidden & (kind >= 0.9)] = other[hidden & (kind >= 0.9)]
    return Masked(ids.tolist(), hidden.tolist())
