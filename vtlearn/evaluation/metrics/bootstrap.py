"""How far a figure would move with other queries of the same kind: the bootstrap."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESAMPLES", "Statistic", "bootstrap_interval"]

RESAMPLES = 1000
_AT_A_TIME = 2**20  # numbers drawn at once, which bounds the memory


class Statistic(Protocol):
    """What reduces an axis to a figure, as ``np.mean`` and ``np.median`` do."""

    def __call__(self, a: NDArray[np.float64], /, axis: int) -> NDArray[np.float64]:
        """Reduce one axis."""


def bootstrap_interval(
    values: NDArray[np.float64], statistic: Statistic, *, seed: int = 0
) -> tuple[float, float]:
    """Estimate the 95 % interval of a figure, over 1000 resamples of its queries.

    Everything is added up in one thread, so that the answer does not depend on their number.
    Values of equal length are resampled alike, whatever they measure.

    Args:
        values: One value per query, (queries,), or several of which the statistic makes one figure,
            (queries, ...).
        statistic: ``np.mean`` or ``np.median``, or another that takes an axis.
        seed: Where the draws start.

    Returns:
        The 2.5th and the 97.5th percentile.

    Example:
        >>> bootstrap_interval(np.array([0.0, 100.0] * 50), np.mean)
        (40.0, 60.0)

    Source:
        B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3 (the
        percentile interval).
    """
    draws = np.random.default_rng(seed)
    at_a_time = max(1, _AT_A_TIME // max(1, values.size))
    figures = [
        statistic(values[draws.integers(len(values), size=(rows, len(values)))], axis=1)
        for rows in _shares(RESAMPLES, at_a_time)
    ]
    low, high = np.percentile(np.concatenate(figures), [2.5, 97.5])
    return float(low), float(high)


def _shares(total: int, most: int) -> list[int]:
    return [min(most, total - start) for start in range(0, total, most)]
