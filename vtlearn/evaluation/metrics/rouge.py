"""ROUGE-L: how long a sequence of words a caption has in common with its references."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from vtlearn.evaluation.metrics.ngrams import Words, check_references

__all__ = ["ROUGEL", "rouge_l"]

_BETA = 1.2


def rouge_l(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> NDArray[np.float64]:
    """Compare captions with references by their longest common subsequence of words.

    Equal to pycocoevalcap times 100: the best precision and the best recall may be those of two
    references, recall counts beta = 1.2 times as much, and a caption without words is one empty
    word, so that an empty caption scores 100 where a reference is empty too.

    Args:
        candidates: The words of one caption per item, of
            :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
        references: The words of the item's references, at least one.

    Returns:
        One score per item, (items,), from 0 to 100; a corpus has the mean.

    Raises:
        ArgumentError: If the numbers of items differ, or a candidate has no reference.

    Example:
        >>> rouge_l([["a", "b", "c", "d"]], [[["a", "d"], ["a", "c", "b", "d", "e"]]]).round(4)
        array([87.9808])

    Source:
        C.-Y. Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004, section 3, and
        pycocoevalcap 1.2.
    """
    check_references(candidates, references)
    pairs = zip(candidates, references, strict=True)
    return np.array([_score(candidate or [""], refs) for candidate, refs in pairs], np.float64)


def _score(candidate: Words, references: Sequence[Words]) -> float:
    sentences = [reference or [""] for reference in references]
    common = _common_lengths(candidate, sentences)
    precision = max(common) / len(candidate)
    pairs = zip(common, sentences, strict=True)
    recall = max(length / len(sentence) for length, sentence in pairs)
    if precision == 0:
        return 0.0
    return 100 * (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common_lengths(candidate: Words, references: Sequence[Words]) -> list[int]:
    """Compute the lengths of the longest common subsequences, a row of the table at a time.

    A row is an integer whose zero bits are the places at which the table's entry is one more than
    that to its left, so its zeros are the length; sums carry over the runs between matches.

    Source:
        H. Hyyro, Bit-Parallel LCS-length Computation Revisited, 2004, figure 5.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(candidate):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(candidate)) - 1
    lengths = []
    for reference in references:
        row = full
        for word in reference:
            matches = row & places.get(word, 0)
            row = (row + matches | row - matches) & full
        lengths.append(len(candidate) - row.bit_count())
    return lengths


class ROUGEL(Metric):
    """ROUGE-L as a torchmetrics metric, for use without a protocol.

    Example:
        >>> rouge = ROUGEL()
        >>> rouge.update([["a", "b"], ["c"]], [[["a", "b"]], [["d"]]])
        >>> rouge.compute()
        tensor(50.)
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    items: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("items", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
        """Score some items.

        Args:
            candidates: The words of one caption per item, of
                :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
            references: The words of the item's references, at least one.

        Raises:
            ArgumentError: If the numbers of items differ, or a candidate has no reference.
        """
        self.total += float(rouge_l(candidates, references).sum())
        self.items += len(candidates)

    def compute(self) -> Tensor:
        """Return the mean over all items.

        Returns:
            A scalar, float32, from 0 to 100; 0 where there was no item.
        """
        return (self.total / self.items.clamp(min=1)).float()
