from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.lanes import (  # noqa: E402  # needs numba
    BIAS,
    LANES,
    SIDE,
    as_float,
    exponent,
    fill,
    lane,
    larger,
    load,
    mantissa,
    multiply_add,
    power_of_two,
    rounded,
    select,
    shift_down,
    shift_up,
    size,
    splat,
    store,
    to_int,
    transpose,
    with_lane,
)


def floats(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=LANES).astype(np.float32)


@pytest.mark.parametrize("power", [-126, -3, 0, 5, 127])
def test_a_float_is_its_mantissa_times_a_power_of_two(power: int) -> None:
    @numba.njit
    def split(x: Any, m: Any, e: Any, again: Any) -> None:
        store(m, 0, mantissa(load(x, 0)))
        store(e, 0, exponent(load(x, 0)))
        store(again, 0, load(m, 0) * power_of_two(load(e, 0)))

    x = np.ldexp(np.linspace(1, 1.99, LANES), power).astype(np.float32)
    m, e, again = np.empty_like(x), np.empty(LANES, np.int32), np.empty_like(x)
    split(x, m, e, again)
    assert e.tolist() == [power + BIAS] * LANES
    assert ((m >= 1) & (m < 2)).all()
    assert (again == x).all()


def test_powers_of_two_below_floats_are_zero() -> None:
    @numba.njit
    def power(e: Any, out: Any) -> None:
        store(out, 0, power_of_two(load(e, 0)))

    out = np.empty(LANES, np.float32)
    for e, expected in ((0, 0), (-1, 0), (-(2**30), 0), (1, 2.0**-126), (BIAS + 3, 8)):
        power(np.full(LANES, e, np.int32), out)
        assert (out == np.float32(expected)).all()


def test_lanes_are_moved_and_replaced() -> None:
    @numba.njit
    def move(x: Any, up: Any, down: Any, put: Any) -> Any:
        store(up, 0, shift_up(load(x, 0), np.float32(7)))
        store(down, 0, shift_down(load(x, 0), np.float32(8)))
        store(put, 0, with_lane(load(x, 0), 3, np.float32(9)))
        return lane(load(x, 0), LANES - 1)

    x = floats()
    up, down, put = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    assert move(x, up, down, put) == x[-1]
    assert up.tolist() == [7, *x[:-1].tolist()]
    assert down.tolist() == [*x[1:].tolist(), 8]
    assert put.tolist() == [*x[:3].tolist(), 9, *x[4:].tolist()]


def test_arithmetic_goes_lane_by_lane() -> None:
    @numba.njit
    def compute(x: Any, y: Any, i: Any, out: Any, ints: Any) -> None:
        a, b = load(x, 0), load(y, 0)
        store(out, 0, multiply_add(a, b, a - b) / (a * a + splat(np.float32(1))))
        store(out, LANES, rounded(a * splat(np.float32(10))))
        store(ints, 0, to_int(load(out, LANES)) - load(i, 0))
        within = (load(i, 0) >= splat(np.int32(2))) & (load(i, 0) < splat(np.int32(5)))
        store(out, 2 * LANES, select(within & (a != b), a, b))
        store(ints, LANES, larger(load(i, 0), splat(np.int32(3))))

    x, y, i = floats(1), floats(2), np.arange(LANES, dtype=np.int32)
    out, ints = np.empty(3 * LANES, np.float32), np.empty(2 * LANES, np.int32)
    compute(x, y, i, out, ints)
    np.testing.assert_allclose(out[:LANES], (x * y + x - y) / (x * x + 1), rtol=1e-6)
    assert (out[LANES : 2 * LANES] == np.rint(x * np.float32(10))).all()
    assert (ints[:LANES] == np.rint(x * np.float32(10)).astype(int) - i).all()
    assert (out[2 * LANES :] == np.where((i >= 2) & (i < 5), x, y)).all()
    assert (ints[LANES:] == np.maximum(i, 3)).all()


def test_sizes_are_ordered_with_nan_above_all() -> None:
    @numba.njit
    def largest(x: Any, y: Any, out: Any) -> None:
        store(out, 0, as_float(larger(size(load(x, 0)), size(load(y, 0)))))

    x = np.resize(np.array([0.0, -3.0, np.nan, -np.inf, 1e-40], np.float32), LANES)
    y = np.resize(np.array([-1.0, 2.0, np.inf, 5.0, 0.0], np.float32), LANES)
    out = np.empty(LANES, np.float32)
    largest(x, y, out)
    np.testing.assert_array_equal(out[:5], np.array([1, 3, np.nan, np.inf, 1e-40], np.float32))


def test_squares_are_turned_out_of_wider_tables_and_into_them() -> None:
    @numba.njit
    def turn(x: Any, out: Any) -> None:
        transpose(x, 2, 11, out, 1, 9)

    x = np.arange(SIDE * 11 + 2, dtype=np.float32)
    out = np.full(1 + SIDE * 9, -1, np.float32)
    turn(x, out)
    square = x[2:].reshape(SIDE, 11)[:, :SIDE]
    assert (out[1:].reshape(SIDE, 9)[:, :SIDE] == square.T).all()
    assert (out[1:].reshape(SIDE, 9)[:, SIDE:] == -1).all()


def test_filling_ends_where_it_should() -> None:
    @numba.njit
    def put(x: Any) -> None:
        fill(x, 1, 2, np.float32(4))

    x = np.zeros(2 * LANES + 2, np.float32)
    put(x)
    assert x.tolist() == [0, *[4] * 2 * LANES, 0]
