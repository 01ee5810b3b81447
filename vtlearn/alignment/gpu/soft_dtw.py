"""Soft-DTW of many pairs on a GPU, compiled by Triton at first use.

There are two ways to spread the cells of the tables, and :func:`_tiling` chooses. *By pairs*: a
lane solves a pair, cell by cell, and a program as many pairs as it has lanes. *By strips*: a lane
solves a row (a clip) of one pair, one column behind the lane above it, so that a program walks down
the anti-diagonals of a strip of rows; strips are cut into chunks of steps, and one launch runs all
chunks whose predecessors earlier launches have run.

Both keep what it costs to reach each cell, one number a cell, and the backward recomputes from it
the three weights of each soft minimum. It shares out what arrives at a cell among those before it,
so nothing is lost on the way: the weights add up to 1 as exactly as they are divided.

What another program wrote is read in a later launch, which CUDA orders; no program waits for
another. What another lane of the same program wrote goes through registers (``tl.gather``), or
through memory with a barrier of the program in between: which thread holds which lane is Triton's
choice, and nothing here relies on it.

Beside cost and gradient this takes memory, in numbers of the cost's dtype and for tables of rows x
columns (clips x captions; with dummies 2 clips + 1 by 2 captions + 1):

- by pairs: pairs x (rows + 2) x columns; the value alone: pairs x 2 x columns;
- by strips of ``lanes`` rows, of which there are rows / lanes: pairs x strips x (lanes x (columns +
  lanes + 1) + columns); the value alone: pairs x strips x 4 lanes x lanes at most;
- with smoothing and a gradient, pairs x clips x captions more.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.errors import TritonError
from triton.language import tensor  # what kernels are given, and compute with

from vtlearn.alignment.options import SoftDTWOptions, Solver
from vtlearn.alignment.pairs import Pairs, as_pairs
from vtlearn.alignment.soft_dtw_torch import solve as solve_in_torch

__all__: list[str] = []

_BUSY = 2**15
"""So many lanes a GPU keeps busy at full speed.

An H100 has 132 x 128 units, and each needs more than one lane to hide how long a step takes.
"""

_SIZES = [
    "count", "clips", "captions", "rows", "columns", "ring", "strips", "chunks", "steps", "slots",
    "turn", "wave", "first_strip", "clip_stride", "caption_stride", "pair_stride", "gradient_clip",
    "gradient_caption", "gradient_pair",
]  # fmt: skip

_AHEAD = tl.constexpr(4)
"""So many steps of a loop ahead its numbers are loaded, which hides how long that takes.

