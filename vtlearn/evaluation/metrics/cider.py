"""CIDEr-D: how much a caption says what all of its references say, and few of other items'."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override

from vtlearn.evaluation.metrics.ngrams import (
    ORDERS,
    Captions,
    NGrams,
    Words,
    check_references,
    ngrams,
    number_words,
)

__all__ = ["CIDEr", "cider_d"]

_SIGMA = 6.0


def cider_d(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> NDArray[np.float64]:
    """Compare captions with references by their n-grams, weighted by how few items have them.

    Equal to pycocoevalcap times 100, also where the paper would have it otherwise: the length
    penalty counts bigrams, and one item alone scores 0, since all its n-grams are in every item.

    Args:
        candidates: The words of one caption per item, of
            :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
        references: The words of the item's references, at least one. All items together say how
            rare an n-gram is: a part of them scores otherwise.

    Returns:
        One score per item, (items,), from 0 to 1000; a corpus has the mean.

    Raises:
        ArgumentError: If the numbers of items differ, or a candidate has no reference.

    Example:
        >>> cider_d([["a", "b"], ["c"]], [[["a", "b"]], [["d", "c"]]]).round(3)
        array([500.   , 174.338])

    Source:
        R. Vedantam, C. L. Zitnick and D. Parikh, CIDEr: Consensus-based Image Description
        Evaluation, 2015, section 5, and pycocoevalcap 1.2.
    """
    captions = number_words(candidates, references)
    candidate_of = np.flatnonzero(captions.is_candidate)[captions.item]
    similarity = np.zeros(len(captions.lengths))
    for grams in ngrams(captions):
        similarity += _cosines(captions, candidate_of, grams)
    bigrams = np.maximum(captions.lengths - 1, 0)
    apart = bigrams[candidate_of] - bigrams
    similarity *= np.exp(-(apart**2) / (2 * _SIGMA**2))
    is_reference = ~captions.is_candidate
    item, items = captions.item[is_reference], len(candidates)
    sums = np.bincount(item, similarity[is_reference], items)
    scores: NDArray[np.float64] = 1000 * sums / (ORDERS * np.bincount(item, minlength=items))
    return scores


def _cosines(
    captions: Captions, candidate_of: NDArray[np.int64], grams: NGrams
) -> NDArray[np.float64]:
    """Compare each sentence with its item's candidate, by n-grams of one order, clipped."""
    sentences = len(captions.lengths)
    weight = _weights(captions, grams)
    norm = np.sqrt(np.bincount(grams.sentence, weight**2, sentences))
    # entries are sorted by sentence and n-gram, so those of candidates are by item and n-gram
    key = captions.item[grams.sentence] * grams.total + grams.gram
    is_candidate = captions.is_candidate[grams.sentence]
    theirs, clip = key[is_candidate], np.append(weight[is_candidate], 0.0)
    place = np.searchsorted(theirs, key)
    found = np.append(theirs, -1)[place] == key
    shared = np.where(found, np.minimum(clip[place], weight) * weight, 0.0)
    lengths = norm * norm[candidate_of]
    dots = np.bincount(grams.sentence, shared, sentences)
    cosines: NDArray[np.float64] = np.zeros(sentences)
    np.divide(dots, lengths, out=cosines, where=lengths > 0)
    return cosines


def _weights(captions: Captions, grams: NGrams) -> NDArray[np.float64]:
    """Weight each entry by its count and how few items have it in a reference."""
    items = int(captions.item.max(initial=-1)) + 1
    in_reference = ~captions.is_candidate[grams.sentence]
    key = captions.item[grams.sentence[in_reference]] * grams.total + grams.gram[in_reference]
    key.sort()  # faster than numpy's unique, which hashes
    is_first = np.diff(key, prepend=-1) != 0
    documents = np.bincount(key[is_first] % max(grams.total, 1), minlength=grams.total)
    rarity = np.log(float(max(items, 1))) - np.log(np.maximum(documents, 1.0))
    weights: NDArray[np.float64] = grams.counts * rarity[grams.gram]
    return weights


class CIDEr(Metric):
    """CIDEr-D as a torchmetrics metric, for use without a protocol.

    Example:
        >>> cider = CIDEr()
        >>> cider.update([["a", "b"]], [[["a", "b"]]])
        >>> cider.update([["c"]], [[["d", "c"]]])
        >>> cider.compute()
        tensor(337.1692)
    """

    full_state_update = False
    higher_is_better = True
    texts: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        # words are compared with those of all processes, and only tensors travel: UTF-8
        self.add_state("texts", [], dist_reduce_fx="cat")
        self.reset()

    @override
    def reset(self) -> None:
        super().reset()
        # a process that takes in nothing has to have something to send to the others
        self.texts.append(torch.zeros(0, dtype=torch.uint8, device=self.device))

    def update(self, candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
        """Take in some items.

        Args:
            candidates: The words of one caption per item, of
                :func:`~vtlearn.evaluation.metrics.ptb.tokenize`.
            references: The words of the item's references, at least one.

        Raises:
            ArgumentError: If the numbers of items differ, or a candidate has no reference.
        """
        check_references(candidates, references)
        lines = [
            "\t".join(" ".join(words) for words in (candidate, *refs)) + "\n"
            for candidate, refs in zip(candidates, references, strict=True)
        ]
        text = np.frombuffer("".join(lines).encode(), np.uint8)
        self.texts.append(torch.tensor(text, device=self.device))

    def compute(self) -> Tensor:
        """Return the mean over all items, times 100 as papers print it.

        Returns:
            A scalar, float32; NaN where there was no item.
        """
        text = dim_zero_cat(self.texts).cpu().numpy().tobytes().decode()
        items = [[words.split(" ") for words in line.split("\t")] for line in text.split("\n")[:-1]]
        scores = cider_d([item[0] for item in items], [item[1:] for item in items])
        mean = float(scores.mean()) if len(scores) else float("nan")
        return torch.tensor(mean, device=self.device)
