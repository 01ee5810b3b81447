"""What a protocol found, with all that it takes to say whether two figures may be compared."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from vtlearn.evaluation.metrics.chance import Chance

__all__ = ["Annotations", "Coverage", "Result", "hash_ids"]


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


class Annotations(NamedTuple):
    """Which files said what there is to score.

    Attributes:
        sha256: Their hash.
        published: Whether they are the files that were published; None where it is not known.
    """

    sha256: str
    published: bool | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a protocol found.

    Attributes:
        protocol: Its name.
        version: Its version; results of different versions are not comparable.
        mode: ``exact``, or ``reference`` where published code is reproduced with its quirks.
        similarity: How vectors were compared: ``cosine``, ``dot``, or ``none`` where none were.
        windows: How the windows of an item were chosen, in words.
        primary: The name of the metric that models are chosen by; higher is better.
        metrics: All metrics by name, the primary among them. Shares are percentages, and figures of
            captions are times 100.
        intervals: 95 % interval of each metric, over 1000 resamples of the queries with seed 0.
        coverage: How much of what was expected was scored.
        ids_sha256: Hash of the expected ids that were scored, by :func:`hash_ids`.
        expected_sha256: Hash of all expected ids.
        settings: What else the figures depend on, in plain values.
        chance: What a blind model would reach, by metric; of those for which it is known.
        ceiling: What no model can pass that embeds equal texts alike, in percent, by metric; of
            those for which it is known.
        annotations: The files that said what there is to score; None where there are none.
        notes: Sentences about what was scored that a reader of the figures has to know.
        selected_on_test: Whether the model was chosen, while it was trained, by its figures on
            these very ids.
        captions: What was written of each item, by id, where that is what was scored.
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
    expected_sha256: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    chance: Mapping[str, Chance] = field(default_factory=dict)
    ceiling: Mapping[str, float] = field(default_factory=dict)
    annotations: Annotations | None = None
    notes: Sequence[str] = ()
    selected_on_test: bool = False
    captions: Mapping[str, str] = field(default_factory=dict)

    @property
    def at_chance(self) -> bool:
        """Whether a blind model might have reached the primary figure as well."""
        chance = self.chance.get(self.primary)
        return chance is not None and self.metrics[self.primary] <= chance.high


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