No loop here writes what it reads, so loads may be moved ahead of stores. Bands decide which numbers
are loaded at all, and are read where they are needed.
"""

_jit: Callable[[Callable[..., Any]], Any] = triton.jit
# one compilation for all sizes and strides, also those that happen to be 1 or multiples of 16
_kernel: Callable[[Callable[..., Any]], Any] = triton.jit(do_not_specialize=_SIZES)


class _Tiling(NamedTuple):
    """How the cells of all tables are spread over programs.

    Attributes:
        by_pairs: Whether a lane is a pair; else it is a row of one.
        lanes: Lanes of a program, a power of two.
        warps: Groups of 32 threads that share the lanes of a program.
    """

    by_pairs: bool
    lanes: int
    warps: int


class _Task(NamedTuple):
    """What both ways are given.

    Attributes:
        rows: Of the largest table.
        columns: Of the largest table.
        shared: What forward and backward kernels are told.
        costs: What else forward kernels are told, which read costs.
        value: (pairs,), to be filled.
        gradient: (clips, captions, pairs), to be filled with the gradient of each value with
            respect to the cost of the table's cells; None: it is not wanted.
    """

    rows: int
    columns: int
    shared: dict[str, Any]
    costs: dict[str, Any]
    value: Tensor
    gradient: Tensor | None


def solver(device: str = "cuda") -> Solver:
    """Give the kernel, if it does here what it should: GPUs and versions of Triton are many.

    Args:
        device: Where to try it.

    Returns:
        :func:`solve`.

    Raises:
        ImportError: If it fails on a few small pairs, or says something else than the
            specification.

    Example:
        >>> solver().__name__  # doctest: +SKIP
        'solve'
    """
    cost = torch.linspace(0, 4, 5 * 6 * 7, device=device).sin().reshape(5, 6, 7)
    lengths = torch.arange(5, device=device)
    pairs = as_pairs(cost, lengths + 2, lengths % 3 + 5)
    tilings = _Tiling(True, 32, 1), _Tiling(False, 32, 1)
    for tiling in tilings:
        for options in (SoftDTWOptions(0.1), SoftDTWOptions(0.1, 0.5, smoothing=True)):
            gradient, expected = torch.empty_like(pairs.cost), torch.empty_like(pairs.cost)
            try:
                value = _solve(pairs, options, gradient, tiling)
            except torch.OutOfMemoryError:
                raise  # says nothing of the kernel
            except (RuntimeError, TritonError) as error:
                message = f"Triton's kernel fails on this GPU: {error}"
                raise ImportError(message) from error
            exact = solve_in_torch(pairs, options, expected)
            close = torch.allclose(value, exact, atol=1e-4)
            if not (close and torch.allclose(gradient, expected, atol=1e-3)):
                message = "Triton's kernel does not compute soft-DTW on this GPU"
                raise ImportError(message)
    return solve


def solve(pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None) -> Tensor:
    """Solve pairs on the GPU that they lie on.

    Args:
        pairs: Costs and their lengths.
        options: What to solve them for.
        gradient: (clips, captions, pairs), is overwritten by the gradient of each value with
            respect to its cost; None: it is not wanted.

    Returns:
        (pairs,), the value of each pair.

    Example:
        >>> two = torch.tensor([2], device="cuda")  # doctest: +SKIP
        >>> cost = torch.ones(2, 2, 1, device="cuda")  # doctest: +SKIP
        >>> solve(Pairs(cost, two, two), SoftDTWOptions(0.0), None)  # doctest: +SKIP
        tensor([2.], device='cuda:0')
    """
    rows, columns = _table(pairs, options)
    return _solve(pairs, options, gradient, _tiling(rows, columns, len(pairs.n)))


def _table(pairs: Pairs, options: SoftDTWOptions) -> tuple[int, int]:
    clips, captions, _ = pairs.cost.shape
    if options.dummy is None:
        return clips, captions
    return 2 * clips + 1, 2 * captions + 1


def _tiling(rows: int, columns: int, count: int) -> _Tiling:
    """Choose the way on which fewer steps follow one another.

    By pairs, a lane takes a step for each cell of a table; by strips, for each column and each row,
    in as many lanes as there are rows: the better, the larger the tables are and the fewer there
    are. Beyond :data:`_BUSY` lanes, they wait for each other. Where both come out much alike, pairs
    win: neighbouring lanes then read neighbouring numbers if the pair axis is innermost.
    """
    height = min(max(triton.next_power_of_2(rows), 32), 512)
    height_of_all = triton.cdiv(rows, height) * height
    by_pairs = rows * columns * max(1.0, count / _BUSY)
    by_strips = (height_of_all + columns) * max(1.0, count * height_of_all / _BUSY)
    if by_pairs > 2 * by_strips:
        return _Tiling(False, height, max(1, height // 64))
    lanes = 32 if count <= 2 * _BUSY else 128  # few pairs: small programs, for each multiprocessor
    return _Tiling(True, lanes, lanes // 32)


def _solve(
    pairs: Pairs, options: SoftDTWOptions, gradient: Tensor | None, tiling: _Tiling
) -> Tensor:
    cost = pairs.cost
    value = cost.new_empty(len(pairs.n))
    if len(value) == 0:
        return value
    expected = gradient
    if gradient is not None and options.smoothing:
        expected = cost.new_empty(cost.shape)
    lengths, (rows, columns) = _lengths(pairs, options), _table(pairs, options)
    dummies = options.dummy is not None
    shared = {**lengths, "value": value, "dummies": dummies}
    task = _Task(rows, columns, shared, _costs(pairs, options), value, expected)
    with torch.cuda.device_of(cost):  # Triton launches on the current device
        (_by_pairs if tiling.by_pairs else _by_strips)(task, tiling)
        if gradient is not None and options.smoothing:
            _pull_back[triton.cdiv(cost.numel(), 256),](
                **lengths, cost=cost, **_strides(cost), expected=expected, gradient=gradient,
                **_strides(gradient, "gradient_{}"), clips=cost.shape[0], captions=cost.shape[1],
                lanes=256,
            )  # fmt: skip
    return value


def _lengths(pairs: Pairs, options: SoftDTWOptions) -> dict[str, Any]:
    first, end = pairs.columns or (pairs.n, pairs.m)  # without a band, nobody reads them
    gamma = options.gamma
    return {
        "n": pairs.n.contiguous(),
        "m": pairs.m.contiguous(),
        "first": first.contiguous(),
        "end": end.contiguous(),
        "count": len(pairs.n),
        # float64, whatever the cost is: kernels round them to its dtype
        "scale": 1 / (gamma * math.log(2)) if gamma > 0 else 0.0,
        "unit": gamma * math.log(2),
        "hard": gamma == 0,
        "banded": pairs.columns is not None,
    }


def _costs(pairs: Pairs, options: SoftDTWOptions) -> dict[str, Any]:
    return {
        "cost": pairs.cost,
        **_strides(pairs.cost),
        "dummy": 0.0 if options.dummy is None else float(options.dummy),
        "smoothing": options.smoothing,
    }


def _strides(table: Tensor, names: str = "{}_stride") -> dict[str, int]:
    axes = ("clip", "caption", "pair")
    return {names.format(axis): step for axis, step in zip(axes, table.stride(), strict=True)}


def _by_pairs(task: _Task, tiling: _Tiling) -> None:
    rows, columns, shared, costs, value, gradient = task
    count, lanes = len(value), tiling.lanes
    # the value alone needs the row before, so rows take turns in two places
    ring = rows if gradient is not None else 2
    shared = {
        **shared, "reach": value.new_empty(ring, columns, count), "columns": columns,
        "lanes": lanes, "num_warps": tiling.warps,
    }  # fmt: skip
    grid = (triton.cdiv(count, lanes),)
    _forward_by_pairs[grid](**shared, **costs, ring=ring)
    if gradient is not None:
        passed = value.new_empty(2, columns, count)
        strides = _strides(gradient, "gradient_{}")
        _backward_by_pairs[grid](**shared, rows=rows, passed=passed, gradient=gradient, **strides)


def _by_strips(task: _Task, tiling: _Tiling) -> None:
    rows, columns, shared, costs, value, gradient = task
    count, lanes = len(value), tiling.lanes
    strips = triton.cdiv(rows, lanes)
    duration = columns + lanes - 1  # steps that a strip takes
    # Step t of a strip needs step t + lanes - 1 of the strip above, where its last lane is as far:
    # chunk k of strip s has to follow chunk k + 1 of strip s - 1, so it runs in wave k + 2 s.
    steps = lanes if strips > 1 else duration
    chunks = triton.cdiv(duration, steps)
    waves = chunks + 2 * (strips - 1)
    # Of the value alone no chunk before the last needs to be kept; the chunk that runs and the one
    # after, which the strip above may be writing, make four, which take turns.
    slots = duration if gradient is not None else 4 * steps if strips > 1 else 1
    shared = {
        **shared, "reach": value.new_empty(count, strips, slots, lanes), "strips": strips,
        "slots": slots, "steps": steps, "lanes": lanes, "num_warps": tiling.warps,
    }  # fmt: skip
    turn = slots - 1 if gradient is None else -1
    for wave in range(waves):
        grid, first = _of_wave(wave, count, strips, chunks)
        _forward_by_strips[grid](**shared, **costs, turn=turn, wave=wave, first_strip=first)
    if gradient is None:
        return
    shared |= {
        "gradient": gradient, **_strides(gradient, "gradient_{}"), "rows": rows, "columns": columns,
        "chunks": chunks,
        "passed": value.new_empty(count, strips, columns),
        "arriving": value.new_empty(count, strips, 2, lanes),
    }  # fmt: skip
    for wave in reversed(range(waves)):
        grid, first = _of_wave(wave, count, strips, chunks)
        _backward_by_strips[grid](**shared, wave=wave, first_strip=first)


def _of_wave(wave: int, count: int, strips: int, chunks: int) -> tuple[tuple[int, int], int]:
    """Find the strips that run a chunk in a wave: the grid of programs, and the first strip."""
    first = max(0, triton.cdiv(wave - chunks + 1, 2))
    last = min(strips - 1, wave // 2)
    return (count, last - first + 1), first


@_jit
def _softmin(
    diagonal: tensor,
    above: tensor,
    left: tensor,
    scale: tensor,
    unit: tensor,
    hard: tl.constexpr,
) -> tensor:
    """Find the soft minimum of three, and their weights in it, as ``options.softmin`` does.

    In powers of 2, for which the GPU has instructions. Costs keep their own units: in those of a
    tiny gamma they would overflow.
    """
    least = tl.minimum(diagonal, above, propagate_nan=tl.PropagateNan.ALL)
    least = tl.minimum(least, left, propagate_nan=tl.PropagateNan.ALL)
    some = least < float("inf")  # and no NaN
    if hard:
        smallest = least
        from_diagonal = some & (diagonal == least)
        from_above = some & (above == least) & (diagonal != least)
        from_left = some & (diagonal != least) & (above != least)
        from_diagonal = tl.where(from_diagonal, 1.0, 0.0).to(least.dtype)
        from_above = tl.where(from_above, 1.0, 0.0).to(least.dtype)
        from_left = tl.where(from_left, 1.0, 0.0).to(least.dtype)
    else:
        # what equals the least is 1 without arithmetic, which inf would not survive
        from_diagonal = tl.where(diagonal == least, 1.0, tl.exp2((least - diagonal) * scale))
        from_above = tl.where(above == least, 1.0, tl.exp2((least - above) * scale))
        from_left = tl.where(left == least, 1.0, tl.exp2((least - left) * scale))
        total = from_diagonal + from_above + from_left
        smallest = least - tl.log2(total) * unit
        share = _one_over(total)
        from_diagonal = tl.where(some, from_diagonal * share, 0.0)
        from_above = tl.where(some, from_above * share, 0.0)
        from_left = tl.where(some, from_left * share, 0.0)
    return smallest, from_diagonal, from_above, from_left


@_jit
def _larger(one: tensor, other: tensor) -> tensor:
    return tl.maximum(one, other)


@_jit
def _one_over(total: tensor) -> tensor:
    """Divide, rounding to nearest: a bias would add up along a path, and change its mass."""
    one = tl.full(total.shape, 1.0, total.dtype)
    return tl.math.div_rn(one, total) if total.dtype == tl.float32 else one / total


@_jit
def _inside(
    clip: tensor,
    caption: tensor,
    n: tensor,
    m: tensor,
    first: tensor,
    end: tensor,
    count: tensor,
    banded: tl.constexpr,
) -> tensor:
    """Tell whether a cell lies within the lengths and the band: ``pairs.inside``."""
    valid = (clip >= 0) & (clip < n) & (caption >= 0) & (caption < m)
    if banded:
        low = tl.load(first + clip * count, mask=valid, other=0)
        high = tl.load(end + clip * count, mask=valid, other=0)
        valid = valid & (caption >= low) & (caption < high)
    return valid


@_jit
def _visitable(
    row: tensor, column: tensor, n: tensor, m: tensor, first: tensor, end: tensor, count: tensor,
    dummies: tl.constexpr, banded: tl.constexpr,
) -> tensor:  # fmt: skip
    """Tell whether a path may visit a cell of the table; with dummies, bands do not say."""
    if dummies:
        may = (row >= 0) & (row <= 2 * n) & (column >= 0) & (column <= 2 * m)
    else:
        may = _inside(row, column, n, m, first, end, count, banded)
    return may


@_jit
def _last_cell(n: tensor, m: tensor, dummies: tl.constexpr) -> tensor:
    if dummies:
        row = 2 * n
        column = 2 * m
    else:
        row = n - 1
        column = m - 1
    return row.to(tl.int32), column.to(tl.int32)


@_jit
def _smoothed(
    cost: tensor, clip: tensor, caption: tensor, n: tensor, m: tensor, first: tensor, end: tensor,
    count: tensor, clip_stride: tensor, caption_stride: tensor, scale: tensor, unit: tensor,
    wanted: tensor, hard: tl.constexpr, banded: tl.constexpr,
) -> tensor:  # fmt: skip
    """Find the soft minimum of a cell's neighbours, which smoothing adds, and their weights in it.

    As in ``options.add_dummies_and_smoothing``: neighbours that are not inside count 0, and those
    that would precede the table are infinite; the first cell has three zeros before it.
    """
    start = (clip == 0) & (caption == 0)
    here = cost + clip * clip_stride + caption * caption_stride
    known = wanted & _inside(clip - 1, caption - 1, n, m, first, end, count, banded)
    diagonal = tl.load(here - clip_stride - caption_stride, mask=known, other=0.0)
    known = wanted & _inside(clip - 1, caption, n, m, first, end, count, banded)
    above = tl.load(here - clip_stride, mask=known, other=0.0)
    known = wanted & _inside(clip, caption - 1, n, m, first, end, count, banded)
    left = tl.load(here - caption_stride, mask=known, other=0.0)
    diagonal = tl.where(start | ((clip > 0) & (caption > 0)), diagonal, float("inf"))
    above = tl.where(start | (clip > 0), above, float("inf"))
    left = tl.where(start | (caption > 0), left, float("inf"))
    return _softmin(diagonal, above, left, scale, unit, hard)


@_jit
def _price(
    cost: tensor, row: tensor, column: tensor, visitable: tensor, n: tensor, m: tensor,
    first: tensor, end: tensor, count: tensor, clip_stride: tensor, caption_stride: tensor,
    scale: tensor, unit: tensor, dummy: tensor, hard: tl.constexpr, dummies: tl.constexpr,
    smoothing: tl.constexpr, banded: tl.constexpr,
) -> tensor:  # fmt: skip
    """Find what a cell of the table costs; the table itself is nowhere."""
    if dummies:
        clip = row >> 1
        caption = column >> 1
        own = visitable & ((row & 1) == 1) & ((column & 1) == 1)
        known = own & _inside(clip, caption, n, m, first, end, count, banded)
    else:
        clip = row
        caption = column
        own = visitable
        known = visitable
    price = tl.load(cost + clip * clip_stride + caption * caption_stride, mask=known, other=0.0)
    if smoothing:
        addition, _, _, _ = _smoothed(
            cost, clip, caption, n, m, first, end, count, clip_stride, caption_stride, scale, unit,
            own, hard, banded,
        )  # fmt: skip
        price += addition
    if dummies:
        price = tl.where(own, price, dummy)
    return price


@_jit
def _store_gradient(
    gradient: tensor, row: tensor, column: tensor, expected: tensor, wanted: tensor,
    gradient_clip: tensor, gradient_caption: tensor, dummies: tl.constexpr,
) -> None:  # fmt: skip
    """Write what arrived at a cell, if the cost has that cell."""
    if dummies:
        own = wanted & ((row & 1) == 1) & ((column & 1) == 1)
        place = gradient + (row >> 1) * gradient_clip + (column >> 1) * gradient_caption
    else:
        own = wanted
        place = gradient + row * gradient_clip + column * gradient_caption
    tl.store(place, expected, mask=own)


@_kernel
def _forward_by_pairs(
    n: tensor, m: tensor, first: tensor, end: tensor, cost: tensor, reach: tensor, value: tensor,
    count: tensor, clip_stride: tensor, caption_stride: tensor, pair_stride: tensor,
    columns: tensor, ring: tensor, scale: tl.float64, unit: tl.float64, dummy: tl.float64,
    hard: tl.constexpr, dummies: tl.constexpr, smoothing: tl.constexpr, banded: tl.constexpr,
    lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Solve ``lanes`` neighbouring pairs, a lane each, cell by cell.

    ``reach`` is (ring, columns, pairs): what it costs to reach each cell, of the last rows or all.
    """
    dtype: tl.constexpr = cost.dtype.element_ty
    ahead: tl.constexpr = 1 if banded else _AHEAD
    scale = tl.full((), scale, dtype)
    unit = tl.full((), unit, dtype)
    dummy = tl.full((), dummy, dtype)
    count = count.to(tl.int64)
    clip_stride = clip_stride.to(tl.int64)
    caption_stride = caption_stride.to(tl.int64)
    pair = tl.program_id(0).to(tl.int64) * lanes + tl.arange(0, lanes)
    real = pair < count
    n = tl.load(n + pair, mask=real, other=0)
    m = tl.load(m + pair, mask=real, other=0)
    last_row, last_column = _last_cell(n, m, dummies)
    first += pair
    end += pair
    cost += pair * pair_stride
    reach += pair
    infinite = tl.full((lanes,), float("inf"), dtype)
    final = infinite
    for row in range(tl.reduce(last_row, 0, _larger) + 1):
        # makes the row above readable, whichever threads wrote it
        tl.debug_barrier()
        here = reach + (row % ring) * (columns * count)
        before = reach + ((row + ring - 1) % ring) * (columns * count)
        left = infinite
        diagonal = tl.where(row == 0, 0.0, infinite)  # 0 is what precedes the first cell
        for column in tl.range(tl.reduce(last_column, 0, _larger) + 1, num_stages=ahead):
            visitable = _visitable(row, column, n, m, first, end, count, dummies, banded)
            price = _price(
                cost, row, column, visitable, n, m, first, end, count, clip_stride, caption_stride,
                scale, unit, dummy, hard, dummies, smoothing, banded,
            )  # fmt: skip
            above = tl.load(before + column * count, mask=real & (row > 0), other=float("inf"))
            least, _, _, _ = _softmin(diagonal, above, left, scale, unit, hard)
            # an unreachable cell stays so, even at a cost of -inf
            left = tl.where(visitable & (least != float("inf")), least + price, float("inf"))
            tl.store(here + column * count, left, mask=real)
            final = tl.where((row == last_row) & (column == last_column), left, final)
            diagonal = above
    tl.store(value + pair, final, mask=real)


