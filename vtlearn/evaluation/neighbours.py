"""Nearest neighbours: find videos of the same class among the training videos, fitting nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits, features_of
from vtlearn.evaluation.metrics.chance import chance_of
from vtlearn.evaluation.metrics.retrieval import Ranks, ranks, recall_at
from vtlearn.evaluation.result import Result

__all__ = ["NeighbourRetrieval"]

_KS = (1, 5, 10, 20, 50)
_QUERIES = 1024  # test videos that are compared at a time


class NeighbourRetrieval(LabelledProtocol):
    """Score how often one of the nearest training videos is of a test video's class.

    A video is the mean of the features of its windows, compared by cosine with the training videos
    of one split. Metrics in percent: ``R@1`` (the primary), ``R@5``, ``R@10``, ``R@20`` and
    ``R@50``: the share of test videos of whose k nearest one at least is of the same class. Where
    videos tie they count by expectation over their order; chance is that of one similarity for all.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        videos: The videos.
        windows: How the windows of a video are chosen, in words.
        split: Which split is scored, from 1.

    Raises:
        ArgumentError: If there is no such split.

    Example:
        >>> labels = {"a": "chop", "b": "fry", "c": "chop"}
        >>> videos = LabelledSplits(labels, [frozenset("ab")], [frozenset("c")])
        >>> protocol = NeighbourRetrieval("nn", 1, videos, windows="one")
        >>> protocol.begin()
        >>> for video, feature in {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [2.0, 1.0]}.items():
        ...     protocol.add(EncodedItem(video, features=torch.tensor([feature])))
        >>> protocol.result().metrics["R@1"]
        100.0

    Source:
        The retrieval of videos by videos that self-supervised video models are compared by on split
        1 of UCF101 and HMDB51.
    """

    similarity = "cosine"
    pooling = "raw"
    primary = "R@1"
    needs = frozenset({"features"})
    central = True

    def __init__(
        self, name: str, version: int, videos: LabelledSplits, *, windows: str, split: int = 1
    ) -> None:
        require_positive(split=split)
        if split > len(videos.train):
            message = f"{name} has no split {split}; there are {len(videos.train)}"
            raise ArgumentError(message)
        self._train, self._test = videos.train[split - 1], videos.test[split - 1]
        expected = list(self._train | self._test)
        super().__init__(name, version, videos, windows=windows, expected=expected)
        self.settings = {"split": split}

    def update(self, item: EncodedItem) -> NDArray[np.float32]:
        """Average the features of a video.

        Args:
            item: The video.

        Returns:
            (width,), float32.

        Raises:
            EvaluationError: If one is not finite, or it has no window.
        """
        return features_of(item).double().mean(0).float().numpy()

    def compute(self, kept: Mapping[str, NDArray[np.float32]]) -> Result:
        """Look for each test video's nearest training videos.

        Args:
            kept: The mean feature of each video.

        Returns:
            Recalls with their intervals.

        Raises:
            EvaluationError: If no training video or no test video came.
        """
        gallery = [one for one in kept if one in self._train]
        queries = [one for one in kept if one in self._test]
        if not gallery or not queries:
            message = (
                f"{self.name} has nothing to compare: {len(queries)} test and {len(gallery)} "
                "training videos came."
            )
            raise EvaluationError(message)
        relevant = self._relevant(queries, gallery)
        known = (relevant >= 0).any(1)
        found = self._ranks(_rows(kept, queries), _rows(kept, gallery), relevant, known)
        blind = Ranks(
            torch.zeros_like(found.ties),
            len(gallery) - (relevant[known] >= 0).sum(1),
            (relevant[known] >= 0).sum(1),
        )
        hits = {f"R@{k}": _recall(found, k, known) for k in _KS}
        chances = {f"R@{k}": chance_of(_recall(blind, k, known)) for k in _KS}
        return self.summarize(
            {metric: 100 * values for metric, values in hits.items()},
            list(kept),
            chance=chances,
        )

    def _relevant(self, queries: Sequence[str], gallery: Sequence[str]) -> Tensor:
        """List the places of each query's class in the gallery, (queries, most), padded by -1."""
        places: dict[str, list[int]] = {}
        for place, video in enumerate(gallery):
            places.setdefault(self.videos.labels[video], []).append(place)
        most = max(map(len, places.values()))
        rows = [places.get(self.videos.labels[query], []) for query in queries]
        return torch.tensor([row + [-1] * (most - len(row)) for row in rows])

    def _ranks(self, queries: Tensor, gallery: Tensor, relevant: Tensor, known: Tensor) -> Ranks:
        """Rank the gallery for each query of whose class it has a video."""
        parts = [
            ranks(self.compare(rows, gallery), own)
            for rows, own in zip(
                queries[known].split(_QUERIES), relevant[known].split(_QUERIES), strict=True
            )
        ]
        return Ranks(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _rows(kept: Mapping[str, NDArray[np.float32]], ids: Sequence[str]) -> Tensor:
    return torch.from_numpy(np.stack([kept[one] for one in ids]))


def _recall(found: Ranks, k: int, known: Tensor) -> NDArray[np.float64]:
    """Give each query's probability to be told right; 0 where nothing is of its class."""
    recall = torch.zeros(len(known), dtype=torch.float64)
    recall[known] = recall_at(found.greater, found.ties, k, found.best)
    values: NDArray[np.float64] = recall.numpy()
    return values
