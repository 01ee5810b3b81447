"""Soft-DTW of many pairs on the CPU, compiled by numba at first use.

float32 costs are solved as powers (``cpu.exponents``), many pairs or many clips at once. float64
costs, gamma = 0 and the rare pair whose powers leave the range of an exponent are solved exactly,
one by one. ``cpu`` tells the story.
"""

import math

import numpy as np
import torch
from torch import Tensor

from vtlearn.alignment.bands import Columns
from vtlearn.alignment.cpu.calls import packed
from vtlearn.alignment.cpu.exact import run_exactly
from vtlearn.alignment.cpu.exponents import LARGEST
from vtlearn.alignment.cpu.lanes import LANES
from vtlearn.alignment.cpu.strips import run_strips
from vtlearn.alignment.cpu.thread_pool import run_in_threads
from vtlearn.alignment.cpu.tiles import run_tiles
from vtlearn.alignment.options import (
    SoftDTWOptions,
    Solver,
    add_dummies_and_smoothing,
    cost_gradient,
)
from vtlearn.alignment.pairs import Pairs
from vtlearn.errors import ArgumentError

__all__: list[str] = []

_SMALL = 2**14
"""Cells that are solved before a second thread has started."""

_SCRATCH = 2**26
"""Bytes of weights that a thread keeps; what does not fit is computed twice."""


def solver() -> Solver:
    """Give the kernel, which is compiled when it is first called.

    Returns:
        :func:`solve`.

    Example:
        >>> solver().__name__
        'solve'
    """
    return solve


def solve(pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None) -> Tensor:
    """Solve pairs that lie on the CPU.

    Args:
        pairs: Costs and their lengths; fastest in float32, with the pair axis or the caption axis
            innermost.
        options: What to solve them for.
        gradient: (clips, captions, pairs), is overwritten by the gradient of each value with
            respect to its cost; None: it is not wanted.

    Returns:
        (pairs,), the value of each pair.

    Raises:
        ArgumentError: If the gradient's table is not like the cost's, into whose memory kernels
            write.

    Example:
        >>> one, gradient = torch.tensor([2]), torch.empty(2, 2, 1)
        >>> solve(Pairs(torch.ones(2, 2, 1), one, one), SoftDTWOptions(0.0), gradient)
        tensor([2.])
        >>> gradient[:, :, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """
    if gradient is not None and (gradient.shape, gradient.dtype) != (
        pairs.cost.shape,
        pairs.cost.dtype,
    ):
        message = (
            f"the gradient is {gradient.dtype}, {tuple(gradient.shape)}: make it empty_like(cost)"
        )
        raise ArgumentError(message)
    if pairs.cost.shape[2] == 0:
        return pairs.cost.new_empty(0)
    if pairs.cost.dtype != torch.float32 or options.gamma == 0:
        return _solve_exactly(pairs, options, gradient)
    if _in_strips(pairs.cost.shape):
        if options.weak:  # strips know no dummies
            return _solve_with_dummies(pairs, options, gradient)
        value, fallback = _solve_strips(pairs, options.gamma, gradient)
    else:
        value, fallback = _solve_tiles(pairs, options, gradient)
    if bool(fallback.any()):
        _solve_again(pairs, options, fallback, value, gradient)
    return value


def _in_strips(shape: torch.Size) -> bool:
    """Say whether a pair's clips fill the lanes better than pairs do."""
    clips, captions, pairs = shape
    threads = torch.get_num_threads()
    turns_of_tiles = _parts(_parts(pairs, LANES), threads) * clips * captions
    turns_of_strips = _parts(pairs, threads) * _parts(clips, LANES) * (captions + LANES - 1)
    return 1.3 * turns_of_strips < turns_of_tiles


def _solve_tiles(
    pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None
) -> tuple[Tensor, np.ndarray]:
    clips, captions, count = pairs.cost.shape
    power = -(options.dummy or 0) / options.gamma * math.log2(math.e)
    if abs(power) > LARGEST:
        return _solve_exactly(pairs, options, gradient), np.zeros(count, np.bool_)
    # of each clip: two rows of cells with dummies, and smoothing's weights
    cells = captions if options.dummy is None else 2 * (2 * captions + 1)
    arguments = {
        "parts": _parts(count, LANES),
        "block": _block((cells + captions * options.smoothing) * LANES, clips),
        "gamma": options.gamma,
        "has_dummies": options.dummy is not None,
        "smoothing": options.smoothing,
        "dummy_m": 2.0 ** (power - round(power)),
        "dummy_e": round(power),
    }
    return _run(run_tiles(), pairs, gradient, arguments)


