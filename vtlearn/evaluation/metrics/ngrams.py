"""N-grams of captions as arrays: which sentence has which n-gram how often.

BLEU and CIDEr count the same n-grams; both get them here, all sentences at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError

__all__: list[str] = []

ORDERS = 4
Words = Sequence[str]


class Captions(NamedTuple):
    """Words of all sentences one after the other: of each item the candidate, then its references.

    Attributes:
        words: The number of each word, (words,), int64.
        lengths: How many words a sentence has, (sentences,), int64.
        item: The item of a sentence, (sentences,), int64, ascending.
        is_candidate: Which sentences are candidates, (sentences,).
    """

    words: NDArray[np.int64]
    lengths: NDArray[np.int64]
    item: NDArray[np.int64]
    is_candidate: NDArray[np.bool]


class NGrams(NamedTuple):
    """The different n-grams of each sentence, sorted by sentence, then by n-gram.

    Attributes:
        sentence: Where it stands, (entries,), int64.
        gram: Its number, (entries,), int64.
        counts: How often it stands there, (entries,), int64.
        total: How many different ones there are.
    """

    sentence: NDArray[np.int64]
    gram: NDArray[np.int64]
    counts: NDArray[np.int64]
    total: int


def check_references(candidates: Sequence[object], references: Sequence[Sequence[object]]) -> None:
    """Require at least one reference for each candidate.

    Args:
        candidates: One per item.
        references: One list per item.

    Raises:
        ArgumentError: If their numbers differ, or a candidate has no reference.
    """
    if len(candidates) != len(references):
        message = (
            f"expected a list of references for each candidate, got {len(candidates)} candidates "
            f"and {len(references)} lists"
        )
        raise ArgumentError(message)
    without = [number for number, refs in enumerate(references) if not len(refs)]
    if without:
        message = (
            f"{len(without)} of {len(candidates)} candidates have no reference "
            f"(first: number {without[0]}, counted from 0)"
        )
        raise ArgumentError(message)


def number_words(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> Captions:
    """Number the words of all sentences.

    A word with a space in it, such as the tokenizer's ``1 1/2``, is as many words as it has parts.

    Args:
        candidates: The words of one sentence per item.
        references: The words of at least one sentence per item.

    Returns:
        The sentences.

    Raises:
        ArgumentError: If the numbers of items differ, or a candidate has no reference.

    Example:
        >>> number_words([["a", "b"]], [[["b"], ["c", "b"]]]).words
        array([0, 1, 1, 2, 1])
    """
    check_references(candidates, references)
    sentences = [
        " ".join(words).split()
        for candidate, refs in zip(candidates, references, strict=True)
        for words in (candidate, *refs)
    ]
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    sizes = np.array([1 + len(refs) for refs in references], np.int64)
    is_candidate = np.zeros(len(sentences), np.bool)
    is_candidate[np.cumsum(sizes) - sizes] = True
    return Captions(
        np.fromiter(map(numbers.__getitem__, chain.from_iterable(sentences)), np.int64),
        np.array([len(words) for words in sentences], np.int64),
        np.repeat(np.arange(len(sizes)), sizes),
        is_candidate,
    )


def ngrams(captions: Captions) -> Iterator[NGrams]:
    """Count the n-grams of each sentence.

    Args:
        captions: The sentences.

    Yields:
        Those of one word, of two, of three and of four.

    Example:
        >>> [grams.total for grams in ngrams(number_words([["a", "b", "a", "b"]], [[["a"]]]))]
        [2, 2, 2, 1]
    """
    words, lengths = captions.words, captions.lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words to the end
    start, gram = np.arange(len(words)), words
    vocabulary = total = int(words.max(initial=-1)) + 1
    for order in range(1, ORDERS + 1):
        if order > 1:
            fits = left[start] >= order
            start = start[fits]
            longer = gram[fits] * vocabulary + words[start + order - 1]
            different, gram = np.unique(longer, return_inverse=True)
            total = len(different)
        keys, counts = np.unique(sentence[start] * total + gram, return_counts=True)
        yield NGrams(*np.divmod(keys, max(total, 1)), counts, total)
