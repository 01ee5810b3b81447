"""What published evaluations compute, quirks and all; nothing else in vtlearn has these.

These functions exist to compare with published figures, for ``mode="reference"``. Each says where
it departs from what its metric's name promises. All of them are pure functions, written from a
description of the computations.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vtlearn.alignment import ordered_assignment
from vtlearn.evaluation.metrics.sequence_scores import kept_windows, nearest_windows
from vtlearn.evaluation.metrics.step_limits import step_table

__all__: list[str] = []

_BUDGET = 2**21  # cells of padded tables that are held at a time


def published_ranks(similarity: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rank as the released retrieval code of MIL-NCE and VT-TWINS does.

    A rank is every position at which the sorted row holds the value of the right item. Under ties a
    query therefore has several ranks, all of which are counted.

    Args:
        similarity: (queries, items), square; item i is the right one of query i.

    Returns:
        (hits,), from 0, query by query; as many as there are queries, or more.

    Example:
        >>> published_ranks(np.array([[0.5, 0.5], [0.9, 0.1]]))
        array([0, 1, 1])
    """
    ordered = np.sort(-similarity, axis=1)
    return np.nonzero(ordered == -np.diag(similarity)[:, None])[1]


def published_retrieval(similarity: NDArray[np.floating]) -> dict[str, float]:
    """Compute R@1, R@5, R@10 and the median rank of :func:`published_ranks`.

    The shares are of the number of hits, not of the queries: a model that gives all pairs one score
    has R@k = k / N, and the median rank (N + 1) / 2; a query that ties weighs more than one that
    does not.

    Args:
        similarity: (queries, items), square; item i is the right one of query i.

    Returns:
        ``R@k`` in percent, ``median_rank`` from 1.

    Example:
        >>> published_retrieval(np.array([[0.5, 0.5], [0.9, 0.1]]))["R@1"]
        33.33333333333333
    """
    found = published_ranks(similarity)
    recalls = {f"R@{k}": 100 * float((found < k).mean()) for k in (1, 5, 10)}
    return {**recalls, "median_rank": float(np.median(found)) + 1}


def segment_accuracy(similarity: Tensor) -> float:
    """Compute VT-TWINS' "CTR" of one task: how often a segment's own step has the highest score.

    Each column is the step text of one segment. A segment is right where the highest value of its
    row equals, bit for bit, the value of its own column; so equal texts count as one label if their
    floats are equal, and a model that gives one score to everything is always right.

    Args:
        similarity: (segments, segments), of each segment and the step text of each.

    Returns:
        The share of segments that are right, in percent.

    Example:
        >>> segment_accuracy(torch.tensor([[0.2, 0.2], [0.9, 0.1]]))
        50.0
    """
    return 100 * (similarity.amax(1) == similarity.diagonal()).double().mean().item()


def published_step_hits(
    scores: Tensor, spans: Iterable[tuple[int, float, float]]
) -> tuple[int, int]:
    """Count CrossTask's step recall of one video, as the released code does.

    Every step of the task is given one second, in order, absent ones too; a log-softmax over the
    steps, without a background class, says what that costs. With no more seconds than steps, no
    step is given a second, as in the Python port of the released dynamic program: its end test
    reads a state that cannot be reached.

    Args:
        scores: (seconds, steps), logits.
        spans: Which step, counted from 0, is seen from when to when, in seconds. It covers the
            seconds from floor(start) up to ceil(end), less what lies beyond the scores.

    Returns:
        How many steps were given one of their seconds, and how many have any.

    Example:
        >>> published_step_hits(torch.tensor([[9.0, 0], [0, 0], [0, 9]]), [(0, 0, 1), (1, 1, 2)])
        (1, 2)
    """
    seconds, steps = scores.shape
    truth = step_table(spans, seconds, steps)
    total = int(truth.any(0).sum())
    if seconds <= steps:
        return 0, total
    chosen = ordered_assignment(-scores.log_softmax(1)).cpu()
    return int(truth[chosen, torch.arange(steps)].sum()), total


class PublishedScores(NamedTuple):
    """Scores of full-video retrieval, higher is better.

    Attributes:
        cap_avg: (paragraphs, videos).
        dtw: (paragraphs, videos), float32.
        otam: (paragraphs, videos), float32.
    """

    cap_avg: Tensor
    dtw: Tensor
    otam: Tensor


