import numpy as np
import pytest

from vtlearn.evaluation.metrics.split_recall import SplitRecall


def test_figures_are_those_of_a_plain_loop_over_splits_and_tasks() -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(0, 6, 30)
    hits = rng.integers(0, steps + 1)
    task = rng.integers(0, 4, 30)
    member = rng.random((30, 5)) < 0.6
    recall = SplitRecall(hits.astype(float), steps.astype(float), task, member)
    drawn = rng.integers(0, 30, (3, 30)).astype(float)
    expected = []
    for row in drawn:
        splits = []
        for split in range(5):
            shares = []
            for one in range(4):
                rows = [
                    video
                    for video in row.astype(int)
                    if member[video, split] and task[video] == one
                ]
                if possible := sum(steps[video] for video in rows):
                    shares.append(100 * sum(hits[video] for video in rows) / possible)
            splits.append(np.mean(shares))
        expected.append(splits)
    assert recall.mean(drawn, axis=1) == pytest.approx(np.mean(expected, 1))
    assert recall.sd(drawn, axis=1) == pytest.approx(np.std(expected, 1, ddof=1))
    assert recall.mean(drawn.T, axis=0) == pytest.approx(np.mean(expected, 1))
    assert float(recall.mean(drawn[0], axis=0)) == pytest.approx(np.mean(expected[0]))
