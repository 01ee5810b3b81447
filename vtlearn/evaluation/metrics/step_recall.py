"""Recall of steps: how many of a video's steps are found at a second at which they are done.

Several videos are pooled within their task, and tasks count alike.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from vtlearn.errors import ArgumentError

__all__ = ["StepCounts", "StepRecall", "count_steps", "mean_over_groups"]


class StepCounts(NamedTuple):
    """How many steps of a video were found.

    Attributes:
        hits: How many of its annotated steps have a second at which they are done.
        steps: How many different steps are annotated.
    """

    hits: int
    steps: int


def count_steps(
    seconds: Sequence[int] | Tensor, spans: Sequence[tuple[int, float, float]]
) -> StepCounts:
    """Count the steps whose second lies where they are done.

    A step done from ``start`` to ``end`` is done at the seconds from floor(start) to ceil(end) - 1.
    One that is done several times is found at any of them, and counts once; one that is not done is
    neither hit nor missed.

    Args:
        seconds: The second of each step of the task, from 0, (steps,), integers; a negative one
            finds nothing.
        spans: The step, from 0, its start and its end in seconds, for each time that one is done.

    Returns:
        The counts.

    Example:
        >>> count_steps([3, 9, 12], [(0, 2.5, 4.2), (0, 20.0, 21.0), (2, 5.0, 6.0)])
        StepCounts(hits=1, steps=2)

    Source:
        D. Zhukov et al., Cross-task weakly supervised learning from instructional videos, 2019,
        section 5, and its published code.
    """
    chosen = [int(second) for second in seconds]
    found = {
        step for step, start, end in spans if math.floor(start) <= chosen[step] < math.ceil(end)
    }
    return StepCounts(len(found), len({step for step, _, _ in spans}))


def mean_over_groups(counts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Pool hits within groups, and average the groups: a statistic of queries in groups.

    Args:
        counts: Hits and possible hits of each query in its group, and zeros in the others,
            (..., queries, ..., groups, 2).
        axis: The axis of the queries.

    Returns:
        Percentages without the axes of queries, groups and counts. A group without a possible hit
        is left out.

    Example:
        >>> two_tasks = np.array([[[1, 2], [0, 0]], [[1, 2], [0, 0]], [[0, 0], [3, 3]]], float)
        >>> mean_over_groups(two_tasks[None], axis=1)
        array([75.])
    """
    pooled = counts.sum(axis)
    hits, possible = pooled[..., 0], pooled[..., 1]
    shares = hits / np.maximum(possible, 1)
    groups = (possible > 0).sum(-1)
    means: NDArray[np.float64] = 100 * shares.sum(-1) / np.maximum(groups, 1)
    return means


class StepRecall(Metric):
    """Step recall as a torchmetrics metric, for use without a protocol.

    Args:
        num_tasks: How many tasks there are.

    Raises:
        ArgumentError: If there is no task.

    Example:
        >>> recall = StepRecall(num_tasks=2)
        >>> recall.update(torch.tensor([3, 9]), [(0, 2.5, 4.2), (1, 5.0, 6.0)], task=0)
        >>> recall.update(torch.tensor([0, 1]), [(1, 0.5, 1.5)], task=1)
        >>> recall.compute()
        tensor(75.)
    """

    full_state_update = False
    higher_is_better = True
    hits: Tensor
    steps: Tensor

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        if num_tasks < 1:
            message = f"num_tasks={num_tasks} must be 1 or more"
            raise ArgumentError(message)
        for name in ("hits", "steps"):
            # float32 would stop counting at 2**24
            zeros = torch.zeros(num_tasks, dtype=torch.long)
            self.add_state(name, zeros, dist_reduce_fx="sum")

    def update(self, seconds: Tensor, spans: Sequence[tuple[int, float, float]], task: int) -> None:
        """Count the steps of a video.

        Args:
            seconds: The second of each step of its task, from 0, (steps,), integers, as
                :func:`~vtlearn.alignment.ordered_assignment` gives them.
            spans: The step, from 0, its start and its end, for each time that one is done.
            task: The video's task, from 0.
        """
        counts = count_steps(seconds, spans)
        self.hits[task] += counts.hits
        self.steps[task] += counts.steps

    def compute(self) -> Tensor:
        """Return the recall in percent: pooled within tasks, then the mean over tasks.

        Returns:
            A scalar, float32; 0 where no video had a step.
        """
        present = self.steps > 0
        shares = self.hits[present].double() / self.steps[present]
        mean = 100 * shares.mean() if len(shares) else shares.new_zeros(())
        return mean.float()
