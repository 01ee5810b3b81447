"""Ranks, and what is read off them, exact where scores tie.

A query's rank is told by two counts: how many wrong items score higher than the best right one, and
how many score the same. Ties are then resolved by expectation over their order: a model that gives
every pair the same score gets R@k = k / N, as if it guessed, and not 0 or 100 %.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError

__all__ = [
    "Ranks",
    "expected_rank",
    "ranks",
    "recall_at",
]

_NOWHERE = -torch.inf


class Ranks(NamedTuple):
    """Where the best right item of each query stands, up to the order of ties.

    Attributes:
        greater: How many wrong items score higher than it, (queries,), int64.
        ties: How many wrong items score the same, (queries,), int64.
        best: How many right items share that score, (queries,), int64; 1 unless several are right.
    """

    greater: Tensor
    ties: Tensor
    best: Tensor


def ranks(similarity: Tensor, relevant: Tensor, *, budget: int = 2**20) -> Ranks:
    """Find where each query's right item stands among all items.

    Args:
        similarity: (queries, items), higher is better; compared in float32 or wider.
        relevant: The position of each query's right item, (queries,), integers; or of several,
            (queries, most), padded with -1. The best of them counts.
        budget: How many similarities are compared at a time; what fits into a cache is quickest.

    Returns:
        Three counts per query.

    Raises:
        ArgumentError: If a query has no right item, one twice, or one outside the matrix.
        EvaluationError: If a similarity is NaN.

    Example:
        >>> ranks(torch.tensor([[0.9, 0.1, 0.9], [0.3, 0.2, 0.1]]), torch.tensor([0, 1]))
        Ranks(greater=tensor([0, 1]), ties=tensor([1, 0]), best=tensor([1, 1]))
    """
    positions = relevant[:, None] if relevant.ndim == 1 else relevant
    _check_positions(similarity, positions)
    chunk = max(1, budget // max(1, similarity.shape[1]))
    parts = [
        _row_ranks(similarity[start : start + chunk], positions[start : start + chunk], start)
        for start in range(0, max(1, len(similarity)), chunk)
    ]
    return _concatenate(parts)


def recall_at(greater: Tensor, ties: Tensor, k: int, best: Tensor | int = 1) -> Tensor:
    """Give each query's probability to have a right item among the first k, over orders of ties.

    With one right item this is min(1, max(0, (k - greater) / (ties + 1))).

    Args:
        greater: How many wrong items score higher, (queries,).
        ties: How many wrong items score the same as the best right one, (queries,).
        k: How many items are looked at.
        best: How many right items share that score, (queries,) or one number.

    Returns:
        (queries,), float64, between 0 and 1.

    Example:
        >>> recall_at(torch.tensor([0, 1, 5]), torch.tensor([3, 0, 0]), k=2)
        tensor([0.5000, 1.0000, 0.0000], dtype=torch.float64)

    Source:
        F. McSherry and M. Najork, Computing Information Retrieval Performance Measures Efficiently
        in the Presence of Tied Scores, 2008: the mean of a measure over all orders of ties.
    """
    right = torch.as_tensor(best, device=ties.device).expand_as(ties)
    seats = (k - greater).clamp(min=0).minimum(ties + right).double()  # the first k, shared by ties
    missed = torch.ones_like(seats)  # probability that wrong items hold all these seats
    for i in range(1, int(right.max()) + 1 if len(right) else 1):
        factor = (ties - seats + i).clamp(min=0) / (ties + i)
        missed = torch.where(i <= right, missed * factor, missed)
    return torch.where(right == 1, seats / (ties + 1), 1 - missed)


def expected_rank(greater: Tensor, ties: Tensor, best: Tensor | int = 1) -> Tensor:
    """Give each query's mean rank over all orders of ties, counted from 1.

    Args:
        greater: How many wrong items score higher, (queries,).
        ties: How many wrong items score the same as the best right one, (queries,).
        best: How many right items share that score, (queries,) or one number.

    Returns:
        1 + greater + ties / (best + 1), (queries,), float64.

    Example:
        >>> expected_rank(torch.tensor([0, 2]), torch.tensor([99, 0]))
        tensor([50.5000,  3.0000], dtype=torch.float64)
    """
    sharing = torch.as_tensor(best, dtype=torch.float64, device=ties.device) + 1
    return 1 + greater.double() + ties / sharing


def _row_ranks(similarity: Tensor, positions: Tensor, first: int) -> Ranks:
    scores = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    broken = scores.amax(1).isnan()  # a maximum with NaN is NaN, and quicker than a mask of NaN
    if broken.any():
        message = (
            f"The similarities of query {first + int(broken.nonzero()[0])} contain NaN; look "
            "for NaN in the vectors they were computed from."
        )
        raise EvaluationError(message)
    present = positions >= 0
    own = scores.gather(1, positions.clamp(min=0)).masked_fill(~present, _NOWHERE)
    level = own.amax(1, keepdim=True)
    best = ((own == level) & present).sum(1)
    # int32 adds up several times faster than int64, and no gallery has 2**31 items
    greater = (scores > level).sum(1, dtype=torch.int32)
    at_level = (scores == level).sum(1, dtype=torch.int32)
    return Ranks(greater.long(), at_level.long() - best, best)


def _concatenate(parts: list[Ranks]) -> Ranks:
    return Ranks(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _check_positions(similarity: Tensor, positions: Tensor) -> None:
    queries, items = similarity.shape
    ordered = positions.sort(1).values
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()
    outside = (positions >= items).any() or (positions < -1).any()
    if len(positions) != queries or twice or outside or (positions < 0).all(1).any():
        message = (
            f"relevant must name, for each of {queries} queries, one or more different positions "
            f"from 0 to {items - 1}, padded with -1; its shape is {tuple(positions.shape)}."
        )
        raise ArgumentError(message)
