"""Soft-DTW of many pairs on the CPU, compiled by numba at first use.

The kernel functions are plain Python on
NumPy arrays: they run uncompiled, slowly, and numba is imported only when :func:`kernel` compiles
them. A tile is a run of neighbouring pairs. A thread solves a whole tile, so that what the backward
needs of the forward is three weights a cell of one tile, not of all pairs.

Threads are Python's, and the kernel releases the interpreter's lock. Numba's own parallel loops run
on OpenMP, which kills a forked child process (a notebook's ``ddp_fork``) at its first such loop.
"""

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import numpy as np
import torch

from vtlearn.alignment.pairs import Pairs, Solution, Solver
from vtlearn.imports import require

__all__ = ["kernel"]


@functools.cache
def kernel() -> Solver:
    """Compile the kernel, or read it from numba's cache on disk.

    Returns:
        The solver of pairs that lie on the CPU.

    Raises:
        ImportError: If numba is not installed, or does not work with what is.

    Example:
        >>> solve = kernel()  # doctest: +SKIP
        >>> solve(as_pairs(torch.ones(1, 1)), 0.1, False).value  # doctest: +SKIP
        tensor([1.])
    """
    numba = require("numba", extra="fast", purpose="The CPU kernel of soft-DTW")
    compiled: dict[str, Any] = {}
    for function in (_softmin, _forward, _backward, _solve_tile):
        # each calls those before it by their global names: give it their compiled forms
        linked = FunctionType(function.__code__, globals() | compiled)
        compiled[function.__name__] = _compile(numba, linked)
    return functools.partial(_solve, compiled["_solve_tile"])


def _compile(numba: Any, function: FunctionType) -> Any:
    jit = functools.partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return jit(cache=True)(function)
    except RuntimeError:  # there is no folder that numba could write its cache to
        return jit()(function)


def _solve(tile: Any, pairs: Pairs, gamma: float, want_expected: bool) -> Solution:
    shape = pairs.cost.shape
    value = pairs.cost.new_zeros(shape[2])
    expected = pairs.cost.new_zeros(shape if want_expected else (0, 0, 0))
    cost, n, m = (table.detach().contiguous().numpy() for table in pairs)
    outputs = value.numpy(), expected.numpy()
    lanes, threads = _shares(shape)

    def solve_from(first: int) -> None:
        tile(cost, n, m, cost.dtype.type(gamma), first, first + lanes, *outputs)

    starts = range(0, shape[2], lanes)
    if min(threads, len(starts)) <= 1:
        for first in starts:
            solve_from(first)
    else:
        with ThreadPoolExecutor(min(threads, len(starts))) as pool:
            list(pool.map(solve_from, starts))  # the list raises what a thread raised
    return Solution(value, expected)


