from collections import Counter

import numpy as np
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.ngrams import check_references, ngrams, number_words


def test_counts_are_those_of_loops() -> None:
    rng = np.random.default_rng(0)
    sentences = [rng.integers(3, size=size).astype(str).tolist() for size in (5, 0, 1, 9, 3, 12)]
    captions = number_words(sentences[::2], [[reference] for reference in sentences[1::2]])
    assert captions.is_candidate.tolist() == [True, False] * 3
    assert captions.item.tolist() == [0, 0, 1, 1, 2, 2]
    for order, grams in enumerate(ngrams(captions), 1):
        expected = [
            Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))
            for words in sentences
        ]
        for sentence, counter in enumerate(expected):
            ours = grams.counts[grams.sentence == sentence]
            assert sorted(ours.tolist()) == sorted(counter.values())
        assert grams.total == len({gram for counter in expected for gram in counter})
        for gram in range(grams.total):
            counts = dict(
                zip(
                    grams.sentence[grams.gram == gram].tolist(),
                    grams.counts[grams.gram == gram].tolist(),
                    strict=True,
                )
            )
            assert any(
                counts
                == {at: counter[key] for at, counter in enumerate(expected) if key in counter}
                for key in {key for counter in expected for key in counter}
            )


def test_nothing_has_no_ngrams() -> None:
    for captions in (number_words([], []), number_words([[]], [[[]]])):
        assert [len(grams.counts) for grams in ngrams(captions)] == [0, 0, 0, 0]


def test_items_without_references_are_counted() -> None:
    with pytest.raises(
        ArgumentError, match=r"2 of 3 candidates have no reference \(first: number 1"
    ):
        check_references(["a", "b", "c"], [["a"], [], []])
