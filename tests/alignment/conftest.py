"""The brute force that the alignment tests compare with: every monotone path, one by one."""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor


@cache
def monotone_paths(rows: int, columns: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    if (rows, columns) == (1, 1):
        return (((0, 0),),)
    before = [(rows - 1, columns - 1), (rows - 1, columns), (rows, columns - 1)]
    return tuple(
        (*path, (rows - 1, columns - 1))
        for n, m in before
        if min(n, m) > 0
        for path in monotone_paths(n, m)
    )


def enumerate_paths(cost: Tensor, gamma: float) -> tuple[float, Tensor]:
    paths = monotone_paths(*cost.shape)
    sums = torch.tensor(
        [math.fsum(float(cost[cell]) for cell in path) for path in paths], dtype=torch.float64
    )
    if gamma == 0:
        probabilities = (sums == sums.min()).double()
        value = float(sums.min())
    else:
        probabilities = torch.softmax(-sums / gamma, 0)
        value = float(-gamma * torch.logsumexp(-sums / gamma, 0))
    expected = torch.zeros_like(cost)
    for path, probability in zip(paths, probabilities, strict=True):
        for cell in path:
            expected[cell] += probability
    return value, expected


@pytest.fixture(scope="session")
def by_enumeration() -> Callable[[Tensor, float], tuple[float, Tensor]]:
    """Value and expected alignment of one float64 cost, (clips, captions)."""
    return enumerate_paths
