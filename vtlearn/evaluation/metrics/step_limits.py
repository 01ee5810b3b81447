"""How many steps are found by random scores, and by the best ordered assignment that there is."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.alignment import ordered_assignment

__all__ = ["StepLimits", "TimedSteps", "step_limits"]

_BUDGET = 2**22  # random scores that are held at a time


class TimedSteps(NamedTuple):
    """When the steps of a video are done.

    Attributes:
        spans: The step, from 0, its start and its end in seconds, for each time that one is done.
        seconds: How long the video is.
        steps: How many steps its task has.
    """

    spans: Sequence[tuple[int, float, float]]
    seconds: int
    steps: int


class StepLimits(NamedTuple):
    """How many annotated steps of each video are found without a model.

    Attributes:
        random: By random scores, (draws, videos).
        most: By the ordered assignment that finds most of them, (videos,): steps that are done in
            another order, or again, keep others from being found.
    """

    random: NDArray[np.float64]
    most: NDArray[np.float64]


def step_limits(videos: Sequence[TimedSteps], *, draws: int = 20, seed: int = 0) -> StepLimits:
    """Count the steps that ordered assignments find without a model.

    Args:
        videos: When the steps of each video are done.
        draws: How many tables of random scores each video gets: logits of the steps at each second,
            from the standard normal distribution.
        seed: Where they start.

    Returns:
        The counts; 0 for a video that has fewer seconds than its task has steps.

    Example:
        >>> swapped = TimedSteps([(0, 5.0, 9.0), (1, 0.0, 3.0)], seconds=10, steps=2)
        >>> step_limits([swapped]).most
        array([1.])
    """
    rng = np.random.default_rng(seed)
    limits = StepLimits(np.zeros((draws, len(videos))), np.zeros(len(videos)))
    for batch in _batches(videos, draws):
        some = [videos[index] for index in batch]
        steps, longest = some[0].steps, max(video.seconds for video in some)
        seconds = torch.tensor([video.seconds for video in some])
        truth = torch.stack([step_table(video.spans, longest, steps) for video in some])
        scores = rng.standard_normal((len(some), draws, longest, steps), dtype=np.float32)
        chosen = ordered_assignment(
            -torch.from_numpy(scores).log_softmax(-1), n=seconds[:, None]
        )  # (videos, draws, steps)
        limits.random[:, batch] = truth.gather(1, chosen).sum(2).T.numpy()
        best = ordered_assignment(-truth.float(), n=seconds)
        limits.most[batch] = truth.gather(1, best[:, None])[:, 0].sum(1).numpy()
    return limits


def step_table(spans: Iterable[tuple[int, float, float]], seconds: int, steps: int) -> Tensor:
    """Mark the seconds at which each step is done, from floor(start) to ceil(end) - 1.

    Args:
        spans: The step, from 0, its start and its end, for each time that one is done.
        seconds: How long the table is; what lies beyond is cut off.
        steps: How many steps the task has.

    Returns:
        (seconds, steps), bool.
    """
    table = torch.zeros(seconds, steps, dtype=torch.bool)
    for step, start, end in spans:
        table[math.floor(start) : math.ceil(end), step] = True
    return table


def _batches(videos: Sequence[TimedSteps], draws: int) -> Iterator[list[int]]:
    """Put together videos of as many steps and about as many seconds, by their positions."""
    long_enough = (i for i, video in enumerate(videos) if video.seconds >= video.steps)
    batch: list[int] = []
    for index in sorted(long_enough, key=lambda i: (videos[i].steps, videos[i].seconds)):
        seconds, steps = videos[index].seconds, videos[index].steps
        is_full = (len(batch) + 1) * draws * seconds * steps > _BUDGET
        if batch and (is_full or steps != videos[batch[0]].steps):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
