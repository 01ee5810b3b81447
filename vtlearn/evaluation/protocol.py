"""How a benchmark is scored: which ids, windows, similarity, directions and metrics.

A protocol knows no learner and no processes. It is fed vectors or similarities with their ids,
by anybody; what several processes collected is merged by :meth:`Protocol.merge`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from torch import Tensor

__all__ = ["Coverage", "EncodedItem", "Protocol", "Result", "hash_ids"]


class EncodedItem(NamedTuple):
    """One evaluation item after encoding; every vector as the head embeds it.

    Attributes:
        id: The item's id.
        clip: The item as one vector: the mean of its embedded windows, embedded again, (dim,).
        windows: Each window by itself, (windows, dim).
        times: The centre of each window in seconds, (windows,).
        text_ids: Ids of the item's texts.
        texts: The texts' vectors, (texts, dim).
    """

    id: str
    clip: Tensor
    windows: Tensor
    times: Tensor
    text_ids: Sequence[str]
    texts: Tensor


class Coverage(NamedTuple):
    """How much of what a protocol expects was scored.

    Attributes:
        evaluated: How many of the expected ids came.
        expected: How many there should be.
        missing: The ids that did not come, sorted.

    Example:
        >>> coverage = Coverage.of(["a", "b"], {"b"})
        >>> coverage
        Coverage(evaluated=1, expected=2, missing=['a'])
        >>> coverage.complete
        False
    """

    evaluated: int
    expected: int
    missing: list[str]

    @classmethod
    def of(cls, expected: Collection[str], evaluated: Collection[str]) -> Self:
        """Compare what came with what should have come.

        Args:
            expected: The ids that must come.
            evaluated: The ids among them that came.

        Returns:
            The coverage.
        """
        missing = sorted(set(expected) - set(evaluated))
        return cls(len(expected) - len(missing), len(expected), missing)

    @property
    def complete(self) -> bool:
        """Whether everything came: without that, a figure is comparable with no other."""
        return not self.missing


class Result(NamedTuple):
    """What a protocol found.

    Attributes:
        protocol: Its name.
        version: Its version; results of different versions are not comparable.
        mode: ``exact``, or ``reference`` where published code is reproduced with its quirks.
        similarity: How vectors were compared: ``cosine`` or ``dot``.
        windows: How the windows of an item were chosen, in words.
        primary: The name of the metric that models are chosen by; higher is better.
        metrics: All metrics by name, the primary among them. Shares are percentages.
        intervals: 95 % interval of each metric, over 1000 resamples of the queries with seed 0.
        coverage: How much of what was expected was scored.
        ids_sha256: Hash of the expected ids that were scored, by :func:`hash_ids`.
    """

    protocol: str
    version: int
    mode: str
    similarity: str
    windows: str
    primary: str
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    coverage: Coverage
    ids_sha256: str


class Protocol(ABC):
    """One benchmark's way of scoring.

    Attributes:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        mode: ``exact``, or ``reference`` where published code is reproduced with its quirks.
        similarity: How vectors are compared: ``cosine`` or ``dot``.
        windows: How the windows of an item are chosen, in words.
        primary: The metric that models are chosen by; higher is better.
        expected: The ids that must come.
    """

    name: str
    version: int
    mode: str = "exact"
    similarity: str
    windows: str
    primary: str
    expected: Sequence[str]

    @abstractmethod
    def update(self, item: EncodedItem) -> None:
        """Take in one encoded item; what is kept of it lies on the CPU.

        Args:
            item: The item. Coming twice with the same id is an error, except by merging.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything that was taken in."""

    @abstractmethod
    def state(self) -> Any:
        """Return what was taken in so far, as something that pickles."""

    @abstractmethod
    def merge(self, states: Sequence[Any]) -> Self:
        """Make a protocol that has taken in what several have.

        Args:
            states: One state a process; an id may stand in several, and is then taken once.

        Returns:
            A new protocol, its items sorted by id, whatever the order of the states.
        """

    @abstractmethod
    def compute(self) -> Result:
        """Score what was taken in.

        Raises:
            EvaluationError: If nothing came, or what came cannot be scored.
        """

    def _result(
        self,
        metrics: Mapping[str, float],
        intervals: Mapping[str, tuple[float, float]],
        evaluated: Collection[str],
    ) -> Result:
        return Result(
            protocol=self.name,
            version=self.version,
            mode=self.mode,
            similarity=self.similarity,
            windows=self.windows,
            primary=self.primary,
            metrics=dict(metrics),
            intervals=dict(intervals),
            coverage=Coverage.of(self.expected, evaluated),
            ids_sha256=hash_ids(evaluated),
        )


def hash_ids(ids: Iterable[str]) -> str:
    """Name a set of ids, so that two results can be told to speak of the same items.

    Args:
        ids: The ids, in any order.

    Returns:
        SHA-256 of the sorted ids in UTF-8, each with a line feed after it, in hexadecimal.

    Example:
        >>> hash_ids(["b", "a"]) == hash_ids(["a", "b"])
        True
    """
    text = "".join(f"{one}\n" for one in sorted(ids))
    return hashlib.sha256(text.encode()).hexdigest()
