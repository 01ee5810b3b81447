"""BLEU: how many n-grams of captions are in a reference, less a penalty for short captions."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.ngrams import (
    ORDERS,
    Captions,
    NGrams,
    Words,
    ngrams,
    number_words,
)

__all__ = ["BLEU", "bleu_counts", "bleu_of"]

_COUNTS = 2 * ORDERS + 2
_TINY, _SMALL = 1e-15, 1e-9


def bleu_counts(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> NDArray[np.float64]:
    """Count what BLEU is made of.

    Args:
        candidates: The words of one caption per item, of
            :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
        references: The words of the item's references, at least one.

    Returns:
        (items, 10), whole numbers: how many n-grams of one to four words are in a reference (each
        as often as in the reference that has it most often), how many there are, the number of
        words, and that of the reference nearest in length (of two, the shorter).

    Raises:
        ArgumentError: If the numbers of items differ, or a candidate has no reference.

    Example:
        >>> bleu_counts([["a", "a", "b"]], [[["a", "b"], ["b", "a", "a", "c"]]])
        array([[3., 2., 0., 0., 3., 2., 1., 0., 3., 2.]])
    """
    captions = number_words(candidates, references)
    counts = np.zeros((len(candidates), _COUNTS))
    words = captions.lengths[captions.is_candidate]
    for order, grams in enumerate(ngrams(captions)):
        counts[:, order] = _matches(captions, grams, len(candidates))
        counts[:, ORDERS + order] = np.maximum(words - order, 0)
    counts[:, -2] = words
    counts[:, -1] = _nearest_lengths(captions, words)
    return counts


def bleu_of(
    counts: NDArray[np.float64], /, axis: int, *, order: int = ORDERS
) -> NDArray[np.float64]:
    """Compute BLEU from counts: a statistic of items, as the bootstrap takes it.

    Args:
        counts: Of :func:`bleu_counts`, (..., items, ..., 10).
        axis: The axis of the items. Sums of whole numbers do not depend on their order.
        order: The longest n-grams, from 1 to 4: BLEU-1 to BLEU-4. ``partial(bleu_of, order=2)`` is
            a :class:`~vtlearn.evaluation.metrics.bootstrap.Statistic`.

    Returns:
        (...), from 0 to 100 (a little above 0 where nothing matches, as published).

    Raises:
        ArgumentError: If there is no such order.

    Example:
        >>> counts = bleu_counts([["a", "b"], ["c", "d"]], [[["a", "b"]], [["c", "e", "d"]]])
        >>> float(bleu_of(counts, axis=0, order=2).round(4))
        55.0695

    Source:
        K. Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, 2002,
        and pycocoevalcap 1.2, whose tiny numbers in the quotients are the same.
    """
    if not 1 <= order <= ORDERS:
        message = f"order={order} must be from 1 to {ORDERS}"
        raise ArgumentError(message)
    sums = counts.sum(axis)
    matches, all_of_them = sums[..., :order], sums[..., ORDERS : ORDERS + order]
    precision = ((matches + _TINY) / (all_of_them + _SMALL)).prod(-1) ** (1 / order)
    ratio = (sums[..., -2] + _TINY) / (sums[..., -1] + _SMALL)
    score: NDArray[np.float64] = 100 * precision * np.exp(np.minimum(1 - 1 / ratio, 0))
    return score


def _matches(captions: Captions, grams: NGrams, items: int) -> NDArray[np.float64]:
    """Count the candidates' n-grams of one order that are in a reference."""
    is_candidate = captions.is_candidate[grams.sentence]
    # entries are sorted by sentence and n-gram, so those of candidates are by item and n-gram
    key = captions.item[grams.sentence] * grams.total + grams.gram
    candidates, references = key[is_candidate], key[~is_candidate]
    place = np.searchsorted(candidates, references)
    found = np.append(candidates, -1)[place] == references
    most = np.zeros(len(candidates), np.int64)
    np.maximum.at(most, place[found], grams.counts[~is_candidate][found])
    shared = np.minimum(most, grams.counts[is_candidate])
    item = captions.item[grams.sentence[is_candidate]]
    return np.bincount(item, shared, items).astype(np.float64)


def _nearest_lengths(captions: Captions, words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find each item's reference length that is nearest to its candidate's."""
    is_reference = ~captions.is_candidate
    item, length = captions.item[is_reference], captions.lengths[is_reference]
    order = np.lexsort((length, np.abs(length - words[item]), item))
    first = np.diff(item[order], prepend=-1) != 0
    nearest: NDArray[np.int64] = length[order][first]
    return nearest


class BLEU(Metric):
    """BLEU as a torchmetrics metric, for use without a protocol.

    Args:
        order: The longest n-grams, from 1 to 4: BLEU-1 to BLEU-4.

    Raises:
        ArgumentError: If there is no such order.

    Example:
        >>> bleu = BLEU(order=2)
        >>> bleu.update([["a", "b"]], [[["a", "b"]]])
        >>> bleu.update([["c", "d"]], [[["c", "e", "d"]]])
        >>> bleu.compute()
        tensor(55.0695)
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, order: int = ORDERS) -> None:
        super().__init__()
        if not 1 <= order <= ORDERS:
            message = f"order={order} must be from 1 to {ORDERS}"
            raise ArgumentError(message)
        self.order = order
        self.add_state("counts", torch.zeros(_COUNTS, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
        """Count the n-grams of some items.

        Args:
            candidates: The words of one caption per item, of
                :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
            references: The words of the item's references, at least one.

        Raises:
            ArgumentError: If the numbers of items differ, or a candidate has no reference.
        """
        counts = bleu_counts(candidates, references).sum(0)
        self.counts += torch.from_numpy(counts).to(self.counts)

    def compute(self) -> Tensor:
        """Return BLEU over all items.

        Returns:
            A scalar, float32, from 0 to 100; 0 where there was no item.
        """
        counts = self.counts[None].double().cpu().numpy()
        score = float(bleu_of(counts, axis=0, order=self.order)) if self.counts.any() else 0.0
        return torch.tensor(score, device=self.counts.device)
