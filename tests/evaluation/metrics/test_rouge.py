import numpy as np
import pytest
import torch

from tests.evaluation.metrics.stored_captions import STORED, our_words, stored_words
from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.rouge import ROUGEL, rouge_l


def test_scores_equal_the_published_ones() -> None:
    published = 100 * np.array(STORED["Rouge"]["items"])
    assert rouge_l(*stored_words()) == pytest.approx(published, abs=1e-6)
    assert rouge_l(*our_words()) == pytest.approx(published, abs=1e-4)
    assert rouge_l(*stored_words()).mean() == pytest.approx(100 * STORED["Rouge"]["corpus"])


def by_table(candidate: list[int], reference: list[int]) -> float:
    """Fill the table of longest common subsequences."""
    table = np.zeros((len(candidate) + 1, len(reference) + 1))
    for i, one in enumerate(candidate):
        for j, other in enumerate(reference):
            longer = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = table[i, j] + 1 if one == other else longer
    precision, recall = table[-1, -1] / len(candidate), table[-1, -1] / len(reference)
    if not precision:
        return 0.0
    return float(100 * 2.44 * precision * recall / (recall + 1.44 * precision))


def test_subsequences_are_those_of_the_table() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        pair = [rng.integers(4, size=rng.integers(1, 90)).tolist() for _ in range(2)]
        words = [[str(number) for number in sentence] for sentence in pair]
        assert rouge_l(words[:1], [words[1:]]) == pytest.approx(by_table(*pair))


def test_by_hand() -> None:
    # precision 1 of the first reference, recall 1 of the second: 1 together
    assert rouge_l([["a", "b"]], [[["a", "x", "b"], ["a"]]]) == pytest.approx([100])
    assert rouge_l([["a", "b"]], [[["b", "a"]]]) == pytest.approx([50])
    assert rouge_l([["a"]], [[["b"]]]).tolist() == [0]


def test_without_words() -> None:
    assert rouge_l([[], [], ["a"]], [[["a"]], [[]], [[]]]).tolist() == [0, 100, 0]
    assert rouge_l([], []).shape == (0,)
    metric = ROUGEL()
    metric.update([], [])
    assert metric.compute() == 0


def test_a_candidate_without_references_is_refused() -> None:
    with pytest.raises(ArgumentError, match="1 of 1 candidates have no reference"):
        rouge_l([["a"]], [[]])


def test_the_metric_takes_batches() -> None:
    candidates, references = stored_words()
    metric = ROUGEL()
    for part in (slice(7), slice(7, 8), slice(8, None)):
        metric.update(candidates[part], references[part])
    expected = float(rouge_l(candidates, references).mean())
    assert torch.allclose(metric.compute(), torch.tensor(expected))


def test_the_metric_joins_what_two_processes_have(two_processes: Pool) -> None:
    assert two_processes.run(score_of_parts) == [pytest.approx(50.0)] * 2


def score_of_parts() -> float:
    metric = ROUGEL()
    words = ["a"] if process().rank == 0 else ["b"]
    metric.update([words], [[["a"]]])
    return metric.compute().item()
