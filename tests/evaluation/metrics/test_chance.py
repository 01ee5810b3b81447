import numpy as np
import pytest

from vtlearn.evaluation.metrics.chance import chance_of


def test_the_interval_is_that_of_simulated_queries() -> None:
    chances = np.array([0.1] * 60 + [0.5] * 40)
    chance = chance_of(chances)
    assert chance.value == pytest.approx(26)
    rng = np.random.default_rng(7)
    shares = 100 * (rng.random((20_000, 100)) < chances).mean(1)
    low, high = np.percentile(shares, [2.5, 97.5])
    assert chance.low == pytest.approx(low, abs=1.5)
    assert chance.high == pytest.approx(high, abs=1.5)


def test_more_queries_make_it_narrower() -> None:
    few, many = (chance_of(np.full(count, 0.01)) for count in (100, 10_000))
    assert few.value == pytest.approx(many.value)
    assert few.high - few.low > 5 * (many.high - many.low)
    assert chance_of(np.ones(3)) == (100.0, 100.0, 100.0)
