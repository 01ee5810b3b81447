"""Retrieval: find the video of a text among all videos, and the text of a video."""

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.metrics.bootstrap import Statistic, bootstrap_interval
from vtlearn.evaluation.metrics.retrieval import Ranks, expected_rank, recall_at
from vtlearn.evaluation.metrics.similarity import Similarity, comparable
from vtlearn.evaluation.metrics.tiled_ranks import vector_ranks
from vtlearn.evaluation.protocol import EncodedItem, Protocol, Result
from vtlearn.evaluation.vectors import IdVectors, VectorTable

__all__ = ["Retrieval", "RetrievalState"]

_AT = (1, 5, 10)
_PRIMARIES = [f"{direction}_R@{k}" for direction in ("t2v", "v2t") for k in _AT]


class RetrievalState(NamedTuple):
    """What one process has collected.

    Attributes:
        videos: Vectors of videos.
        texts: Vectors of texts.
    """

    videos: VectorTable
    texts: VectorTable


class Retrieval(Protocol):
    """Score text-to-video and video-to-text retrieval over a fixed list of videos.

    Metrics, each as ``t2v_`` (a text asks) and ``v2t_`` (a video asks): ``R@1``, ``R@5``, ``R@10``
    in percent, ``median_rank`` and ``mean_rank`` from 1. Ties count by their expectation. A text
    with several videos is found by the best of them; a video competes with others by the best of
    each one's texts (see :func:`~vtlearn.evaluation.metrics.tiled_ranks.vector_ranks`). A video
    counts as evaluated when it came with all its texts; what came without stays in the gallery.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        expected: The ids of the videos that must come.
        relevance: For each text id the ids of the videos it belongs to.
        windows: How the windows of a video are chosen, in words.
        primary: The metric that models are chosen by: one of the R@k.
        similarity: ``cosine``, or ``dot`` to compare vectors as they come.

    Raises:
        ArgumentError: If the ids contradict each other, or a choice is none.

    Example:
        >>> pairs = Retrieval("pairs", 1, ["v1", "v2"], {"a": ["v1"], "b": ["v2"]}, windows="whole")
        >>> pairs.update_video(["v1", "v2"], torch.eye(2))
        >>> pairs.update_text(["b", "a"], torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        >>> result = pairs.compute()
        >>> result.metrics["t2v_R@1"]  # "a" is as near to one as to the other
        75.0
        >>> result.coverage.complete
        True
    """

    def __init__(
        self,
        name: str,
        version: int,
        expected: Sequence[str],
        relevance: Mapping[str, Sequence[str]],
        *,
        windows: str,
        primary: str = "t2v_R@1",
        similarity: Similarity = "cosine",
    ) -> None:
        _check_choices(name, primary, similarity)
        _check_ids(name, expected, relevance)
        self.name = name
        self.version = version
        self.expected = list(expected)
        self.relevance = dict(relevance)
        self.windows = windows
        self.primary = primary
        self.similarity: Similarity = similarity
        self.reset()

    def update_video(self, ids: Sequence[str], vectors: Tensor) -> None:
        """Take in videos.

        Args:
            ids: Their ids.
            vectors: (videos, dim), any floating dtype and device.

        Raises:
            EvaluationError: If an id is not expected or comes twice, or a vector is not finite.
        """
        self._videos.add(ids, vectors)

    def update_text(self, ids: Sequence[str], vectors: Tensor) -> None:
        """Take in texts.

        Args:
            ids: Their ids.
            vectors: (texts, dim), any floating dtype and device.

        Raises:
            EvaluationError: If an id is not expected or comes twice, or a vector is not finite.
        """
        self._texts.add(ids, vectors)

    def update(self, item: EncodedItem) -> None:
        """Take in one video with its texts.

        Args:
            item: ``clip`` is the video's vector. A text that belongs to several videos may come
                with each of them.

        Raises:
            EvaluationError: If the video or a text cannot be taken, or a text is not the video's.
        """
        for text in item.text_ids:
            if item.id not in self.relevance.get(text, [item.id]):
                message = (
                    f"The text {text!r} came with video {item.id!r}, but {self.name} says that it "
                    f"belongs to {', '.join(self.relevance[text])}."
                )
                raise EvaluationError(message)
        self._videos.add([item.id], item.clip[None])
        if item.text_ids:
            self._texts.add(item.text_ids, item.texts, again=True)

    def reset(self) -> None:
        """Forget everything that was taken in."""
        self._videos = IdVectors("video", frozenset(self.expected))
        self._texts = IdVectors("text", self.relevance.keys())

    def state(self) -> RetrievalState:
        """Return what was taken in so far, as something that pickles."""
        return RetrievalState(self._videos.table(), self._texts.table())

    def merge(self, states: Sequence[RetrievalState]) -> Self:
        """Make a protocol that has taken in what several have.

        Args:
            states: One state a process; an id may stand in several, and is then taken once.

        Returns:
            A new protocol, whose result does not depend on the number of the states or their order.
        """
        merged = copy.copy(self)
        merged.reset()
        for state in states:
            stores = (merged._videos, merged._texts)  # noqa: SLF001 - our own kind
            for store, table in zip(stores, state, strict=True):
                if table.ids:
                    store.add(table.ids, table.vectors, again=True)
        return merged

    def compute(self) -> Result:
        """Score what was taken in.

        Returns:
            Metrics of both directions with their intervals.

        Raises:
            EvaluationError: If there is no text whose video came, or widths differ.
        """
        videos, texts = self.state()
        found = vector_ranks(
            *self._comparable(videos.vectors, texts.vectors), self._pairs(videos.ids, texts.ids)
        )
        metrics: dict[str, float] = {}
        intervals: dict[str, tuple[float, float]] = {}
        for direction, counts in zip(("t2v", "v2t"), found, strict=True):
            for metric, (values, statistic) in _measures(counts).items():
                metrics[f"{direction}_{metric}"] = float(statistic(values[None], axis=1)[0])
                intervals[f"{direction}_{metric}"] = bootstrap_interval(values, statistic)
        return self._result(metrics, intervals, self._evaluated())

    def _comparable(self, videos: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        if len(videos) and len(texts) and videos.shape[1] != texts.shape[1]:
            message = (
                f"{self.name} cannot compare videos of width {videos.shape[1]} with texts of width "
                f"{texts.shape[1]}; both must come from the same model."
            )
            raise EvaluationError(message)
        return comparable(videos, self.similarity), comparable(texts, self.similarity)

    def _pairs(self, videos: Sequence[str], texts: Sequence[str]) -> Tensor:
        position = {video: index for index, video in enumerate(videos)}
        pairs = [
            (position[video], index)
            for index, text in enumerate(texts)
            for video in self.relevance[text]
            if video in position
        ]
        if not pairs:
            message = (
                f"{self.name} has nothing to score: {len(videos)} videos and {len(texts)} texts "
                "came, and no text belongs to any of the videos."
            )
            raise EvaluationError(message)
        return torch.tensor(pairs)

    def _evaluated(self) -> set[str]:
        absent = [text for text in self.relevance if text not in self._texts]
        incomplete = {video for text in absent for video in self.relevance[text]}
        return {one for one in self.expected if one in self._videos and one not in incomplete}


def _measures(counts: Ranks) -> dict[str, tuple[NDArray[np.float64], Statistic]]:
    rank = expected_rank(*counts).numpy()
    measures: dict[str, tuple[NDArray[np.float64], Statistic]] = {}
    for k in _AT:
        found = recall_at(counts.greater, counts.ties, k, counts.best)
        measures[f"R@{k}"] = (100 * found.numpy(), np.mean)
    return {**measures, "median_rank": (rank, np.median), "mean_rank": (rank, np.mean)}


def _check_choices(name: str, primary: str, similarity: str) -> None:
    if primary not in _PRIMARIES:
        message = f"{name}: primary={primary!r} is none of {', '.join(_PRIMARIES)}."
        raise ArgumentError(message)
    if similarity not in ("cosine", "dot"):
        message = f"{name}: similarity={similarity!r} is neither 'cosine' nor 'dot'."
        raise ArgumentError(message)


def _check_ids(name: str, expected: Sequence[str], relevance: Mapping[str, Sequence[str]]) -> None:
    known = set(expected)
    if len(known) != len(expected):
        message = (
            f"{name}: an id stands twice among the {len(expected)} expected ones; list it once."
        )
        raise ArgumentError(message)
    for text, videos in relevance.items():
        if isinstance(videos, str) or not videos or not known.issuperset(videos):
            message = (
                f"{name}: the text {text!r} must belong to one or more of the expected videos, as "
                f"a list; it is said to belong to {videos!r}."
            )
            raise ArgumentError(message)
