import numpy as np
import pytest

from vtlearn.evaluation.metrics.bootstrap import Statistic, bootstrap_interval


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_interval_contains_the_figure_and_is_the_same_twice(statistic: Statistic) -> None:
    values = np.random.default_rng(3).exponential(size=301)
    low, high = bootstrap_interval(values, statistic)
    assert low < statistic(values[None], axis=1)[0] < high
    assert bootstrap_interval(values, statistic) == (low, high)
    assert bootstrap_interval(values, statistic, seed=1) != (low, high)


def test_mean_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(4).normal(size=4000)
    low, high = bootstrap_interval(values, np.mean)
    spread = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - spread, abs=0.1 * spread)
    assert high == pytest.approx(values.mean() + spread, abs=0.1 * spread)


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    draws = np.random.default_rng(5)
    intervals = [bootstrap_interval(draws.normal(size=60), np.mean) for _ in range(200)]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert 0.89 <= covered <= 0.99


def test_memory_slices_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).normal(size=50)
    whole = bootstrap_interval(values, np.mean)
    monkeypatch.setattr("vtlearn.evaluation.metrics.bootstrap._AT_A_TIME", 77 * 50)
    assert bootstrap_interval(values, np.mean) == whole


def test_constant_values_have_no_width() -> None:
    assert bootstrap_interval(np.full(9, 40.0), np.mean) == (40.0, 40.0)
