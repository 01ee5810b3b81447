from itertools import combinations

import numpy as np
import pytest
import torch

from vtlearn.alignment import ordered_assignment
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.step_recall import (
    StepCounts,
    StepRecall,
    count_steps,
    mean_over_groups,
)

# a task of four steps: the first is done twice, the third never, the last out of order
SPANS = [(0, 1.2, 2.0), (1, 3.0, 4.5), (0, 8.9, 9.1), (3, 2.0, 3.0)]


@pytest.mark.parametrize(
    ("seconds", "hits"),
    [
        ([1, 3, 6, 7], 2),  # floor(1.2) counts; the last step is missed
        ([8, 4, 6, 2], 3),  # the repetition counts, and so does ceil(4.5) - 1
        ([9, 5, 0, 3], 1),  # the fifth second is past the end of the second step
        ([2, 2, 2, 2], 1),  # ends are not counted: only the last step is done then
        ([-1, -1, -1, -1], 0),
    ],
)
def test_hits_of_a_repeated_and_an_absent_step(seconds: list[int], hits: int) -> None:
    assert count_steps(seconds, SPANS) == StepCounts(hits, 3)
    assert count_steps(torch.tensor(seconds), SPANS) == StepCounts(hits, 3)


def test_assignments_are_those_of_enumeration() -> None:
    rng = np.random.default_rng(0)
    for steps in range(1, 5):
        for seconds in range(steps, 8):  # as many seconds as steps as well
            cost = rng.normal(size=(seconds, steps))
            totals = {
                chosen: sum(cost[second, step] for step, second in enumerate(chosen))
                for chosen in combinations(range(seconds), steps)
            }
            best = min(totals, key=totals.__getitem__)
            assert ordered_assignment(torch.from_numpy(cost)).tolist() == list(best)


def test_groups_count_alike_whatever_their_size() -> None:
    counts = np.zeros((4, 3, 2))
    counts[0, 0] = 1, 2
    counts[1, 0] = 3, 8
    counts[2, 1] = 1, 1
    # the third group has nothing to find
    assert mean_over_groups(counts[None], axis=1) == pytest.approx([100 * (4 / 10 + 1) / 2])
    twice = np.stack([counts, np.roll(counts, 1, axis=1)])
    assert mean_over_groups(twice, axis=1) == pytest.approx([70, 70])
    assert mean_over_groups(np.zeros((1, 4, 3, 2)), axis=1).tolist() == [0]


def test_the_metric_pools_videos_within_tasks() -> None:
    metric = StepRecall(num_tasks=3)
    metric.update(torch.tensor([1, 3, 6, 7]), SPANS, task=0)
    metric.update(torch.tensor([8, 4, 6, 2]), SPANS, task=0)
    metric.update(torch.tensor([0]), [(0, 0.0, 0.5)], task=2)
    assert metric.compute().item() == pytest.approx(100 * (5 / 6 + 1) / 2)
    metric.reset()
    metric.update(torch.tensor([-1]), [], task=1)
    assert metric.compute().item() == 0  # no step anywhere


def test_counts_go_on_where_float32_stops() -> None:
    metric = StepRecall(num_tasks=1)
    metric.steps[0] = metric.hits[0] = 2**24
    metric.update(torch.tensor([1, 3, 6, 7]), SPANS, task=0)
    assert (int(metric.hits), int(metric.steps)) == (2**24 + 2, 2**24 + 3)


def test_there_has_to_be_a_task() -> None:
    with pytest.raises(ArgumentError, match="num_tasks=0"):
        StepRecall(0)
