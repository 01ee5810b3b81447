"""Ranks in both directions straight from vectors, never holding all their scores at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.metrics.retrieval import Ranks
from vtlearn.evaluation.metrics.similarity import product

__all__ = ["DirectionRanks", "vector_ranks"]

_NOWHERE = -torch.inf
_PAIRS = 4096  # right pairs scored at a time


class DirectionRanks(NamedTuple):
    """Ranks in both directions; a query without a right item in the gallery is left out.

    Attributes:
        text_to_video: For each text, among the videos.
        video_to_text: For each video, among the videos' texts.
    """

    text_to_video: Ranks
    video_to_text: Ranks


def vector_ranks(
    videos: Tensor, texts: Tensor, pairs: Tensor, *, budget: int = 2**23
) -> DirectionRanks:
    """Rank texts and videos by dot product, without ever holding the whole matrix.

    Both directions come from one product. A text's rank is taken among all videos, by the best of
    its right ones. A video's rank is taken among videos, each standing for the best of its texts
    (those that are the query's own as well left out), so that a video with forty captions is no
    easier or harder to pass than one with a single caption. A text that belongs to no video present
    stands for itself. All of this happens on the CPU.

    Args:
        videos: (videos, dim), any floating dtype.
        texts: (texts, dim), any floating dtype.
        pairs: Positions of each right pair: video, text; (pairs, 2), int64.
        budget: How many scores are held at a time.

    Returns:
        Ranks of the texts that have a video here, and of the videos that have a text.

    Raises:
        EvaluationError: If a vector is not finite.

    Example:
        >>> both = vector_ranks(torch.eye(2), torch.eye(2), torch.tensor([[0, 0], [1, 1]]))
        >>> both.text_to_video.greater
        tensor([0, 0])

    Source:
        H. Luo et al., CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval,
        2021, whose multi-sentence protocol takes the best of a video's captions. Its ties fall as a
        sort leaves them; ours are expectations.
    """
    videos, texts, pairs = videos.detach().cpu(), texts.detach().cpu(), pairs.cpu()
    _check_finite(videos, "video")
    _check_finite(texts, "text")
    pairs = torch.unique(pairs, dim=0)  # sorted by video
    own = _pair_scores(videos, texts, pairs)
    best_video = _best(own, pairs[:, 0], len(videos))
    best_text = _best(own, pairs[:, 1], len(texts))
    columns, groups = texts.double(), _Groups.of(pairs, len(texts))
    text_counts = torch.zeros(2, len(texts), dtype=torch.int64)
    video_counts = []
    for start, scores in _tiles(videos, columns, pairs, budget):
        stop = start + len(scores)
        text_counts += _count(scores, best_text[None], axis=0)
        video_counts.append(_count(groups.best(scores), best_video[start:stop, None], axis=1))
    sharing = torch.zeros(len(texts), dtype=torch.int64)
    sharing.index_add_(0, pairs[:, 1], (own == best_text[pairs[:, 1]]).long())
    return DirectionRanks(
        _answered(text_counts, sharing, best_text),
        _answered(torch.cat(video_counts, 1), torch.ones_like(best_video).long(), best_video),
    )


class _Groups(NamedTuple):
    """Which texts stand for which video.

    Attributes:
        members: Positions of texts, group after group.
        starts: Where each group starts among the members.
        single: Whether every text is a group by itself, and exactly one.
    """

    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    single: bool

    @classmethod
    def of(cls, pairs: Tensor, texts: int) -> "_Groups":
        alone = np.setdiff1d(np.arange(texts), pairs[:, 1].numpy())
        firsts = np.unique(pairs[:, 0].numpy(), return_index=True)[1]
        members = np.concatenate([pairs[:, 1].numpy(), alone])
        starts = np.concatenate([firsts, len(pairs) + np.arange(len(alone))])
        return cls(members, starts, len(starts) == len(members) == texts)

    def best(self, scores: Tensor) -> Tensor:
        if self.single:
            return scores
        table = scores.numpy()[:, self.members]
        return torch.from_numpy(np.maximum.reduceat(table, self.starts, axis=1))


def _tiles(
    videos: Tensor, texts: Tensor, pairs: Tensor, budget: int
) -> Iterator[tuple[int, Tensor]]:
    rows = max(1, budget // max(1, len(texts)))
    video_of, text_of = pairs[:, 0].contiguous(), pairs[:, 1]
    # One tile's memory for all of them: an allocator that is asked each time may keep many.
    wide = torch.empty(min(rows, len(videos)), len(texts), dtype=torch.float64)
    narrow = torch.empty_like(wide, dtype=torch.float32)
    for start in range(0, len(videos), rows):
        part = videos[start : start + rows]
        scores = product(part, texts, work=wide[: len(part)], out=narrow[: len(part)])
        ends = torch.tensor([start, start + rows])
        first, last = torch.searchsorted(video_of, ends).tolist()
        scores[video_of[first:last] - start, text_of[first:last]] = _NOWHERE  # right: no rivals
        yield start, scores


def _pair_scores(videos: Tensor, texts: Tensor, pairs: Tensor) -> Tensor:
    parts = (pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS))
    scores = [(videos[v].double() * texts[t].double()).sum(1) for v, t in (p.T for p in parts)]
    return torch.cat(scores).to(torch.float32)


def _best(own: Tensor, query: Tensor, queries: int) -> Tensor:
    return own.new_full((queries,), _NOWHERE).scatter_reduce(0, query, own, "amax")


def _count(scores: Tensor, best: Tensor, *, axis: int) -> Tensor:
    # numpy counts booleans several times faster than torch adds them up
    table, level = scores.numpy(), best.numpy()
    counts = [np.count_nonzero(table > level, axis), np.count_nonzero(table == level, axis)]
    return torch.from_numpy(np.stack(counts))


def _answered(counts: Tensor, sharing: Tensor, best: Tensor) -> Ranks:
    has_answer = best > _NOWHERE
    return Ranks(counts[0][has_answer], counts[1][has_answer], sharing[has_answer])


def _check_finite(vectors: Tensor, kind: str) -> None:
    broken = ~vectors.isfinite().all(1)
    if broken.any():
        message = (
            f"The vector of {kind} {int(broken.nonzero()[0])} (counted from 0) is not finite; "
            "a model that computes NaN or infinity cannot be ranked."
        )
        raise EvaluationError(message)
