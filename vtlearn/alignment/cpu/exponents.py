"""Numbers as m 2^e, many at once: what soft minima become when no logarithm is taken.

Soft-DTW adds the probabilities exp(-cost / gamma) of paths. Each is kept as a float m between 1 and
2 and an int32 e, so that sums of any two paths in reach of each other are exact to a float's last
digit, however long the paths are and however small gamma. The largest exponents that may occur are
bounded by :data:`LARGEST`, and a kernel has to check that; what is never reached has the exponent
:data:`NEVER`, which any number outweighs.
"""

import math
from typing import Any

import numpy as np

from vtlearn.alignment.cpu.lanes import (
    BIAS,
    LANES,
    exponent,
    inlined,
    larger,
    load,
    mantissa,
    multiply_add,
    power_of_two,
    rounded,
    select,
    size,
    splat,
    store,
    to_int,
)

__all__: list[str] = []

LARGEST = 2**27
"""The sizes of the exponents along any path have to sum to less."""

NEVER = -(2**29)
"""Exponent of zero. Twice its size still fits, and :data:`LARGEST` does not lift it far."""


@inlined
def two_to(x: Any) -> Any:
    """Compute the power of two of floats between -0.5 and 0.5, to an error of 1e-7.

    The coefficients are those of the polynomial of degree 6 with the least relative error (Remez).
    """
    p = splat(np.float32(0.0001534581242594868))
    p = multiply_add(p, x, splat(np.float32(0.0013399930903688073)))
    p = multiply_add(p, x, splat(np.float32(0.009618489071726799)))
    p = multiply_add(p, x, splat(np.float32(0.05550328642129898)))
    p = multiply_add(p, x, splat(np.float32(0.24022646248340607)))
    p = multiply_add(p, x, splat(np.float32(0.6931471824645996)))
    return multiply_add(p, x, splat(np.float32(1.0)))


@inlined
def powers_of_row(
    row: Any,
    count: int,
    bounded: bool,
    first: Any,
    end: Any,
    gamma: float,
    m: Any,
    e: Any,
    to: int,
    worst: Any,
) -> Any:
    """Turn costs into exp(-cost / gamma).

    Args:
        row: Costs, (count, lanes), flat.
        count: How many costs a lane has.
        bounded: Whether there are costs not to be used.
        first: The index of the first cost to use, an int a lane.
        end: The index after the last of them, an int a lane; other costs become zero probability,
            like infinite ones.
        gamma: Smoothing.
        m: Is overwritten by mantissas, (count, lanes), between 0.7 and 1.5.
        e: Is overwritten by exponents.
        to: Where in both to begin.
        worst: The size of the largest exponent seen so far.

    Returns:
        The size of the largest exponent so far, that of NaN where a cost was NaN.
    """
    scale = -math.log2(math.e) / gamma
    high = splat(np.float32(scale))
    low = splat(np.float32(scale - np.float64(np.float32(scale))))
    nothing, infinite, never = (
        splat(np.float32(0)),
        splat(np.float32(np.inf)),
        splat(np.int32(NEVER)),
    )
    for k in range(count):
        cost = load(row, k * LANES)
        used = cost != infinite
        if bounded:
            at = splat(np.int32(k))
            used = used & (at >= first) & (at < end)
        cost = select(used, cost, nothing)
        x = cost * high
        worst = larger(worst, size(x))
        whole = rounded(x)
        # what the product lost in rounding would be amplified by 1 / gamma
        lost = multiply_add(cost, low, multiply_add(cost, high, nothing - x))
        store(m, to + k * LANES, two_to((x - whole) + lost))
        store(e, to + k * LANES, select(used, to_int(whole), never))
    return worst


@inlined
def add_three(am: Any, ae: Any, bm: Any, be: Any, cm: Any, ce: Any) -> Any:
    """Add three numbers: their shares and the sum in units of a power of two, and that power.

    Args:
        am: Mantissa of the first.
        ae: Its exponent.
        bm: Mantissa of the second.
        be: Its exponent.
        cm: Mantissa of the third.
        ce: Its exponent.

    Returns:
        The three in units of the largest of their powers of two, their sum, and the exponent of
        that power, less what floats are stored with.
    """
    low = larger(larger(ae, be), ce) - splat(np.int32(BIAS))
    a = am * power_of_two(ae - low)
    b = bm * power_of_two(be - low)
    c = cm * power_of_two(ce - low)
    return a, b, c, a + b + c, low


@inlined
def renormalize(m: Any, e: Any) -> Any:
    """Bring a mantissa back between 1 and 2, and an exponent back to zero's where it is below.

    Args:
        m: Mantissa, positive.
        e: Exponent, less what floats are stored with, as :func:`add_three` gives it.

    Returns:
        Mantissa and exponent.
    """
    return mantissa(m), larger(e + exponent(m), splat(np.int32(NEVER)))


@inlined
def in_units(m: Any, e: Any, gamma: float) -> Any:
    """Turn a path probability back into a cost: -gamma times its natural logarithm.

    Args:
        m: Mantissa, one number.
        e: Exponent.
        gamma: Smoothing.

    Returns:
        The cost, float64; infinite for probability zero.
    """
    if e < NEVER // 2:
        return np.inf
    return -gamma * (e + math.log2(m)) * math.log(2)
