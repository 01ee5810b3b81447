"""Figures of several runs with their intervals, and of two heads beside each other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from report_runs import Outcome, Units

RESAMPLES = 2000
METRICS = {"retrieval": "R@1", "alignment": "alignment hit"}

#: The outcomes of all seeds, by arm and narrator.
Runs = Mapping[tuple[str, str], Sequence[Outcome]]


class Estimate(NamedTuple):
    """A figure in percent, or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def estimate(outcomes: Sequence[Outcome], metric: str) -> Estimate:
    """Average a metric over seeds.

    Args:
        outcomes: One a seed.
        metric: One of ``METRICS``.

    Returns:
        The mean; the interval resamples seeds and queries (all captions of a video together).
    """
    return _bootstrap([outcomes], metric)


def difference(one: Sequence[Outcome], other: Sequence[Outcome], metric: str) -> Estimate:
    """Compare two heads on the same queries.

    Args:
        one: Outcomes, one a seed.
        other: The same of the other head.
        metric: One of ``METRICS``.

    Returns:
        The mean of one less that of the other; the interval resamples the seeds of each, and the
        queries of both alike.
    """
    return _bootstrap([one, other], metric)


def values(outcomes: Sequence[Outcome], metric: str) -> list[float]:
    """Return a metric of each seed, in percent."""
    return [_units(outcome, metric).percent for outcome in outcomes]


def leaders(runs: Runs, arms: Sequence[str], narrator: str, metric: str) -> list[str]:
    """Return the best arm, then those from which it is not told apart, the better ones first."""
    means = {arm: float(np.mean(values(runs[arm, narrator], metric))) for arm in arms}
    first, *others = sorted(arms, key=lambda arm: -means[arm])
    best = runs[first, narrator]
    close = [arm for arm in others if difference(best, runs[arm, narrator], metric).sign == 0]
    return [first, *close]


def _bootstrap(sides: Sequence[Sequence[Outcome]], metric: str) -> Estimate:
    """Estimate the mean of the first side, less that of the second if there is one."""
    hits = [np.array([_units(one, metric).hits for one in side]) for side in sides]
    counts = np.array(_units(sides[0][0], metric).counts, dtype=np.float64)
    draws = np.random.default_rng(0)
    units = draws.integers(len(counts), size=(RESAMPLES, len(counts)))
    total = counts[units].sum(1)
    figures: list[NDArray[np.float64]] = []
    for side in hits:
        seeds = draws.integers(len(side), size=(RESAMPLES, len(side)))
        by_seed = np.stack([one[units].sum(1) for one in side], 1)  # (resamples, seeds)
        drawn = np.take_along_axis(by_seed, seeds, 1).mean(1)
        figures.append(100 * drawn / total)
    means = [100 * side.sum(1).mean() / counts.sum() for side in hits]
    resampled = figures[0] - figures[1] if len(figures) > 1 else figures[0]
    value = means[0] - means[1] if len(means) > 1 else means[0]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _units(outcome: Outcome, metric: str) -> Units:
    found: Units = getattr(outcome, metric)
    return found