def published_full_video(
    similarity: Tensor,
    rows: Sequence[Sequence[int]],
    columns: Sequence[Sequence[int]],
    *,
    select: bool = False,
) -> PublishedScores:
    """Score paragraphs against videos as TempCLR's and Norton's released evaluations do.

    ``cap_avg`` is the mean over a paragraph's captions of the best clip. For ``dtw`` and ``otam``,
    1 - similarity is scaled by Lmax * Vmax / (captions * clips), padded to Lmax x Vmax (the longest
    paragraph and video), and solved with the faults of :func:`padded_dtw` and :func:`padded_otam`;
    OTAM is solved for the transpose as well, and the two are added up.

    Two things are not reproduced, since not enough is known of them. With ``select`` the released
    transposed OTAM keeps its targets as they were, which crops tables of more rows than the longest
    paragraph; here the targets are swapped. Blocks that overlap would be scaled more than once.

    Args:
        similarity: (captions, clips) of all paragraphs and videos, raw dot products.
        rows: The captions of each paragraph, in order.
        columns: The clips of each video, in order.
        select: Whether videos come with their background: of each pair only the int(1.3 x captions)
            clips nearest to any of the captions are kept for ``dtw`` and ``otam``, in order.

    Returns:
        Three scores per paragraph and video.

    Example:
        >>> scores = published_full_video(torch.eye(2), [[0], [1]], [[0], [1]])
        >>> scores.cap_avg
        tensor([[1., 0.],
                [0., 1.]])

    Source:
        Y. Yang et al., TempCLR: Temporal Alignment Representation with Contrastive Learning, 2023,
        its released metrics of full-video retrieval with and without background.
    """
    best = torch.stack([similarity[:, list(video)].amax(1) for video in columns], 1)
    cap_avg = torch.stack([best[list(paragraph)].mean(0) for paragraph in rows])
    distance = 1 - similarity
    dtw = similarity.new_empty(len(rows), len(columns), dtype=torch.float32)
    otam = torch.empty_like(dtw)
    at_a_time = max(1, _BUDGET // (len(columns) * max(map(len, rows)) * max(map(len, columns))))
    for start in range(0, len(rows), at_a_time):
        some = slice(start, start + at_a_time)
        cost, n, m = _scaled_costs(distance, rows, columns, some, select=select)
        dtw[some] = -padded_dtw(cost, n, m).reshape(-1, len(columns))
        both = padded_otam(cost, n, m) + padded_otam(cost.mT, m, n)
        otam[some] = -both.reshape(-1, len(columns))
    return PublishedScores(cap_avg, dtw, otam)


def padded_dtw(cost: Tensor, n: Tensor, m: Tensor) -> Tensor:
    """Solve hard DTW as released: padded to one shape, which changes the answer.

    Where a table has fewer columns than the shape, its last row may go unmatched; where it has as
    many, its last row costs nothing.

    Args:
        cost: (tables, rows, columns), whose shape is what all of them are padded to.
        n: Rows that each table has, (tables,); what stands beyond them is not read.
        m: Columns that each table has, (tables,).

    Returns:
        (tables,), float32, in which sums are kept as well.

    Example:
        >>> cost = torch.tensor([[1.0, 2, 3, 0, 0], [4, 1, 2, 0, 0], [3, 2, 1, 0, 0]])
        >>> three = torch.tensor([3])
        >>> padded_dtw(cost[None], three, three), padded_dtw(cost[None, :, :3], three, three)
        (tensor([3.]), tensor([2.]))
    """
    padded = _padded(cost, n, m, border=0)
    row = padded[0].cumsum(0).float()
    for costs in padded[1:]:
        cells = [(costs[0] + row[0]).float()]
        for column in range(1, len(costs)):
            least = torch.minimum(torch.minimum(row[column - 1], row[column]), cells[-1])
            cells.append((costs[column] + least).float())
        row = torch.stack(cells)
    return row[-1]


def padded_otam(cost: Tensor, n: Tensor, m: Tensor) -> Tensor:
    """Solve hard OTAM as released: padded to one shape, and with a sign slip.

    Where a table has fewer columns than the shape, a path has to end in one of its last three rows;
    where it has as many, its last row costs nothing. The cells of the first column are their costs
    MINUS the least cell before, which matters where costs are negative.

    Args:
        cost: (tables, rows, columns), whose shape, with a zero column on either side, is what all
            of them are padded to.
        n: Rows that each table has, (tables,); what stands beyond them is not read.
        m: Columns that each table has, (tables,).

    Returns:
        (tables,), float32, in which sums are kept as well.

    Example:
        >>> cost = torch.tensor([[1.0, 2, 3, 0, 0], [4, 1, 2, 0, 0], [3, 2, 1, 0, 0]])
        >>> three = torch.tensor([3])
        >>> padded_otam(cost[None], three, three), padded_otam(cost[None, :, :3], three, three)
        (tensor([3.]), tensor([0.]))
    """
    padded = _padded(cost, n, m, border=1)
    last = padded.shape[1] - 1
    nothing = torch.zeros_like(padded[0, :1])
    row = torch.cat([nothing, padded[0, 1:].cumsum(0)]).float()
    for costs in padded[1:]:
        cells = [torch.zeros_like(row[0])]
        least = torch.minimum(row[0], row[1])
        cells.append((costs[1] - least).float())
        for column in range(2, last):
            least = torch.minimum(row[column - 1], cells[-1])
            cells.append((costs[column] + least).float())
        least = torch.minimum(torch.minimum(row[last - 1], row[last]), cells[-1])
        cells.append((costs[last] + least).float())
        row = torch.stack(cells)
    return row[-1]


def last_k_hits(scores: Tensor, k: int) -> Tensor:
    """Say which queries find their item among the last k of an ascending sort.

    The released code sorts as numpy does by default, which leaves ties in no order that can be
    relied on; here the sort is stable, so that of equal items the later ones are found.

    Args:
        scores: (queries, items), square; item i is the right one of query i.
        k: How many items are looked at.

    Returns:
        (queries,), bool.

    Example:
        >>> last_k_hits(torch.zeros(2, 2), 1)
        tensor([False,  True])
    """
    last = scores.argsort(dim=1, stable=True)[:, -k:]
    return (last == torch.arange(len(scores), device=last.device)[:, None]).any(1)


def _scaled_costs(
    distance: Tensor,
    rows: Sequence[Sequence[int]],
    columns: Sequence[Sequence[int]],
    some: slice,
    *,
    select: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut out the scaled costs of some paragraphs and all videos, and the size of each.

    Returns:
        (pairs, longest paragraph, longest video), and twice (pairs,).
    """
    shape = (max(map(len, rows)), max(map(len, columns)))
    row, n = _positions(rows[some], shape[0])
    column, m = _positions(columns, shape[1])
    column, m = column.expand(len(n), -1, -1), m.expand(len(n), -1)
    n = n[:, None].expand(m.shape)
    if select:
        best = torch.stack([distance[list(paragraph)].amin(0) for paragraph in rows[some]])
        nearest = best.gather(1, column.flatten(1)).reshape(column.shape)
        counts = torch.tensor([kept_windows(len(paragraph)) for paragraph in rows[some]])
        kept, m = nearest_windows(nearest, m, counts[:, None])
        column = column.gather(2, functional.pad(kept, (0, shape[1] - kept.shape[2])))
    cost = distance[row[:, None, :, None], column[:, :, None, :]]
    scale = (shape[0] * shape[1] / (n * m).double()).to(cost.dtype)
    return (cost * scale[..., None, None]).flatten(0, 1), n.flatten(), m.flatten()


def _positions(groups: Sequence[Sequence[int]], size: int) -> tuple[Tensor, Tensor]:
    """Lay out positions, padded with 0 to a size, and how many there are of each."""
    padded = [[*group, *[0] * (size - len(group))] for group in groups]
    return torch.tensor(padded), torch.tensor([len(group) for group in groups])


def _padded(cost: Tensor, n: Tensor, m: Tensor, *, border: int) -> Tensor:
    """Pad tables with infinity, then put zeros where the released code does.

    Args:
        cost: (tables, rows, columns).
        n: (tables,), rows.
        m: (tables,), columns.
        border: Zero columns before and behind each table; they are there before it is padded.

    Returns:
        (rows, columns with borders, tables).
    """
    size = cost.shape[2] + 2 * border
    row, column = torch.arange(cost.shape[1])[:, None, None], torch.arange(size)[:, None]
    inside = (row < n) & (column < m + 2 * border)
    costs = functional.pad(cost.movedim(0, -1), (0, 0, border, border))
    is_cost = (column >= border) & (column < m + border)
    padded = torch.where(inside & is_cost, costs, torch.where(inside, 0, math.inf))
    # the slice that should begin behind the columns is -0: where none is missing, which is all
    behind = (column >= m + 2 * border) | (m == cost.shape[2])
    return torch.where((row >= n - 1) & behind, 0, padded).to(cost.dtype)
