"""What protocols of labelled videos share: classes, splits, and the accuracy of each split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import require_finite
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.metrics.chance import Chance, chance_of
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

__all__ = ["LabelledProtocol", "LabelledSplits"]


@dataclass(frozen=True)
class LabelledSplits:
    """Videos with a class each, and what each split trains on and tests.

    Args:
        labels: The class of each video, by id.
        train: The videos that each split trains on.
        test: The videos that each split tests, in the same order.

    Raises:
        ArgumentError: If there is no split, or one lacks videos to train on or to test, has one for
            both, or has one without a class.

    Example:
        >>> labels = {"a": "chop", "b": "fry", "c": "chop"}
        >>> videos = LabelledSplits(labels, [frozenset("ab")], [frozenset("c")])
        >>> videos.classes, videos.tested
        (['chop', 'fry'], ['c'])
    """

    labels: Mapping[str, str]
    train: Sequence[frozenset[str]]
    test: Sequence[frozenset[str]]

    def __post_init__(self) -> None:
        """Validate the arguments."""
        if not self.train or len(self.train) != len(self.test):
            message = (
                f"{len(self.train)} splits have videos to train on and {len(self.test)} have some "
                "to test; give both for each split, and one split at least"
            )
            raise ArgumentError(message)
        for number, (train, test) in enumerate(zip(self.train, self.test, strict=True), 1):
            _check_split(number, train, test, self.labels)

    @cached_property
    def classes(self) -> list[str]:
        """The classes, sorted."""
        return sorted(set(self.labels.values()))

    @cached_property
    def tested(self) -> list[str]:
        """The videos that are tested by any split, sorted."""
        return sorted(frozenset().union(*self.test))


class LabelledProtocol(Protocol):
    """A protocol of some of a corpus's videos, in one pass with protocols of others of them.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        videos: The videos.
        windows: How the windows of a video are chosen, in words.
        expected: The ids that it reads; the other videos are not expected, and skipped.

    Attributes:
        videos: As given.
    """

    def __init__(
        self,
        name: str,
        version: int,
        videos: LabelledSplits,
        *,
        windows: str,
        expected: Sequence[str],
    ) -> None:
        self.name, self.version, self.windows = name, version, windows
        self.videos = videos
        self.expected = sorted(expected)
        self._skipped = videos.labels.keys() - set(expected)

    @override
    def add(self, item: EncodedItem) -> None:
        """Take in one item, unless it is a video that other protocols alone read.

        Args:
            item: The item, whole.

        Raises:
            EvaluationError: If it is not a known video, comes twice, or cannot be scored.
        """
        if item.id not in self._skipped:
            super().add(item)

    def summarize_splits(
        self,
        hits: Sequence[Mapping[str, float]],
        evaluated: Sequence[str],
        *,
        notes: Sequence[str] = (),
    ) -> Result:
        """Make a result of how each split's test videos were recognised.

        Args:
            hits: For each split, how likely each of its test videos that came is told right.
            evaluated: The ids that were scored completely.
            notes: Sentences that a reader of the figures has to know.

        Returns:
            ``top1``, the mean over the splits, and ``top1_split<n>`` of each, in percent. Intervals
            resample the videos: for the mean those that any split tests.

        Raises:
            EvaluationError: If a split has none.
        """
        for number, own in enumerate(hits, 1):
            if not own:
                message = f"{self.name}: none of the test videos of split {number} came."
                raise EvaluationError(message)
        values = {"top1": 100 * _shares_of_mean(hits)}
        for number, own in enumerate(hits, 1):
            values[f"top1_split{number}"] = 100 * np.array([own[one] for one in sorted(own)])
        chance = {metric: self._chance(len(own)) for metric, own in values.items()}
        return self.summarize(values, evaluated, chance=chance, notes=notes)

    def _chance(self, count: int) -> Chance:
        return chance_of(np.full(count, 1 / len(self.videos.classes)))


def features_of(item: EncodedItem) -> Tensor:
    """Return the features of a video's windows.

    Args:
        item: The video.

    Returns:
        (windows, width), float32, on the CPU, and no view of a batch.

    Raises:
        EvaluationError: If one is not finite, or there is none.
    """
    features = item.features.detach().to("cpu", torch.float32, copy=True)
    require_finite(features, f"The features of video {item.id!r}")
    if not len(features):
        message = f"The video {item.id!r} has no window."
        raise EvaluationError(message)
    return features


def _shares_of_mean(hits: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Say what each video adds to the mean over splits: the mean of these values is that mean."""
    ids = sorted(set().union(*hits))
    added = [
        sum(own[one] / len(own) for own in hits if one in own) * len(ids) / len(hits) for one in ids
    ]
    return np.array(added)


def _check_split(
    number: int, train: frozenset[str], test: frozenset[str], labels: Mapping[str, str]
) -> None:
    if not train or not test:
        message = (
            f"split {number} trains on {len(train)} videos and tests {len(test)}: it needs some "
            "of both"
        )
        raise ArgumentError(message)
    if both := sorted(train & test):
        message = f"split {number} trains on {both[0]!r} and tests it: keep it in one of the two"
        raise ArgumentError(message)
    if unknown := sorted((train | test) - labels.keys()):
        message = f"split {number} has the video {unknown[0]!r}, which has no class"
        raise ArgumentError(message)
