"""Scores of paragraphs against videos of several windows: Cap. Avg., DTW and OTAM, exactly.

Each pair is compared at its own lengths. Pairs are computed many at once, those of similar lengths
together, so that little is padded and no table of all pairs is ever held.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vtlearn.alignment import dtw, otam
from vtlearn.errors import EvaluationError
from vtlearn.evaluation.metrics.similarity import product

__all__ = ["SequenceScores", "sequence_scores"]

_KEPT = 1.3  # windows per caption
_ALIKE = 1.25  # how many times as long the longest of those computed together may be


class SequenceScores(NamedTuple):
    """Scores of paragraphs and videos; higher is better.

    Attributes:
        cap_avg: The mean over a paragraph's captions of the best window's similarity,
            (paragraphs, videos), float64.
        dtw: Minus the mean cost, 1 - similarity, of the cells on the best path of dynamic time
            warping, likewise.
        otam: Minus the costs of OTAM in both directions, each divided by how many have to be
            matched in it, likewise.
    """

    cap_avg: Tensor
    dtw: Tensor
    otam: Tensor


def sequence_scores(
    captions: Tensor,
    windows: Tensor,
    caption_counts: Sequence[int],
    window_counts: Sequence[int],
    *,
    select: bool = False,
    budget: int = 2**20,
) -> SequenceScores:
    """Score every paragraph against every video.

    Args:
        captions: Vectors of the captions, paragraph after paragraph, (captions, dim), as
            :func:`~vtlearn.evaluation.metrics.similarity.comparable` makes them.
        windows: Vectors of the windows, video after video, (windows, dim), likewise.
        caption_counts: How many captions each paragraph has, at least one.
        window_counts: How many windows each video has, at least one.
        select: Whether DTW and OTAM see only the :func:`kept_windows` nearest to any caption.
        budget: How many cells are computed at a time.

    Returns:
        Three scores per pair.

    Raises:
        EvaluationError: If a similarity is not finite.

    Example:
        >>> one = torch.eye(3)
        >>> scores = sequence_scores(one[[0, 1, 1, 0]], one[[0, 1, 2, 1, 0]], [2, 2], [3, 2])
        >>> [(score.argmax(1)).tolist() for score in scores]  # Cap. Avg. knows no order
        [[0, 0], [0, 1], [0, 1]]
    """
    shape = (len(caption_counts), len(window_counts))
    cap_avg, by_dtw, by_otam = torch.empty(3, *shape, dtype=torch.float64)
    places = _Places.of(window_counts)
    rows = _Places.of(caption_counts)
    for paragraphs in _alike(rows.counts, max(1, 4 * budget // len(windows))):
        row, n = rows.padded(paragraphs)
        similarity = product(captions[row[row >= 0]], windows)
        check_finite_scores(similarity)
        first = n.cumsum(0) - n
        cap_avg[paragraphs] = _cap_avg(similarity, first, n, places.starts)
        local = (first[:, None] + torch.arange(row.shape[1])).minimum((first + n - 1)[:, None])
        nearest = np.maximum.reduceat(similarity.numpy(), first.numpy(), 0) if select else None
        for videos in _alike(places.counts, max(1, budget // local.numel())):
            column, m = places.padded(videos)
            column, m = column.clamp(min=0).expand(len(n), -1, -1), m.expand(len(n), -1)
            if nearest is not None:
                distance = -torch.from_numpy(nearest)[torch.arange(len(n))[:, None, None], column]
                counts = torch.tensor([[kept_windows(count)] for count in n.tolist()])
                kept, m = nearest_windows(distance, m, counts)
                column = column.gather(2, kept)
            cost = _costs(similarity, local, column)
            pair = torch.meshgrid(paragraphs, videos, indexing="ij")
            lengths = n[:, None].expand_as(m).flatten(), m.flatten()
            by_dtw[pair] = -_dtw(cost, *lengths).reshape(m.shape)
            by_otam[pair] = -_otam(cost, *lengths).reshape(m.shape)
    return SequenceScores(cap_avg, by_dtw, by_otam)


def kept_windows(captions: int) -> int:
    """Return how many windows of a video are compared with a paragraph: int(1.3 x captions).

    Args:
        captions: How many captions the paragraph has, at least one.

    Example:
        >>> kept_windows(1), kept_windows(10)
        (1, 13)
    """
    return int(_KEPT * captions)


def nearest_windows(distance: Tensor, length: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Choose the nearest windows, in temporal order; of equally near ones the earlier.

    Args:
        distance: How far each window is from what it is compared with, (..., windows).
        length: How many windows there are, (...); what stands beyond is not read.
        count: How many to choose, broadcasts to (...); all of them where there are fewer.

    Returns:
        Their positions, (..., most that are chosen), of which what lies beyond the lengths is to be
        ignored; and how many they are, (...).

    Example:
        >>> one = torch.tensor([0.5, 0.9, 0.1, 0.0])
        >>> nearest_windows(one, torch.tensor(3), torch.tensor(2))
        (tensor([0, 2]), tensor(2))
    """
    windows = distance.shape[-1]
    kept = torch.minimum(length, count)
    is_window = torch.arange(windows) < length[..., None]
    order = distance.masked_fill(~is_window, torch.inf).argsort(dim=-1, stable=True)
    order = order[..., : int(kept.max())]
    chosen = torch.arange(order.shape[-1]) < kept[..., None]
    ordered = order.masked_fill(~chosen, windows).sort(-1).values
    return ordered.clamp(max=windows - 1), kept


