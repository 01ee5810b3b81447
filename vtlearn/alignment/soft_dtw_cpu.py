"""Soft-DTW of many pairs on the CPU, compiled by numba at first use.

float32 costs are solved as powers (``cpu.powers``), eight pairs or eight clips at once. float64
costs, gamma = 0 and the rare pair whose powers leave the range of an exponent are solved exactly,
one by one. ``cpu`` tells the story.

Threads are Python's, and the kernels release the interpreter's lock. Numba's own parallel loops run
on OpenMP, which kills a forked child process (a notebook's ``ddp_fork``) at its first such loop.
"""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtlearn.alignment.bands import Columns
from vtlearn.alignment.cpu.exact import solve_exactly
from vtlearn.alignment.cpu.lanes import LANES
from vtlearn.alignment.cpu.powers import LARGEST
from vtlearn.alignment.cpu.strips import solve_strips
from vtlearn.alignment.cpu.tiles import solve_tiles
from vtlearn.alignment.pairs import Pairs
from vtlearn.alignment.warping import Warping, pull_back, weaken

__all__ = ["solve"]

_SMALL = 2**14
"""Cells that are solved before a second thread has started."""

_SCRATCH = 2**26
"""Bytes of weights that a thread keeps; what does not fit is computed twice."""


def solve(pairs: Pairs, warping: Warping, gradient: Tensor | None) -> Tensor:
    """Solve pairs that lie on the CPU.

    Args:
        pairs: Costs and their lengths; fastest in float32, with the pair axis or the caption axis
            innermost.
        warping: What to solve them for.
        gradient: (clips, captions, pairs), is overwritten by the gradient of each value with
            respect to its cost; None: it is not wanted.

    Returns:
        (pairs,), the value of each pair.

    Example:
        >>> one, gradient = torch.tensor([2]), torch.empty(2, 2, 1)
        >>> solve(Pairs(torch.ones(2, 2, 1), one, one), Warping(0.0), gradient)
        tensor([2.])
        >>> gradient[:, :, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """
    if pairs.cost.shape[2] == 0:
        return pairs.cost.new_empty(0)
    if pairs.cost.dtype != torch.float32 or warping.gamma == 0:
        return _solve_exactly(pairs, warping, gradient)
    if _in_strips(pairs.cost.shape):
        if warping.weak:  # strips know no dummies
            return _solve_weakened(pairs, warping, gradient)
        value, left_over = _solve_strips(pairs, warping.gamma, gradient)
    else:
        value, left_over = _solve_tiles(pairs, warping, gradient)
    if bool(left_over.any()):
        _solve_again(pairs, warping, left_over, value, gradient)
    return value


def _in_strips(shape: torch.Size) -> bool:
    """Say whether a pair's clips fill the lanes better than pairs do."""
    clips, captions, pairs = shape
    threads = torch.get_num_threads()
    turns_of_tiles = _parts(_parts(pairs, LANES), threads) * clips * captions
    turns_of_strips = _parts(pairs, threads) * _parts(clips, LANES) * (captions + LANES - 1)
    return 1.3 * turns_of_strips < turns_of_tiles


def _solve_tiles(
    pairs: Pairs, warping: Warping, gradient: Tensor | None
) -> tuple[Tensor, np.ndarray]:
    clips, captions, count = pairs.cost.shape
    # of each clip: two rows of cells with dummies, and smoothing's weights
    cells = captions if warping.dummy is None else 2 * (2 * captions + 1)
    block = _block((cells + captions * warping.smoothing) * LANES, clips)
    power = -(warping.dummy or 0) / warping.gamma * math.log2(math.e)
    if abs(power) > LARGEST:
        return _solve_exactly(pairs, warping, gradient), np.zeros(count, np.bool_)
    dummy = 2.0 ** (power - round(power)), round(power)
    arguments = (warping.gamma, warping.dummy is not None, warping.smoothing), dummy
    return _solve_flat(solve_tiles, pairs, arguments, _parts(count, LANES), block, gradient)


def _solve_strips(
    pairs: Pairs, gamma: float, gradient: Tensor | None
) -> tuple[Tensor, np.ndarray]:
    clips, captions, count = pairs.cost.shape
    block = _block((captions + LANES - 1) * LANES, _parts(clips, LANES))
    return _solve_flat(solve_strips, pairs, (gamma,), count, block, gradient)


