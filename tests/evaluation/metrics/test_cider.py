from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.evaluation.metrics.stored_captions import STORED, our_words, stored_words
from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.cider import CIDEr, cider_d


def test_scores_equal_the_published_ones() -> None:
    published = 100 * np.array(STORED["CIDEr"]["items"])
    assert cider_d(*stored_words()) == pytest.approx(published, abs=1e-6)
    assert cider_d(*our_words()) == pytest.approx(published, abs=1e-4)
    assert cider_d(*stored_words()).mean() == pytest.approx(100 * STORED["CIDEr"]["corpus"])


def by_loops(candidates: list[list[str]], references: list[list[list[str]]]) -> NDArray[np.float64]:
    """Compute CIDEr-D as the paper writes it, an n-gram at a time."""
    scores = np.zeros(len(candidates))
    for order in range(1, 5):
        having = Counter(
            gram
            for refs in references
            for gram in {gram for ref in refs for gram in of(ref, order)}
        )

        def weights(
            words: list[str], having: Counter[tuple[str, ...]] = having, order: int = order
        ) -> dict[tuple[str, ...], float]:
            return {
                gram: count * np.log(len(references) / max(1, having[gram]))
                for gram, count in of(words, order).items()
            }

        for number, (words, refs) in enumerate(zip(candidates, references, strict=True)):
            mine = weights(words)
            for ref in refs:
                theirs = weights(ref)
                dot = sum(
                    min(mine[gram], theirs[gram]) * theirs[gram] for gram in mine if gram in theirs
                )
                norms = np.prod(
                    [np.sqrt(sum(w**2 for w in vector.values())) for vector in (mine, theirs)]
                )
                apart = max(len(words) - 1, 0) - max(len(ref) - 1, 0)
                cosine = dot / norms if norms else 0
                scores[number] += 1000 / 4 / len(refs) * cosine * np.exp(-(apart**2) / 72)
    return scores


def of(words: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))


@pytest.mark.parametrize("words", [2, 5, 300])
def test_scores_are_those_of_loops(words: int) -> None:
    rng = np.random.default_rng(words)

    def sentence() -> list[str]:
        return [str(word) for word in rng.integers(words, size=rng.integers(0, 9))]

    candidates = [sentence() for _ in range(20)]
    references = [[sentence() for _ in range(rng.integers(1, 5))] for _ in range(20)]
    references[3] = [candidates[3]] * 3
    assert cider_d(candidates, references) == pytest.approx(by_loops(candidates, references))


def test_by_hand() -> None:
    # of two words there are no longer n-grams: 1 for words and 1 for pairs, of 4
    assert cider_d([["a", "b"], ["x"]], [[["a", "b"]], [["c", "d"]]]) == pytest.approx([500, 0])


def test_one_item_alone_scores_nothing() -> None:
    assert cider_d([["a", "b"]], [[["a", "b"]]]).tolist() == [0]
    assert cider_d([[]], [[[]]]).tolist() == [0]


def test_without_words() -> None:
    scores = cider_d([[], ["a"], ["b"]], [[["a"]], [[]], [["b"], []]])
    assert scores[:2].tolist() == [0, 0]
    assert scores[2] == pytest.approx(125)
    assert cider_d([], []).shape == (0,)
    metric = CIDEr()
    metric.update([], [])
    assert metric.compute().isnan()


def test_references_given_twice_and_items_in_another_order_change_nothing() -> None:
    candidates, references = stored_words()
    scores = cider_d(candidates, references)
    assert cider_d(candidates, [refs * 2 for refs in references]) == pytest.approx(scores)
    turned = cider_d(candidates[::-1], references[::-1])
    assert turned[::-1] == pytest.approx(scores)


def test_a_candidate_without_references_is_refused() -> None:
    with pytest.raises(ArgumentError, match="1 of 2 candidates have no reference"):
        cider_d([["a"], ["b"]], [[["a"]], []])
    with pytest.raises(ArgumentError, match="got 0 candidates and 1 lists"):
        CIDEr().update([], [[["a"]]])


def test_the_metric_takes_batches() -> None:
    candidates, references = stored_words()
    metric = CIDEr()
    for part in (slice(7), slice(7, 7), slice(7, 8), slice(8, None)):
        metric.update(candidates[part], references[part])
    expected = float(cider_d(candidates, references).mean())
    assert torch.allclose(metric.compute(), torch.tensor(expected))


@pytest.mark.parametrize("split", [0, 30])
def test_the_metric_joins_what_two_processes_have(split: int, two_processes: Pool) -> None:
    expected = float(cider_d(*stored_words()).mean())
    assert two_processes.run(score_of_parts, split) == [pytest.approx(expected)] * 2


def score_of_parts(split: int) -> float:
    metric = CIDEr()
    part = slice(split) if process().rank == 0 else slice(split, None)
    candidates, references = stored_words()
    metric.update(candidates[part], references[part])
    return metric.compute().item()