def _shares(shape: torch.Size) -> tuple[int, int]:
    """Say how many pairs make a tile, and how many threads share the tiles."""
    cells, pairs, threads = shape[0] * shape[1], shape[2], torch.get_num_threads()
    if cells * pairs < 2**13:  # solved before a thread has started
        return max(1, pairs), 1
    lanes = min(max(2**18 // cells, 8), 64)  # whole cache lines of pairs, a tile within the cache
    lanes = min(lanes, max(2**24 // cells, 1))  # and not above 200 MB a thread
    return max(1, min(lanes, -(-pairs // threads))), threads


def _softmin(diagonal: Any, vertical: Any, horizontal: Any, gamma: Any, one: Any) -> Any:
    """Find the soft minimum of three numbers and their weights in it.

    Args:
        diagonal: The first number.
        vertical: The second.
        horizontal: The third.
        gamma: Smoothing; 0 is the hard minimum, the first of equals.
        one: 1 in the precision to compute in.

    Returns:
        The soft minimum and three weights that sum to 1, or are all 0 where all three numbers are
        infinite or one is NaN.
    """
    zero = one - one
    lowest = min(diagonal, vertical, horizontal)
    total = diagonal + vertical + horizontal
    if lowest == np.inf or (math.isnan(total) and lowest != -np.inf):
        return total, zero, zero, zero
    if gamma == 0:
        if diagonal == lowest:
            return lowest, one, zero, zero
        return (lowest, zero, one, zero) if vertical == lowest else (lowest, zero, zero, one)
    # equal to the lowest is 1 without arithmetic, which -inf would not survive
    a = one if diagonal == lowest else math.exp((lowest - diagonal) / gamma)
    b = one if vertical == lowest else math.exp((lowest - vertical) / gamma)
    c = one if horizontal == lowest else math.exp((lowest - horizontal) / gamma)
    total = a + b + c
    return lowest - gamma * math.log(total), a / total, b / total, c / total


def _forward(cost: Any, n: Any, m: Any, gamma: Any, value: Any, weights: Any) -> None:
    """Run the recursion over a tile, and keep the weights of each cell's three predecessors.

    Args:
        cost: (clips, captions, lanes).
        n: Valid clips of each pair, (lanes,).
        m: Valid captions of each pair, (lanes,).
        gamma: Smoothing, in the cost's dtype.
        value: (lanes,), written to.
        weights: (rows + 1, columns + 1, 3, lanes), zeros, written to within the lengths; of size 0
            where they are not wanted.
    """
    rows, columns, lanes = n.max(), m.max(), len(n)
    one, infinity = cost.dtype.type(1), cost.dtype.type(np.inf)
    above = np.full((columns + 1, lanes), infinity, cost.dtype)
    current = np.full((columns + 1, lanes), infinity, cost.dtype)
    above[0] = 0  # what precedes the first cell
    for i in range(rows):
        for j in range(columns):
            for p in range(lanes):
                least, a, b, c = _softmin(above[j, p], above[j + 1, p], current[j, p], gamma, one)
                # an unreachable cell stays so, even at a cost of -inf
                current[j + 1, p] = least if least == infinity else least + cost[i, j, p]
                if weights.size > 0 and i < n[p] and j < m[p]:
                    weights[i, j, 0, p], weights[i, j, 1, p], weights[i, j, 2, p] = a, b, c
        for p in range(lanes):
            if i == n[p] - 1:
                value[p] = current[m[p], p]
        above, current = current, above
        current[0] = infinity


def _backward(weights: Any, n: Any, m: Any, expected: Any) -> None:
    """Follow the weights from each pair's last cell to the first.

    Args:
        weights: (rows + 1, columns + 1, 3, lanes), zero beyond the lengths.
        n: Valid clips of each pair, (lanes,).
        m: Valid captions of each pair, (lanes,).
        expected: (clips, captions, lanes), zeros, written to within the lengths.
    """
    rows, columns, lanes = n.max(), m.max(), len(n)
    below = np.zeros((columns + 1, lanes), weights.dtype)
    current = np.zeros((columns + 1, lanes), weights.dtype)
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            for p in range(lanes):
                visits = (
                    below[j + 1, p] * weights[i + 1, j + 1, 0, p]
                    + below[j, p] * weights[i + 1, j, 1, p]
                    + current[j + 1, p] * weights[i, j + 1, 2, p]
                )
                if i == n[p] - 1 and j == m[p] - 1:
                    visits = weights.dtype.type(1)
                current[j, p] = visits
                expected[i, j, p] = visits
        below, current = current, below


def _solve_tile(
    cost: Any, n: Any, m: Any, gamma: Any, first: int, last: int, value: Any, expected: Any
) -> None:
    """Solve the pairs from ``first`` to before ``last``.

    Args:
        cost: (clips, captions, pairs).
        n: Valid clips of each pair, (pairs,).
        m: Valid captions of each pair, (pairs,).
        gamma: Smoothing, in the cost's dtype.
        first: The first pair of the tile.
        last: The first pair after it; may lie beyond the end.
        value: (pairs,), written to.
        expected: (clips, captions, pairs), zeros, written to; of size 0 where it is not wanted.
    """
    n, m, value = n[first:last], m[first:last], value[first:last]
    kept = 3 if expected.size > 0 else 0
    weights = np.zeros((n.max() + 1, m.max() + 1, kept, len(n)), cost.dtype)
    _forward(cost[:, :, first:last], n, m, gamma, value, weights)
    if kept > 0:
        _backward(weights, n, m, expected[:, :, first:last])
