"""Retrieval: find the video of a text among all videos, and the text of a video."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.metrics.chance import Chance, chance_of
from vtlearn.evaluation.metrics.retrieval import Ranks, expected_rank, recall_at
from vtlearn.evaluation.metrics.sequence_scores import check_finite_scores
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.metrics.tiled_ranks import vector_ranks
from vtlearn.evaluation.protocol import Mode, Protocol
from vtlearn.evaluation.reference import published_ranks
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.vectors import IdVectors, VectorTable

__all__ = ["Retrieval", "VideoWithTexts"]

_AT = (1, 5, 10)
Values = dict[str, NDArray[np.float64]]

_PRIMARIES = [f"{direction}_R@{k}" for direction in ("t2v", "v2t") for k in _AT]


class VideoWithTexts(NamedTuple):
    """What is kept of one video.

    Attributes:
        video: Its vector, (dim,), float32.
        texts: Vectors of the texts that it came with.
    """

    video: Tensor
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
        similarity: ``cosine``, ``dot`` to compare vectors as they come, or None for the way the
            model's head was trained with; vectors that no head has embedded are then compared as
            they come.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.
        captions: What each text says, by its id. Texts that say the same are found by the same
            vector, so that no model tells their videos apart; this gives the ceilings.
        mode: ``reference`` reproduces the code that MIL-NCE and VT-TWINS released, to compare with
            published figures: by dot product, without ``mean_rank`` and ceilings, of texts and
            videos that came in pairs alone. A query that ties has several ranks, all of which
            count, and the shares are of ranks (see
            :func:`~vtlearn.evaluation.reference.published_ranks`); intervals resample ranks.

    Raises:
        ArgumentError: If the ids contradict each other, a choice is unknown, or ``reference`` is to
            score texts and videos that are not pairs.

    Example:
        >>> pairs = Retrieval("pairs", 1, ["v1", "v2"], {"a": ["v1"], "b": ["v2"]}, windows="whole")
        >>> videos = VectorTable(["v1", "v2"], torch.eye(2))
        >>> texts = VectorTable(["b", "a"], torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        >>> result = pairs.score(videos, texts)
        >>> result.metrics["t2v_R@1"]  # "a" is as near to one as to the other
        75.0
        >>> result.coverage.complete
        True
    """

    item_texts = True

    def __init__(
        self,
        name: str,
        version: int,
        expected: Sequence[str],
        relevance: Mapping[str, Sequence[str]],
        *,
        windows: str,
        primary: str = "t2v_R@1",
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
        captions: Mapping[str, str] = MappingProxyType({}),
        mode: Mode = "exact",
    ) -> None:
        check_choices(name, similarity, pooling=pooling, mode=mode)
        _check_primary(name, primary)
        _check_ids(name, expected, relevance)
        if mode == "reference":
            _check_reference(name, similarity, expected, relevance)
            similarity = "dot"
        self.name = name
        self.version = version
        self.expected = list(expected)
        self.relevance = dict(relevance)
        self.windows = windows
        self.primary = primary
        self.similarity = similarity or (None if pooling == "head" else "dot")
        self.pooling = pooling
        self.captions = captions
        self.mode = mode
        self._videos = frozenset(expected)

    def update(self, item: EncodedItem) -> VideoWithTexts:
        """Keep the vectors of a video and its texts.

        Args:
            item: The video. A text that belongs to several videos may come with each of them.

        Returns:
            Its vectors, embedded.

        Raises:
            EvaluationError: If a text is not the video's or comes twice, or a vector is not finite.
        """
        for text in item.text_ids:
            if item.id not in self.relevance.get(text, [item.id]):
                message = (
                    f"The text {text!r} came with video {item.id!r}, but {self.name} says that it "
                    f"belongs to {', '.join(self.relevance[text])}."
                )
                raise EvaluationError(message)
        videos, texts = self._stores()
        videos.add([item.id], item.clip(self.pooling)[None])
        if item.text_ids:
            texts.add(item.text_ids, item.embedded(item.texts, self.pooling))
        return VideoWithTexts(videos.table().vectors[0], texts.table())

    def compute(self, kept: Mapping[str, VideoWithTexts]) -> Result:
        """Score the videos and texts that came.

        Args:
            kept: What :meth:`update` returned for each video.

        Returns:
            Metrics of both directions with their intervals.

        Raises:
            EvaluationError: If there is no text whose video came, or widths differ.
        """
        videos, texts = self._stores()
        for video, vectors in kept.items():
            videos.add([video], vectors.video[None])
            if vectors.texts.ids:
                texts.add(*vectors.texts, again=True)
        return self._score(videos, texts)

    def score(self, videos: VectorTable, texts: VectorTable) -> Result:
        """Score vectors of any origin, without items or a model.

        Args:
            videos: Ids and vectors, (videos, dim), any floating dtype and device, in any order.
            texts: Ids and vectors, (texts, dim), likewise.

        Returns:
            Metrics of both directions with their intervals. Vectors are compared by cosine, unless
            ``similarity`` says otherwise.

        Raises:
            EvaluationError: If an id is not expected or comes twice, a vector is not finite, there
                is no text whose video came, or widths differ.
        """
        stores = self._stores()
        for store, table in zip(stores, (videos, texts), strict=True):
            if table.ids:
                store.add(*table)
        return self._score(*stores)

    def _stores(self) -> tuple[IdVectors, IdVectors]:
        return IdVectors("video", self._videos), IdVectors("text", self.relevance.keys())

    def _score(self, video_store: IdVectors, text_store: IdVectors) -> Result:
        videos, texts = video_store.table(), text_store.table()
        vectors = self._comparable(videos.vectors, texts.vectors)
        pairs = self._pairs(videos.ids, texts.ids)
        measured = zip(("t2v", "v2t"), self._measured(*vectors, pairs), strict=True)
        values = {
            f"{direction}_{metric}": several
            for direction, measures in measured
            for metric, several in measures.items()
        }
        absent = [text for text in self.relevance if text not in text_store]
        incomplete = {video for text in absent for video in self.relevance[text]}
        complete = set(videos.ids) - incomplete
        medians = {metric: np.median for metric in values if metric.endswith("median_rank")}
        return self.summarize(
            values, complete, medians, chance=self._chance(), ceiling=self._ceiling()
        )

    def _measured(self, videos: Tensor, texts: Tensor, pairs: Tensor) -> list[Values]:
        """Return the values of each metric when texts ask, and when videos do."""
        if self.mode == "exact":
            return [_measures(counts) for counts in vector_ranks(videos, texts, pairs)]
        video, text = pairs.T  # in the order of the texts
        scores = product(texts[text], videos[video])
        check_finite_scores(scores)
        return [_published_measures(published_ranks(one.numpy())) for one in (scores, scores.T)]

    def _chance(self) -> dict[str, Chance]:
        """Return what a model reaches to which all items are alike, and any order as good."""
        best = np.array([len(videos) for videos in self.relevance.values()])
        asked = len(set(chain.from_iterable(self.relevance.values())))
        return {
            f"{direction}_R@{k}": chance_of(_shares(ties, best_of, k))
            for direction, ties, best_of in (
                ("t2v", len(self.expected) - best, best),
                ("v2t", np.full(asked, asked - 1), np.ones(asked, np.int64)),
            )
            for k in _AT
        }

    def _ceiling(self) -> dict[str, float]:
        """Return what a model reaches that ties where texts are equal, and nowhere else."""
        if not self.captions or self.mode == "reference":  # as published, ties can pass it
            return {}
        alike: dict[str, set[str]] = {}  # videos that a sentence is said of
        for text, videos in self.relevance.items():
            alike.setdefault(self.captions[text], set()).update(videos)
        rivals = [
            len(alike[self.captions[text]]) - len(set(videos))
            for text, videos in self.relevance.items()
        ]
        fewest: dict[str, int] = {}  # a video is found by the text that the fewest others have
        for text, videos in self.relevance.items():
            for video in videos:
                others = len(alike[self.captions[text]]) - 1
                fewest[video] = min(others, fewest.get(video, others))
        best = np.array([len(set(videos)) for videos in self.relevance.values()])
        ones = np.ones(len(fewest), np.int64)
        return {
            f"{direction}_R@{k}": 100 * float(_shares(np.array(ties), right, k).mean())
            for direction, ties, right in (
                ("t2v", rivals, best),
                ("v2t", list(fewest.values()), ones),
            )
            for k in _AT
        }

    def _comparable(self, videos: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        if len(videos) and len(texts) and videos.shape[1] != texts.shape[1]:
            message = (
                f"{self.name} cannot compare videos of width {videos.shape[1]} with texts of width "
                f"{texts.shape[1]}; both must come from the same model."
            )
            raise EvaluationError(message)
        similarity = self.compared_by
        return comparable(videos, similarity), comparable(texts, similarity)

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


def _published_measures(found: NDArray[np.int64]) -> Values:
    """Return, for each metric, one value per rank from 0."""
    ranks = found.astype(np.float64)
    return {**{f"R@{k}": np.where(ranks < k, 100.0, 0.0) for k in _AT}, "median_rank": ranks + 1}


def _measures(counts: Ranks) -> Values:
    """Return, for each metric, one value per query."""
    rank = expected_rank(*counts).numpy()
    found = {k: recall_at(counts.greater, counts.ties, k, counts.best).numpy() for k in _AT}
    recalls = {f"R@{k}": 100 * shares for k, shares in found.items()}
    return {**recalls, "median_rank": rank, "mean_rank": rank}


def _shares(ties: NDArray[np.int64], best: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return how likely each query finds a right item where none but equal ones are before it."""
    counts = torch.from_numpy(ties)
    found = recall_at(torch.zeros_like(counts), counts, k, torch.from_numpy(best))
    return found.numpy()


def _check_primary(name: str, primary: str) -> None:
    if primary not in _PRIMARIES:
        message = f"{name}: primary={primary!r} is none of {', '.join(_PRIMARIES)}."
        raise ArgumentError(message)


def _check_reference(
    name: str,
    similarity: str | None,
    expected: Sequence[str],
    relevance: Mapping[str, Sequence[str]],
) -> None:
    if similarity not in ("dot", None):
        message = (
            f"{name}: mode='reference' compares by dot product; leave out similarity, or set "
            "mode='exact'."
        )
        raise ArgumentError(message)
    owners = Counter(chain.from_iterable(relevance.values()))
    several = [text for text, videos in relevance.items() if len(videos) > 1]
    odd = several or [video for video in expected if owners[video] != 1]
    if odd:
        kind, count = ("text", "videos") if several else ("video", "texts")
        message = (
            f"{name}: mode='reference' scores pairs of one text and one video, and the {kind} "
            f"{odd[0]!r} has not exactly one of the {count}; set mode='exact'."
        )
        raise ArgumentError(message)


def _check_ids(name: str, expected: Sequence[str], relevance: Mapping[str, Sequence[str]]) -> None:
    known = set(expected)
    if len(known) != len(expected):
        message = (
            f"{name}: an id is listed twice among the {len(expected)} expected ones; list it once."
        )
        raise ArgumentError(message)
    for text, videos in relevance.items():
        if isinstance(videos, str) or not videos or not known.issuperset(videos):
            message = (
                f"{name}: the text {text!r} must belong to one or more of the expected videos, as "
                f"a list; it is said to belong to {videos!r}."
            )
            raise ArgumentError(message)