def check_finite_scores(similarity: Tensor) -> None:
    """Refuse similarities that are not numbers, or too large for float32.

    Args:
        similarity: (captions, windows).

    Raises:
        EvaluationError: If one is NaN or infinite.

    Example:
        >>> check_finite_scores(torch.eye(2))
    """
    if not similarity.isfinite().all():
        message = (
            "The similarities of captions and windows are not finite; a model that computes such "
            "cannot be scored. Look for large vectors, or compare by cosine."
        )
        raise EvaluationError(message)


class _Places(NamedTuple):
    """Where the rows of each paragraph, or video, stand.

    Attributes:
        starts: The first row of each, (groups,).
        counts: How many rows each has, (groups,).
    """

    starts: Tensor
    counts: Tensor

    @classmethod
    def of(cls, counts: Sequence[int]) -> "_Places":
        lengths = torch.tensor(counts)
        return cls(lengths.cumsum(0) - lengths, lengths)

    def padded(self, some: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of some groups, padded with -1, and their number."""
        counts = self.counts[some]
        offset = torch.arange(int(counts.max()))
        rows = self.starts[some][:, None] + offset
        return rows.masked_fill(offset >= counts[:, None], -1), counts


def _alike(counts: Tensor, rows: int) -> Iterator[Tensor]:
    """Put groups of similar lengths together, with no more rows than given where it can be."""
    order = counts.argsort(stable=True)
    start = 0
    while start < len(order):
        lengths = counts[order[start:]]
        ranks = torch.arange(1, len(lengths) + 1)
        fits = (lengths <= _ALIKE * lengths[0]) & (lengths * ranks <= rows)
        stop = start + max(1, int(fits.sum()))
        yield order[start:stop]
        start = stop


def _cap_avg(similarity: Tensor, first: Tensor, n: Tensor, starts: Tensor) -> Tensor:
    best = np.maximum.reduceat(similarity.numpy(), starts.numpy(), axis=1).astype(np.float64)
    return torch.from_numpy(np.add.reduceat(best, first.numpy(), axis=0)) / n[:, None]


def _costs(similarity: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Lay out the costs of pairs, (captions, windows, pairs), float64."""
    cells = similarity[row.T[:, None, :, None], column.permute(2, 0, 1)[None]]
    return (1 - cells.double()).flatten(2)


def _dtw(cost: Tensor, n: Tensor, m: Tensor) -> Tensor:
    path = dtw(cost.movedim(2, 0), n=n, m=m)
    return path.distance / path.length


def _otam(cost: Tensor, n: Tensor, m: Tensor) -> Tensor:
    captions_first = cost.movedim(2, 0)
    matched = otam(captions_first.mT, 0.0, n=m, m=n) / n
    return matched + otam(captions_first, 0.0, n=n, m=m) / m
