from functools import partial

import numpy as np
import pytest
import torch

from tests.evaluation.metrics.stored_captions import STORED, our_words, stored_words
from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.bleu import BLEU, bleu_counts, bleu_of
from vtlearn.evaluation.metrics.bootstrap import bootstrap_interval

CANDIDATES = [["the", "cat", "sat"], ["a", "dog"], []]
REFERENCES = [[["the", "cat", "sat", "down"], ["a", "cat"]], [["a", "dog", "runs"]], [["x"]]]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_scores_equal_the_published_ones(order: int) -> None:
    counts = bleu_counts(*stored_words())
    corpus, items = (STORED["Bleu"][part][order - 1] for part in ("corpus", "items"))
    assert bleu_of(counts, axis=0, order=order) == pytest.approx(100 * corpus, abs=1e-6)
    each = bleu_of(counts[:, None], axis=1, order=order)
    assert each == pytest.approx(100 * np.array(items), abs=1e-6)
    alone = STORED["Bleu of item 50 alone"][order - 1]
    assert bleu_of(counts[50:51], axis=0, order=order) == pytest.approx(100 * alone, abs=1e-6)
    ours = bleu_of(bleu_counts(*our_words()), axis=0, order=order)
    assert ours == pytest.approx(100 * corpus, abs=1e-4)


def test_counts_by_hand() -> None:
    counts = bleu_counts(CANDIDATES, REFERENCES)
    assert counts.tolist() == [
        [3, 2, 1, 0, 3, 2, 1, 0, 3, 2],  # 4 and 2 words are equally far
        [2, 1, 0, 0, 2, 1, 0, 0, 2, 3],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ]
    # 5 of 5 words, 3 of 3 pairs, and 5 words for 6
    assert bleu_of(counts, axis=0, order=2) == pytest.approx(100 * np.exp(1 - 6 / 5), abs=1e-6)


def test_of_two_lengths_equally_far_the_shorter_counts() -> None:
    references = [[["a", "b", "c", "d"], ["a", "b"]], [["a"], ["a", "b", "c", "d", "e"]]]
    assert bleu_counts([["a", "b", "c"]] * 2, references)[:, -1].tolist() == [2, 1]


def test_one_item_alone_is_measured_against_the_nearest_length() -> None:
    # pycocoevalcap's Bleu asks for it; its BleuScorer alone would take the mean of 5 and 15
    references = [["a", "b", "c", "d", "e"], list("abcdefghijklmno")]
    assert bleu_of(bleu_counts([list("abcde")], [references]), axis=0) == pytest.approx(100)


def test_a_repeated_word_counts_as_often_as_in_one_reference() -> None:
    references = [[["the", "x", "the"], ["the", "y"]]]
    assert bleu_counts([["the"] * 7], references)[0, 0] == 2


def test_references_given_twice_change_nothing() -> None:
    candidates, references = stored_words()
    twice = bleu_counts(candidates, [refs * 2 for refs in references])
    assert (twice == bleu_counts(candidates, references)).all()


def test_a_space_within_a_word_makes_two() -> None:
    counts = bleu_counts([["1\u00a01/2"]], [[["1\u00a01/2"]]])
    assert counts[0].tolist() == [2, 1, 0, 0, 2, 1, 0, 0, 2, 2]


def test_intervals_come_from_sums() -> None:
    counts = bleu_counts(*stored_words())
    score = float(bleu_of(counts, axis=0))
    low, high = bootstrap_interval(counts, partial(bleu_of, order=4))
    assert low < score < high
    assert high - low < 25
    same = bootstrap_interval(np.repeat(counts[:1], 20, 0), partial(bleu_of, order=1))
    assert same[0] == same[1]


def test_no_items() -> None:
    assert bleu_counts([], []).shape == (0, 10)
    metric = BLEU()
    metric.update([], [])
    assert metric.compute() == 0


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ArgumentError, match="got 2 candidates and 1 lists"):
        bleu_counts([["a"], ["b"]], [[["a"]]])
    with pytest.raises(ArgumentError, match=r"1 of 2 candidates have no reference \(first: number"):
        bleu_counts([["a"], ["b"]], [[["a"]], []])
    with pytest.raises(ArgumentError, match="order=5 must be from 1 to 4"):
        bleu_of(np.zeros((1, 10)), axis=0, order=5)
    with pytest.raises(ArgumentError, match="order=0 must be"):
        BLEU(order=0)


def test_the_metric_takes_batches() -> None:
    candidates, references = stored_words()
    metric = BLEU(order=3)
    for part in (slice(7), slice(7, 8), slice(8, None)):
        metric.update(candidates[part], references[part])
    expected = bleu_of(bleu_counts(candidates, references), axis=0, order=3)
    assert metric.compute() == torch.tensor(float(expected))


def test_the_metric_joins_what_two_processes_have(two_processes: Pool) -> None:
    expected = bleu_of(bleu_counts(CANDIDATES, REFERENCES), axis=0, order=1)
    assert two_processes.run(score_of_parts) == [pytest.approx(float(expected))] * 2


def score_of_parts() -> float:
    metric = BLEU(order=1)
    if process().rank == 0:
        metric.update(CANDIDATES[:1], REFERENCES[:1])
        metric.update(CANDIDATES[1:], REFERENCES[1:])
    return metric.compute().item()