def _solve_strips(pairs: Pairs, gamma: float, gradient: Tensor | None) -> tuple[Tensor, np.ndarray]:
    clips, captions, count = pairs.cost.shape
    block = _block((captions + LANES - 1) * LANES, _parts(clips, LANES))
    return _run(run_strips(), pairs, gradient, {"parts": count, "block": block, "gamma": gamma})


def _solve_exactly(pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None) -> Tensor:
    wide = pairs._replace(cost=pairs.cost.double())
    weak = add_dummies_and_smoothing(wide, options) if options.weak else wide
    cost = weak.cost.movedim(2, 0).contiguous().movedim(0, 2)
    expected = None if gradient is None else torch.zeros_like(cost)
    arguments = {"parts": cost.shape[2], "gamma": options.gamma}
    value, _ = _run(run_exactly(), weak._replace(cost=cost), expected, arguments)
    if gradient is not None and expected is not None:
        gradient.copy_(cost_gradient(expected, wide, options))
    return value.to(pairs.cost.dtype)


def _run(
    function: int, pairs: Pairs, gradient: Tensor | None, own: dict[str, float]
) -> tuple[Tensor, np.ndarray]:
    """Call a kernel on all pairs: their value, and which of them need wider exponents.

    ``own`` are the arguments that only this kernel takes.
    """
    cost, n, m = pairs.cost.detach(), pairs.n.contiguous(), pairs.m.contiguous()
    value, fallback = cost.new_empty(cost.shape[2]), np.zeros(cost.shape[2], np.bool_)
    arguments: dict[str, object] = {
        "shape": tuple(cost.shape),
        "cost": cost.data_ptr(),
        "cost_size": _span(cost),
        "strides": cost.stride(),
        "n": n.data_ptr(),
        "m": m.data_ptr(),
        "value": value.data_ptr(),
        "fallback": fallback.ctypes.data,
    }
    if gradient is not None:
        arguments["gradient"], arguments["gradient_size"] = gradient.data_ptr(), _span(gradient)
        arguments["gradient_strides"] = gradient.stride()
    if pairs.columns is not None:
        first, end = (bound.contiguous() for bound in pairs.columns)
        arguments |= {"first": first.data_ptr(), "end": end.data_ptr(), "band_size": first.numel()}
    threads = 1 if cost.numel() < _SMALL else torch.get_num_threads()
    run_in_threads(function, packed(arguments | own), threads)
    return value, fallback


def _solve_with_dummies(pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None) -> Tensor:
    weak = add_dummies_and_smoothing(pairs, options)
    expected = None if gradient is None else torch.empty_like(weak.cost)
    value = solve(weak, SoftDTWOptions(options.gamma), expected)
    if gradient is not None and expected is not None:
        gradient.copy_(cost_gradient(expected, pairs, options))
    return value


def _solve_again(
    pairs: Pairs,
    options: SoftDTWOptions,
    fallback: np.ndarray,
    value: Tensor,
    gradient: Tensor | None,
) -> None:
    some = torch.from_numpy(fallback).nonzero().squeeze(1)
    columns = pairs.columns and Columns(*(bound[:, some] for bound in pairs.columns))
    few = Pairs(pairs.cost[:, :, some], pairs.n[some], pairs.m[some], columns)
    table = None if gradient is None else torch.empty_like(few.cost)
    value[some] = _solve_exactly(few, options, table)
    if gradient is not None and table is not None:
        gradient[:, :, some] = table


def _span(table: Tensor) -> int:
    """Count the numbers between a table's first in memory and its last."""
    return 1 + sum(
        (size - 1) * step for size, step in zip(table.shape, table.stride(), strict=True)
    )


def _block(cells: int, rows: int) -> int:
    """Say how many rows' weights are kept, three floats a cell, if not all of them."""
    return max(1, min(rows, _SCRATCH // (3 * 4 * cells)))


def _parts(count: int, size: int) -> int:
    return -(-count // size)