def _solve_flat(
    kernel: Any,
    pairs: Pairs,
    arguments: tuple[Any, ...],
    parts: int,
    block: int,
    gradient: Tensor | None,
) -> tuple[Tensor, np.ndarray]:
    """Call a kernel that reads and writes flat memory, in as many parts as threads are useful."""
    value = pairs.cost.new_empty(pairs.cost.shape[2])
    left_over = np.zeros(len(value), np.bool_)
    read, strides = _flat(pairs.cost)
    write, write_strides = (np.empty(0, np.float32), strides) if gradient is None else _flat(gradient)
    given = read, strides, tuple(pairs.cost.shape), _lengths(pairs), _columns(pairs.columns)

    def solve_some(first: int, end: int) -> None:
        kernel(
            *given, *arguments, (first, end), block, value.numpy(), left_over, write, write_strides
        )

    _share_out(solve_some, parts, pairs.cost.numel())
    return value, left_over


def _solve_exactly(pairs: Pairs, warping: Warping, gradient: Tensor | None) -> Tensor:
    wide = pairs._replace(cost=pairs.cost.double())
    weak = weaken(wide, warping) if warping.weak else wide
    cost = weak.cost.movedim(2, 0).contiguous()
    value = cost.new_empty(len(cost))
    expected = torch.zeros_like(cost) if gradient is not None else cost.new_empty(0, 0, 0)
    columns = _columns(weak.columns)

    def solve_some(first: int, end: int) -> None:
        tables = value.numpy(), expected.numpy()
        some = first, end
        solve_exactly(cost.numpy(), _lengths(weak), columns, warping.gamma, some, *tables)

    _share_out(solve_some, len(cost), cost.numel())
    if gradient is not None:
        gradient.copy_(pull_back(expected.movedim(0, 2), wide, warping))
    return value.to(pairs.cost.dtype)


def _solve_weakened(pairs: Pairs, warping: Warping, gradient: Tensor | None) -> Tensor:
    weak = weaken(pairs, warping)
    expected = None if gradient is None else torch.empty_like(weak.cost)
    value = solve(weak, Warping(warping.gamma), expected)
    if gradient is not None and expected is not None:
        gradient.copy_(pull_back(expected, pairs, warping))
    return value


def _solve_again(
    pairs: Pairs, warping: Warping, left_over: np.ndarray, value: Tensor, gradient: Tensor | None
) -> None:
    some = torch.from_numpy(left_over).nonzero().squeeze(1)
    columns = pairs.columns and Columns(*(bound[:, some] for bound in pairs.columns))
    few = Pairs(pairs.cost[:, :, some], pairs.n[some], pairs.m[some], columns)
    table = None if gradient is None else torch.empty_like(few.cost)
    value[some] = _solve_exactly(few, warping, table)
    if gradient is not None and table is not None:
        gradient[:, :, some] = table


def _flat(table: Tensor) -> tuple[np.ndarray, tuple[int, ...]]:
    """Show the memory that a table spans, and how far apart its rows, columns and pairs lie."""
    table = table.detach()
    extent = sum((size - 1) * step for size, step in zip(table.shape, table.stride(), strict=True))
    span = 0 if table.numel() == 0 else extent + 1
    return table.as_strided((span,), (1,)).numpy(), table.stride()


def _lengths(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.n.contiguous().numpy(), pairs.m.contiguous().numpy()


def _columns(columns: Columns | None) -> tuple[np.ndarray, np.ndarray]:
    if columns is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return columns.first.contiguous().view(-1).numpy(), columns.end.contiguous().view(-1).numpy()


def _block(cells: int, rows: int) -> int:
    """Say how many rows' weights are kept, three floats a cell, if not all of them."""
    return max(1, min(rows, _SCRATCH // (3 * 4 * cells)))


def _parts(count: int, size: int) -> int:
    return -(-count // size)


def _share_out(solve_some: Callable[[int, int], None], parts: int, cells: int) -> None:
    """Solve all parts: one share here, the others in as many threads as torch may use."""
    threads = 1 if cells < _SMALL else min(torch.get_num_threads(), parts)
    if threads <= 1:
        solve_some(0, parts)
        return
    ends = [parts * share // threads for share in range(threads + 1)]
    pool = _pool(threads - 1, os.getpid())
    others = [pool.submit(solve_some, ends[k], ends[k + 1]) for k in range(1, threads)]
    solve_some(0, ends[1])
    for other in others:
        other.result()  # raises what a thread raised


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    del process  # threads do not survive a fork: a child needs its own
    return ThreadPoolExecutor(threads, thread_name_prefix="vtlearn-alignment")
