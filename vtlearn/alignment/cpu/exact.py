"""Any pair, one after the other in float64: the hard minimum, and costs of any size."""

import math
from typing import Any

import numba
import numpy as np

from vtlearn.alignment.cpu.calls import (
    chunk_done,
    chunk_range,
    columns_of,
    entry,
    lengths_of,
    next_chunk,
    tables_of,
    three,
)
from vtlearn.alignment.cpu.lanes import jit

__all__: list[str] = []


@jit
def solve_exactly(
    cost: Any,
    shape: Any,
    lengths: Any,
    columns: Any,
    gamma: float,
    some: Any,
    value: Any,
    gradient: Any,
) -> None:
    """Solve some pairs.

    Args:
        cost: float64, (pairs, clips, captions), flat.
        shape: How many clips, captions and pairs there are.
        lengths: Valid clips and valid captions of each pair, two int64 arrays (pairs,).
        columns: First caption, and the one after the last, of each clip and pair; two int64 arrays
            (clips, pairs), without clips where there is no band.
        gamma: Smoothing; 0 is the hard minimum.
        some: The first pair, and the one after the last.
        value: (pairs,), written to.
        gradient: float64, (pairs, clips, captions), flat, zeros, written to where a path leads; of
            size 0 where it is not wanted.
    """
    clips, captions, pairs = shape
    # R of the recursion, behind a row and a column of what precedes it
    table = np.empty((clips + 1, captions + 1))
    for p in range(some[0], some[1]):
        n, m = lengths[0][p], lengths[1][p]
        _forward(cost, captions, n, m, columns[0], columns[1], pairs, clips, p, gamma, table)
        value[p] = table[n, m]
        if gradient.size > 0 and value[p] != np.inf:
            _backward(table, n, m, gamma, gradient, p * clips * captions, captions)


@jit
def _forward(
    cost: Any,
    captions: int,
    n: int,
    m: int,
    firsts: Any,
    ends: Any,
    pairs: int,
    clips: int,
    p: int,
    gamma: float,
    table: Any,
) -> None:
    table[: n + 1, : m + 1] = np.inf
    table[0, 0] = 0
    for i in range(n):
        at = (p * clips + i) * captions
        first, end = 0, m
        if firsts.size > 0:
            first, end = firsts[i * pairs + p], ends[i * pairs + p]
        for j in range(first, end):
            least = softmin(table[i, j], table[i, j + 1], table[i + 1, j], gamma)[0]
            # an unreachable cell stays so, even at a cost of -inf
            table[i + 1, j + 1] = least if least == np.inf else least + cost[at + j]


@jit
def _backward(
    table: Any, n: int, m: int, gamma: float, visits: Any, start: int, captions: int
) -> None:
    """Pass visits on by the weights of the soft minima, which are those of the forward, bitwise."""
    visits[start + (n - 1) * captions + m - 1] = 1
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            at = start + i * captions + j
            if visits[at] == 0:
                continue
            _, a, b, c = softmin(table[i, j], table[i, j + 1], table[i + 1, j], gamma)
            if i > 0 and j > 0:
                visits[at - captions - 1] += visits[at] * a
            if i > 0:
                visits[at - captions] += visits[at] * b
            if j > 0:
                visits[at - 1] += visits[at] * c


@jit
def softmin(diagonal: float, vertical: float, horizontal: float, gamma: float) -> Any:
    """Find the soft minimum of three numbers and their weights in it.

    Args:
        diagonal: The first number.
        vertical: The second.
        horizontal: The third.
        gamma: Smoothing; 0 is the hard minimum, the first of equals.

    Returns:
        The soft minimum and three weights that sum to 1, or are all 0 where all three numbers are
        infinite or one is NaN.
    """
    lowest = min(diagonal, vertical, horizontal)
    total = diagonal + vertical + horizontal
    if lowest == np.inf or (math.isnan(total) and lowest != -np.inf):
        return total, 0.0, 0.0, 0.0
    if gamma == 0:
        if diagonal == lowest:
            return lowest, 1.0, 0.0, 0.0
        return (lowest, 0.0, 1.0, 0.0) if vertical == lowest else (lowest, 0.0, 0.0, 1.0)
    # equal to the lowest is 1 without arithmetic, which -inf would not survive
    a = 1.0 if diagonal == lowest else math.exp((lowest - diagonal) / gamma)
    b = 1.0 if vertical == lowest else math.exp((lowest - vertical) / gamma)
    c = 1.0 if horizontal == lowest else math.exp((lowest - horizontal) / gamma)
    total = a + b + c
    return lowest - gamma * math.log(total), a / total, b / total, c / total


@entry
def run_exactly(pointer: Any) -> None:
    """Solve chunks of pairs until there is none left."""
    call = numba.carray(pointer, 1)[0]
    cost, gradient, value = tables_of(call, np.float64)
    while True:
        chunk = next_chunk(pointer)
        if chunk >= call.chunks:
            return
        solve_exactly(
            cost,
            three(call.shape),
            lengths_of(call),
            columns_of(call),
            call.gamma,
            chunk_range(call.parts, chunk, call.chunks),
            value,
            gradient,
        )
        chunk_done(pointer)