@_kernel
def _backward_by_pairs(
    n: tensor, m: tensor, first: tensor, end: tensor, reach: tensor, value: tensor, passed: tensor,
    gradient: tensor, count: tensor, rows: tensor, columns: tensor, gradient_clip: tensor,
    gradient_caption: tensor, gradient_pair: tensor, scale: tl.float64, unit: tl.float64,
    hard: tl.constexpr, dummies: tl.constexpr, banded: tl.constexpr, lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Share out what arrives at each cell of ``lanes`` pairs, from the last cell to the first.

    ``passed`` is (2, columns, pairs), in which rows take turns: what a cell of the row above gets
    from the two cells below it.
    """
    dtype: tl.constexpr = reach.dtype.element_ty
    ahead: tl.constexpr = 1 if banded else _AHEAD
    scale = tl.full((), scale, dtype)
    unit = tl.full((), unit, dtype)
    count = count.to(tl.int64)
    gradient_clip = gradient_clip.to(tl.int64)
    gradient_caption = gradient_caption.to(tl.int64)
    pair = tl.program_id(0).to(tl.int64) * lanes + tl.arange(0, lanes)
    real = pair < count
    n = tl.load(n + pair, mask=real, other=0)
    m = tl.load(m + pair, mask=real, other=0)
    last_row, last_column = _last_cell(n, m, dummies)
    # from a last cell that was not reached, nothing leads back
    reached = tl.load(value + pair, mask=real, other=float("inf")) != float("inf")
    first += pair
    end += pair
    reach += pair
    passed += pair
    gradient += pair * gradient_pair
    zero = tl.full((lanes,), 0.0, dtype)
    for back in range(rows):
        row = rows - 1 - back
        # makes what the row below passed readable, whichever threads wrote it
        tl.debug_barrier()
        here = reach + row * (columns * count)
        before = here - columns * count
        passing = passed + (row % 2) * (columns * count)
        passed_here = passed + ((row + 1) % 2) * (columns * count)
        horizontally = zero
        diagonally = zero
        above = tl.load(before + (columns - 1) * count, mask=real & (row > 0), other=float("inf"))
        for step in tl.range(columns, num_stages=ahead):
            column = columns - 1 - step
            visitable = _visitable(row, column, n, m, first, end, count, dummies, banded)
            arriving = tl.load(
                passed_here + column * count, mask=real & (row < rows - 1), other=0.0
            )
            ends = reached & (row == last_row) & (column == last_column)
            expected = tl.where(ends, 1.0, arriving + horizontally)
            expected = tl.where(visitable, expected, 0.0)
            _store_gradient(
                gradient, row, column, expected, real, gradient_clip, gradient_caption, dummies
            )
            precedes = real & (column > 0)
            left = tl.load(here + (column - 1) * count, mask=precedes, other=float("inf"))
            precedes = precedes & (row > 0)
            diagonal = tl.load(before + (column - 1) * count, mask=precedes, other=float("inf"))
            _, to_diagonal, to_above, to_left = _softmin(diagonal, above, left, scale, unit, hard)
            # beyond the lengths nothing arrives, and what was never written has no weights
            to_above = tl.where(visitable, to_above * expected, 0.0)
            tl.store(passing + column * count, to_above + diagonally, mask=real)
            diagonally = tl.where(visitable, to_diagonal * expected, 0.0)
            horizontally = tl.where(visitable, to_left * expected, 0.0)
            above = diagonal


@_kernel
def _forward_by_strips(
    n: tensor, m: tensor, first: tensor, end: tensor, cost: tensor, reach: tensor, value: tensor,
    count: tensor, clip_stride: tensor, caption_stride: tensor, pair_stride: tensor, strips: tensor,
    steps: tensor, slots: tensor, turn: tensor, wave: tensor, first_strip: tensor,
    scale: tl.float64, unit: tl.float64, dummy: tl.float64, hard: tl.constexpr,
    dummies: tl.constexpr, smoothing: tl.constexpr, banded: tl.constexpr, lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Solve a chunk of a strip: at step t, lane l is at column t - l.

    ``reach`` is (pairs, strips, slots, lanes): what it costs to reach each cell, by step. A strip's
    last lane is lanes - 1 steps late, and the first lane of the next strip begins with it.
    """
    dtype: tl.constexpr = cost.dtype.element_ty
    ahead: tl.constexpr = 1 if banded else _AHEAD
    scale = tl.full((), scale, dtype)
    unit = tl.full((), unit, dtype)
    dummy = tl.full((), dummy, dtype)
    count = count.to(tl.int64)
    clip_stride = clip_stride.to(tl.int64)
    caption_stride = caption_stride.to(tl.int64)
    pair = tl.program_id(0).to(tl.int64)
    strip = tl.program_id(1) + first_strip
    n = tl.load(n + pair)
    m = tl.load(m + pair)
    last_row, last_column = _last_cell(n, m, dummies)
    begin = (wave - 2 * strip) * steps
    stop = tl.minimum(begin + steps, last_column + lanes)
    stop = tl.where(strip * lanes <= last_row, stop, begin)
    lane = tl.arange(0, lanes)
    row = strip * lanes + lane
    first += pair
    end += pair
    cost += pair * pair_stride
    own = reach + (pair * strips + strip) * slots * lanes
    over = own - slots * lanes + (lanes - 1) + 0 * lane  # the last lane of the strip above
    is_first = lane == 0
    from_over = is_first & (strip > 0)
    lane_above = tl.where(is_first, 0, lane - 1)  # the first has none, and reads ``over``
    infinite = tl.full((lanes,), float("inf"), dtype)
    # what the chunk before, and the strip above, left in earlier launches
    left = tl.load(own + ((begin - 1) & turn) * lanes + lane, mask=begin > 0, other=float("inf"))
    in_own = (begin > 0) & (lane > 0)
    diagonal = tl.load(
        own + ((begin - 2) & turn) * lanes + lane - 1, mask=in_own, other=float("inf")
    )
    in_over = (begin > 0) & (begin - 1 <= last_column) & from_over
    corner = tl.load(over + ((begin + lanes - 2) & turn) * lanes, mask=in_over, other=float("inf"))
    diagonal = tl.where(is_first, corner, diagonal)
    final = infinite
    for step in tl.range(begin, stop, num_stages=ahead):
        column = step - lane
        visitable = _visitable(row, column, n, m, first, end, count, dummies, banded)
        price = _price(
            cost, row, column, visitable, n, m, first, end, count, clip_stride, caption_stride,
            scale, unit, dummy, hard, dummies, smoothing, banded,
        )  # fmt: skip
        in_over = (step <= last_column) & from_over
        entering = tl.load(
            over + ((step + lanes - 1) & turn) * lanes, mask=in_over, other=float("inf")
        )
        # a step ago, the lane above was at this column
        above = tl.where(is_first, entering, tl.gather(left, lane_above, 0))
        diagonal = tl.where((row == 0) & (column == 0), 0.0, diagonal)  # precedes the first cell
        least, _, _, _ = _softmin(diagonal, above, left, scale, unit, hard)
        # an unreachable cell stays so, even at a cost of -inf
        left = tl.where(visitable & (least != float("inf")), least + price, float("inf"))
        tl.store(own + (step & turn) * lanes + lane, left)
        final = tl.where((row == last_row) & (column == last_column), left, final)
        diagonal = above
    at = last_column + lane  # the step at which a lane is at the last column
    here = (row == last_row) & (at >= begin) & (at < stop)
    tl.store(value + pair + 0 * lane, final, mask=here)


@_kernel
def _backward_by_strips(
    n: tensor, m: tensor, first: tensor, end: tensor, reach: tensor, value: tensor, passed: tensor,
    arriving: tensor, gradient: tensor, count: tensor, rows: tensor, columns: tensor,
    strips: tensor, chunks: tensor, steps: tensor, slots: tensor, wave: tensor, first_strip: tensor,
    gradient_clip: tensor, gradient_caption: tensor, gradient_pair: tensor, scale: tl.float64,
    unit: tl.float64, hard: tl.constexpr, dummies: tl.constexpr, banded: tl.constexpr,
    lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Share out what arrives at the cells of a chunk, from its last step to its first.

    ``passed`` is (pairs, strips, columns): what the strip above gets from a strip's first row, in
    an earlier launch. ``arriving`` is (pairs, strips, 2, lanes): what a chunk hands to the one
    before it.
    """
    dtype: tl.constexpr = reach.dtype.element_ty
    ahead: tl.constexpr = 1 if banded else _AHEAD
    scale = tl.full((), scale, dtype)
    unit = tl.full((), unit, dtype)
    count = count.to(tl.int64)
    gradient_clip = gradient_clip.to(tl.int64)
    gradient_caption = gradient_caption.to(tl.int64)
    pair = tl.program_id(0).to(tl.int64)
    strip = tl.program_id(1) + first_strip
    n = tl.load(n + pair)
    m = tl.load(m + pair)
    last_row, last_column = _last_cell(n, m, dummies)
    chunk = wave - 2 * strip
    begin = chunk * steps
    stop = tl.minimum(begin + steps, columns + lanes - 1)
    lane = tl.arange(0, lanes)
    row = strip * lanes + lane
    # from a last cell that was not reached, nothing leads back
    reached = tl.load(value + pair + 0 * lane) != float("inf")
    first += pair
    end += pair
    gradient += pair * gradient_pair
    strip_of_all = pair * strips + strip
    own = reach + strip_of_all * slots * lanes + lane
    # the cell above: a step ago in the lane above, or lanes - 1 steps later in the strip above
    by_lane = strip_of_all * slots * lanes + lane - 1 - lanes
    by_strip = (strip_of_all - 1) * slots * lanes + lanes - 1 + (lanes - 1) * lanes
    over = reach + tl.where(lane == 0, by_strip, by_lane)
    passing = passed + strip_of_all * columns + 0 * lane
    passed_here = passing + columns
    lane_below = tl.where(lane == lanes - 1, 0, lane + 1)  # the last has none, and reads ``passed``
    from_below = (lane == lanes - 1) & (strip + 1 < strips)
    handing = arriving + strip_of_all * 2 * lanes + lane
    later = chunk + 1 < chunks
    partly = tl.load(handing, mask=later & (lane >= 0), other=0.0)
    diagonally = tl.load(handing + lanes, mask=later & (lane >= 0), other=0.0)
    within = row <= last_row
    column = stop - 1 - lane
    written = within & (row > 0) & (column >= 0) & (column <= last_column)
    above = tl.load(over + (stop - 1) * lanes, mask=written, other=float("inf"))
    for back in tl.range(stop - begin, num_stages=ahead):
        step = stop - 1 - back
        column = step - lane
        visitable = _visitable(row, column, n, m, first, end, count, dummies, banded)
        inside = (column >= 0) & (column < columns)
        from_strip = tl.load(passed_here + column, mask=from_below & inside, other=0.0)
        ends = reached & (row == last_row) & (column == last_column)
        expected = tl.where(ends, 1.0, partly + from_strip)
        expected = tl.where(visitable, expected, 0.0)
        _store_gradient(
            gradient, row, column, expected, inside & (row < rows), gradient_clip,
            gradient_caption, dummies,
        )  # fmt: skip
        written = within & (column > 0) & (column <= last_column)
        left = tl.load(own + (step - 1) * lanes, mask=written, other=float("inf"))
        written = within & (row > 0) & (column > 0) & (column <= last_column + 1)
        diagonal = tl.load(over + (step - 1) * lanes, mask=written, other=float("inf"))
        _, to_diagonal, to_above, to_left = _softmin(diagonal, above, left, scale, unit, hard)
        # a step earlier, the lane above is where both lead: here, and diagonally a step ago
        sent = tl.where(visitable, to_above * expected, 0.0) + diagonally
        diagonally = tl.where(visitable, to_diagonal * expected, 0.0)
        tl.store(passing + column, sent, mask=(lane == 0) & inside)
        from_lane = tl.where(lane == lanes - 1, 0.0, tl.gather(sent, lane_below, 0))
        partly = tl.where(visitable, to_left * expected, 0.0) + from_lane
        above = diagonal
    tl.store(handing, partly)
    tl.store(handing + lanes, diagonally)


@_kernel
def _pull_back(
    n: tensor, m: tensor, first: tensor, end: tensor, cost: tensor, expected: tensor,
    gradient: tensor, count: tensor, clip_stride: tensor, caption_stride: tensor,
    pair_stride: tensor, clips: tensor, captions: tensor, gradient_clip: tensor,
    gradient_caption: tensor, gradient_pair: tensor, scale: tl.float64, unit: tl.float64,
    hard: tl.constexpr, banded: tl.constexpr, lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Turn a gradient with respect to smoothed costs into one with respect to the costs.

    As ``options.cost_gradient``: a cost also counts in the three cells that it is a neighbour of.
    """
    dtype: tl.constexpr = cost.dtype.element_ty
    scale = tl.full((), scale, dtype)
    unit = tl.full((), unit, dtype)
    count = count.to(tl.int64)
    index = tl.program_id(0).to(tl.int64) * lanes + tl.arange(0, lanes)
    pair = index % count
    caption = index // count % captions
    clip = index // count // captions
    real = clip < clips
    n = tl.load(n + pair)
    m = tl.load(m + pair)
    first += pair
    end += pair
    cost += pair * pair_stride
    below = real & (clip + 1 < clips)
    right = real & (caption + 1 < captions)
    expected += index
    total = tl.load(expected, mask=real, other=0.0)
    _, of_diagonal, _, _ = _smoothed(
        cost, clip + 1, caption + 1, n, m, first, end, count, clip_stride, caption_stride, scale,
        unit, below & right, hard, banded,
    )  # fmt: skip
    total += of_diagonal * tl.load(expected + (captions + 1) * count, mask=below & right, other=0.0)
    _, _, of_above, _ = _smoothed(
        cost, clip + 1, caption, n, m, first, end, count, clip_stride, caption_stride, scale, unit,
        below, hard, banded,
    )  # fmt: skip
    total += of_above * tl.load(expected + captions * count, mask=below, other=0.0)
    _, _, _, of_left = _smoothed(
        cost, clip, caption + 1, n, m, first, end, count, clip_stride, caption_stride, scale, unit,
        right, hard, banded,
    )  # fmt: skip
    total += of_left * tl.load(expected + count, mask=right, other=0.0)
    place = clip * gradient_clip + caption * gradient_caption + pair * gradient_pair
    tl.store(gradient + place, total, mask=real)
