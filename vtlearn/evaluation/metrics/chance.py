"""What a model that knows nothing would reach, and how far luck would carry it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.evaluation.metrics.bootstrap import RESAMPLES

__all__ = ["Chance", "chance_of"]


class Chance(NamedTuple):
    """A figure of blind models, in percent.

    Attributes:
        value: Its mean.
        low: Where its 95 % interval begins.
        high: Where it ends; a model that gets no further may have learned nothing.
    """

    value: float
    low: float
    high: float


def chance_of(probabilities: NDArray[np.float64], *, seed: int = 0) -> Chance:
    """Compute the chance of a share of hits, each query hitting by itself.

    Args:
        probabilities: How likely a blind model hits each query, (queries,), from 0 to 1.
        seed: Where the 1000 draws of the interval start.

    Returns:
        The mean of the probabilities and the interval of the share of hits.

    Example:
        >>> chance_of(np.full(100, 0.5))
        Chance(value=50.0, low=39.975, high=60.0)
    """
    different, counts = np.unique(probabilities, return_counts=True)
    draws = np.random.default_rng(seed)
    hits = draws.binomial(counts, different.clip(0, 1), size=(RESAMPLES, len(counts))).sum(1)
    low, high = np.percentile(100 * hits / max(1, len(probabilities)), [2.5, 97.5])
    return Chance(100 * float(probabilities.mean()), float(low), float(high))
