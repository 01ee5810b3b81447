import math
from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.exponents import (  # noqa: E402
    NEVER,
    add_three,
    in_units,
    powers_of_row,
    renormalize,
    two_to,
)
from vtlearn.alignment.cpu.lanes import LANES, as_float, lane, load, splat, store  # noqa: E402


def test_the_polynomial_is_a_power_of_two_over_its_whole_range() -> None:
    @numba.njit
    def powers(x: Any, out: Any) -> None:
        for k in range(0, len(x), LANES):
            store(out, k, two_to(load(x, k)))

    # every 37th of all floats in [2**-30, 0.5], of both signs, and what lies at their ends
    low, high = (int(np.float32(x).view(np.int32)) for x in (2.0**-30, 0.5))
    bits = np.arange(high, low, -37, dtype=np.int32).view(np.float32)
    x = np.concatenate([bits, -bits, np.zeros(LANES, np.float32)])
    x = x[: len(x) // LANES * LANES]
    out = np.empty_like(x)
    powers(x, out)
    assert np.abs(out / np.exp2(x.astype(np.float64)) - 1).max() < 1e-7


@pytest.mark.parametrize("gamma", [1e-3, 0.01, 0.1, 1.0, 10.0])
def test_powers_of_costs_have_seven_digits_however_small_gamma(gamma: float) -> None:
    @numba.njit
    def powers(row: Any, m: Any, e: Any) -> Any:
        count = len(row) // LANES
        first, end = splat(np.int32(0)), splat(np.int32(count))
        worst = powers_of_row(row, count, False, first, end, gamma, m, e, 0, first)
        return lane(as_float(worst), 0)

    row = np.random.default_rng(0).uniform(-20, 20, 2000 * LANES).astype(np.float32)
    m, e = np.empty_like(row), np.empty(len(row), np.int32)
    worst = powers(row, m, e)
    x = -row.astype(np.longdouble) / np.longdouble(gamma) / np.log(np.longdouble(2))
    assert np.abs(m / np.exp2(x - e) - 1).max() < 3e-7
    assert worst == pytest.approx(float(np.abs(x[::LANES]).max()), rel=1e-6)


def test_costs_that_are_not_used_and_walls_have_no_probability() -> None:
    @numba.njit
    def powers(row: Any, m: Any, e: Any) -> None:
        powers_of_row(
            row, 4, True, splat(np.int32(1)), splat(np.int32(3)), 0.1, m, e, 0, splat(np.int32(0))
        )

    row = np.repeat(np.array([np.nan, 1, np.inf, np.nan], np.float32), LANES)
    m, e = np.empty_like(row), np.empty(len(row), np.int32)
    powers(row, m, e)
    assert (e[::LANES] == NEVER).tolist() == [True, False, True, True]
    assert np.isfinite(m).all()


@pytest.mark.parametrize("exponents", [(0, 0, 0), (5, -3, 100), (-90, -100, NEVER), (NEVER,) * 3])
def test_sums_are_sums(exponents: tuple[int, int, int]) -> None:
    @numba.njit
    def add(m: Any, e: Any, out: Any, power: Any) -> None:
        a, _, _, total, low = add_three(
            load(m, 0),
            load(e, 0),
            load(m, LANES),
            load(e, LANES),
            load(m, 2 * LANES),
            load(e, 2 * LANES),
        )
        kept_m, kept_e = renormalize(total, low)
        store(out, 0, a / total)
        store(out, LANES, kept_m)
        store(power, 0, kept_e)

    m = np.random.default_rng(1).uniform(1, 2, 3 * LANES).astype(np.float32)
    e = np.repeat(np.array(exponents, np.int32), LANES)
    out, power = np.empty(2 * LANES, np.float32), np.empty(LANES, np.int32)
    add(m, e, out, power)
    top = max(exponents)
    parts = m.reshape(3, LANES).astype(float) * np.exp2(np.array(exponents, float) - top)[:, None]
    np.testing.assert_allclose(out[LANES:] * np.exp2(power - float(top)), parts.sum(0), rtol=3e-7)
    np.testing.assert_allclose(out[:LANES], parts[0] / parts.sum(0), rtol=3e-7, atol=1e-37)
    assert ((out[LANES:] >= 1) & (out[LANES:] < 2)).all()


def test_a_power_becomes_a_cost_again() -> None:
    @numba.njit
    def cost(m: float, e: int) -> float:
        result: float = in_units(m, e, 0.1)
        return result

    assert cost(1.5, -7) == pytest.approx(-0.1 * math.log(1.5 * 2.0**-7))
    assert cost(1.0, NEVER + 1000) == math.inf
