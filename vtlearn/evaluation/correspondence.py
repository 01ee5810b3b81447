"""Correspondence: tell pairs of a clip and its own caption from pairs that do not match."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import require_finite
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.roc_auc import roc_auc
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

__all__ = ["Correspondence"]


class Correspondence(Protocol):
    """Score how well the head's logit of a clip and its text tells whether the two match.

    An item is a clip of one window with one text. Metric in percent: ``auc`` (the primary), how
    often a pair that matches has a higher logit than one that does not, over all such pairs of
    pairs; equal logits count half. Its interval resamples the items; chance is that of logits drawn
    blindly.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        matches: Whether an item's text is about its clip, by id; of both kinds there is one.
        windows: How the window of a clip is chosen, in words.

    Raises:
        ArgumentError: If all items match, or none does.

    Example:
        >>> import torch
        >>> protocol = Correspondence("pairs", 1, {"a": True, "b": False}, windows="the middle")
        >>> protocol.begin()
        >>> for item, text in (("a", [0.0, 1.0]), ("b", [1.0, 0.0])):
        ...     clip, texts = torch.tensor([[0.0, 1.0]]), torch.tensor([text])
        ...     match = lambda clip, texts: texts @ clip
        ...     protocol.add(EncodedItem(item, windows=clip, texts=texts, match=match))
        >>> protocol.result().metrics
        {'auc': 100.0}
    """

    primary = "auc"
    similarity = "none"
    needs = frozenset({"match"})
    item_texts = True

    def __init__(self, name: str, version: int, matches: Mapping[str, bool], windows: str) -> None:
        if len(set(matches.values())) != 2:
            message = (
                f"{name} needs items that match and items that do not; of the {len(matches)} "
                f"there are, {sum(matches.values())} match."
            )
            raise ArgumentError(message)
        self.name = name
        self.version = version
        self.matches = dict(matches)
        self.windows = windows
        self.expected = sorted(matches)

    def update(self, item: EncodedItem) -> float:
        """Compute the logit of an item's clip and text.

        Args:
            item: The item.

        Returns:
            The logit.

        Raises:
            EvaluationError: If it has not one window and one text, or the logit is not finite.
        """
        logits = item.match()
        if logits.shape != (1, 1):
            message = (
                f"{self.name} expected one window and one text, and {item.id!r} has "
                f"{len(logits)} and {logits.shape[-1]}."
            )
            raise EvaluationError(message)
        require_finite(logits, f"The logits of {item.id!r}")
        return float(logits)

    def compute(self, kept: Mapping[str, float]) -> Result:
        """Score the items that came.

        Args:
            kept: What :meth:`update` returned for each.

        Returns:
            ``auc`` with its interval.

        Raises:
            EvaluationError: If all that came match, or none does.
        """
        pairs = np.array([(logit, self.matches[one]) for one, logit in kept.items()], np.float64)
        matched = int(pairs[:, 1].sum())
        if not 0 < matched < len(pairs):
            message = (
                f"{self.name} has nothing to compare: {matched} of the {len(pairs)} items that "
                "came match."
            )
            raise EvaluationError(message)
        return self.summarize(
            {"auc": pairs},
            list(kept),
            {"auc": _auc},
            chance={"auc": _chance(matched, len(pairs) - matched)},
            ceiling={"auc": 100.0},
        )


def _auc(pairs: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Compute the area in percent, of (..., items, ..., 2) logits and whether they match."""
    logits, matches = np.moveaxis(np.moveaxis(pairs, axis, -2), -1, 0)
    # a resample without pairs of both kinds says nothing
    return 100 * np.nan_to_num(roc_auc(logits, matches > 0), nan=0.5)


def _chance(positives: int, negatives: int) -> Chance:
    """Return the area of logits that know nothing, by Mann and Whitney's normal distribution."""
    sd = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return Chance(50.0, max(0.0, 50 - 196 * sd), min(100.0, 50 + 196 * sd))
