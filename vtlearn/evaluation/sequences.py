"""Protocols that score whole videos, of which the items are segments or windows in order."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices
from vtlearn.evaluation.encoded_item import Pooling
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.protocol import Protocol

__all__ = ["SequenceProtocol"]

KeptT = TypeVar("KeptT")


class SequenceProtocol(Protocol):
    """A protocol that knows which items, in which order, make which video.

    A video is scored when all of its items came. Of one that lacks an item, the others do not count
    as evaluated, and it is neither looked for nor found. Ids are compared as wholes: one may be
    inside another.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        sequences: For each video id the ids of its items, in temporal order.
        windows: How the windows of an item are chosen, in words.
        similarity: ``cosine``, ``dot``, or None for the way the model's head was trained with;
            vectors that no head has embedded are then compared as they come.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.

    Attributes:
        sequences: The ids of each video's items.

    Raises:
        ArgumentError: If a video has no item, an item belongs to two videos or comes twice in one,
            or a choice is unknown.
    """

    def __init__(
        self,
        name: str,
        version: int,
        sequences: Mapping[str, Sequence[str]],
        *,
        windows: str,
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
    ) -> None:
        check_choices(name, similarity, pooling=pooling)
        _check_sequences(name, sequences)
        self.name = name
        self.version = version
        self.sequences = {video: list(items) for video, items in sequences.items()}
        self.windows = windows
        self.similarity = similarity or (None if pooling == "head" else "dot")
        self.pooling = pooling
        self.expected = [item for items in self.sequences.values() for item in items]

    def by_video(self, kept: Mapping[str, KeptT]) -> dict[str, list[KeptT]]:
        """Put together what was kept of each video's items.

        Args:
            kept: What was kept of each item that came.

        Returns:
            For each video all of whose items came, sorted by id, what was kept of them, in order.

        Raises:
            EvaluationError: If no video is complete.
        """
        complete = {
            video: [kept[item] for item in items]
            for video, items in sorted(self.sequences.items())
            if kept.keys() >= set(items)
        }
        if not complete:
            message = (
                f"{self.name} has nothing to score: {len(kept)} of {len(self.expected)} items "
                f"came, and none of {len(self.sequences)} videos has all of its own."
            )
            raise EvaluationError(message)
        return complete

    def items_of(self, videos: Collection[str]) -> list[str]:
        """Return the items of some videos, for :meth:`summarize` to count as evaluated.

        Args:
            videos: Ids of the videos that were scored.
        """
        return [item for video in videos for item in self.sequences[video]]


def _check_sequences(name: str, sequences: Mapping[str, Any]) -> None:
    owner: dict[str, str] = {}
    for video, items in sequences.items():
        if isinstance(items, str) or not items:
            message = (
                f"{name}: the video {video!r} must have one or more items, as a list of ids; it "
                f"has {items!r}."
            )
            raise ArgumentError(message)
        for item in items:
            if item in owner:
                message = (
                    f"{name}: the item {item!r} is listed for the videos {owner[item]!r} and "
                    f"{video!r}; list it once."
                )
                raise ArgumentError(message)
            owner[item] = video
