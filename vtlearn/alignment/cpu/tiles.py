"""Many pairs: a tile is as many of them as there are lanes, solved row by row.

Costs are read from any strides, a row at a time, so that what lies between input and output stays
in the cache. S2DTW's larger cost is never made: a row of it is either dummies or a smoothed row
between dummies, and smoothing is itself a sum of powers.
"""

from typing import Any

import numba
import numpy as np

from vtlearn.alignment.cpu.calls import (
    array_of,
    chunk_done,
    chunk_range,
    columns_of,
    entry,
    lengths_of,
    next_chunk,
    tables_of,
    three,
)
from vtlearn.alignment.cpu.exponents import (
    LARGEST,
    NEVER,
    add_three,
    in_units,
    powers_of_row,
    renormalize,
)
from vtlearn.alignment.cpu.lanes import (
    BIAS,
    LANES,
    SIDE,
    as_float,
    fill,
    inlined,
    jit,
    lane,
    load,
    multiply_add,
    prefetch,
    select,
    size,
    splat,
    store,
    transpose,
)

__all__: list[str] = []

_WEIGHTS = 3 * LANES
"""Of a cell's diagonal, vertical and horizontal predecessor, in each lane."""


@entry
def run_tiles(pointer: Any) -> None:
    """Solve chunks of tiles until there is none left.

    Of a :data:`~vtlearn.alignment.cpu.calls.CALL` it takes all fields; ``block`` is how many clips'
    weights are kept at a time: the forward is repeated for all blocks but the last.

    Args:
        pointer: Where the call lies.
    """
    call = numba.carray(pointer, 1)[0]
    cost, gradient, value = tables_of(call, np.float32)
    fallback = array_of(call.fallback, call.shape[2], np.bool_)
    lengths_n, lengths_m = lengths_of(call)
    firsts, ends = columns_of(call)
    clips, captions, pairs = three(call.shape)
    strides, gradient_strides = three(call.strides), three(call.gradient_strides)
    gamma, block = call.gamma, call.block
    has_dummies, smoothing = call.has_dummies != 0, call.smoothing != 0
    dummy = call.dummy_m, call.dummy_e
    step = 2 if has_dummies else 1
    width = step * captions + step - 1  # of a row of cells
    row_weights = width * _WEIGHTS
    wanted = gradient.size > 0
    kept = block if wanted else 0
    row = np.empty(captions * LANES, np.float32)
    weights = np.empty(kept * step * row_weights, np.float32)
    smooth_weights = np.empty((kept * captions if smoothing else 0) * _WEIGHTS, np.float32)
    # rows of powers: of the costs, here and (for smoothing) before; of cells; of dummies
    cells_at, dummies_at = 2 * captions * LANES, (2 * captions + width) * LANES
    m, e = _vectors(2 * captions + 2 * width)
    above_m, above_e = _vectors(width + 1)
    blocks = (clips + block - 1) // block
    saved_m, saved_e = _vectors((blocks if 0 < kept < clips else 0) * (width + 1))
    n_of, m_of = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    first, end = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    reached = np.empty(LANES, np.float32)
    below, path = np.empty(width * LANES, np.float32), np.empty(width * LANES, np.float32)
    smooth_below = np.empty(captions * LANES, np.float32)
    nothing = np.float32(0)
    fill(m, cells_at, 2 * width, np.float32(dummy[0]))
    fill(e, cells_at, 2 * width, np.int32(dummy[1]))
    while True:
        chunk = next_chunk(pointer)
        if chunk >= call.chunks:
            return
        some = chunk_range(call.parts, chunk, call.chunks)
        for tile in range(some[0], some[1]):
            start = tile * LANES
            count = min(LANES, pairs - start)
            rows, used, shortest, narrowest = 1, 1, clips, captions
            for k in range(LANES):
                n_of[k], m_of[k] = 1, 1
                if k < count:
                    n_of[k], m_of[k] = lengths_n[start + k], lengths_m[start + k]
                    rows, shortest = max(rows, n_of[k]), min(shortest, n_of[k])
                    used, narrowest = max(used, m_of[k]), min(narrowest, m_of[k])
            cells = step * used + step - 1
            last_block = (rows - 1) // block
            worst = size(splat(np.float32(dummy[1])))
            bounded = firsts.size > 0 or shortest < rows or narrowest < used
            # above the first row is nothing, but for what precedes the first cell
            fill(above_m, 0, width + 1, np.float32(1))
            fill(above_e, 0, 1, np.int32(0))
            fill(above_e, LANES, width, np.int32(NEVER))
            if has_dummies:
                _dummies(dummy, above_m, above_e, cells)
            # first all blocks in order, then all but the last once more from the end
            for turn in range(2 * last_block + 1 if wanted else last_block + 1):
                number = turn if turn <= last_block else 2 * last_block - turn
                keep = wanted and turn >= last_block
                saved = number * (width + 1) * LANES
                if wanted and turn < last_block:
                    _copy(above_m, 0, saved_m, saved, width + 1)
                    _copy(above_e, 0, saved_e, saved, width + 1)
                elif turn > last_block:
                    _copy(saved_m, saved, above_m, 0, width + 1)
                    _copy(saved_e, saved, above_e, 0, width + 1)
                top, bottom = number * block, min(number * block + block, rows)
                for i in range(max(top - 1, 0) if smoothing else top, bottom):
                    now, before = i % 2 * captions * LANES, (i + 1) % 2 * captions * LANES
                    read_row(cost, strides, i, start, count, used, row)
                    _expect(cost, strides, i, start + LANES, used)
                    if keep:
                        _expect(gradient, gradient_strides, i, start, used)
                    if bounded:
                        _bounds(i, n_of, m_of, firsts, ends, pairs, start, count, first, end)
                    worst = powers_of_row(
                        row, used, bounded, load(first, 0), load(end, 0), gamma, m, e, now, worst
                    )
                    if i < top:
                        continue  # only what smoothing needs of it
                    here = cells_at if smoothing or has_dummies else now
                    if smoothing:
                        at = (i - top) * captions * _WEIGHTS
                        _smooth(m, e, now, before, i, used, here, step, smooth_weights, at, keep)
                    elif has_dummies:
                        _spread(m, e, now, here + LANES, used)
                    for part in range(step):
                        at = ((i - top) * step + part) * row_weights
                        _cells(m, e, here, above_m, above_e, cells, weights, at, keep)
                        here = dummies_at
                    if i < shortest - 1:
                        continue
                    for k in range(count):
                        if i == n_of[k] - 1:
                            last = (step * m_of[k] + step - 1) * LANES + k
                            found = in_units(above_m[last], above_e[last], gamma)
                            value[start + k] = found
                            reached[k] = np.float32(0 if found == np.inf else 1)
                if not keep:
                    continue
                if turn == last_block:
                    fill(below, 0, width, nothing)
                    fill(smooth_below, 0, captions, nothing)
                    fill(row, 0, captions, nothing)
                    _clear(gradient, gradient_strides, rows, clips, start, count, captions)
                for i in range(bottom - 1, top - 1, -1):
                    if i >= shortest - 1:
                        for k in range(count):
                            if i == n_of[k] - 1:
                                below[(step * m_of[k] + step - 2) * LANES + k] = reached[k]
                    for part in range(step - 1, -1, -1):
                        at = ((i - top) * step + part) * row_weights
                        _visits(weights, at, cells, below, path)
                    if smoothing:
                        at = (i - top) * captions * _WEIGHTS
                        _unsmooth(path, step, smooth_weights, at, used, smooth_below, row)
                    else:
                        for j in range(used):
                            store(row, j * LANES, load(path, (step * j + step - 1) * LANES))
                    write_row(row, gradient, gradient_strides, i, start, count, captions)
            for k in range(count):
                if not lane(as_float(worst), k) * np.float32(
                    2 * step * (rows + used) + 4
                ) < np.float32(LARGEST):
                    fallback[start + k] = True
        chunk_done(pointer)


@jit
def _expect(table: Any, strides: Any, i: int, start: int, captions: int) -> None:
    """Ask for the memory of a row that is soon read or written."""
    at = i * strides[0] + start * strides[2]
    if strides[2] == 1:
        for j in range(captions):
            prefetch(table, at + j * strides[1])
    elif strides[1] == 1:
        for k in range(LANES):
            for j in range(0, captions, LANES):
                prefetch(table, at + k * strides[2] + j)


@inlined
def read_row(
    cost: Any, strides: Any, i: int, start: int, count: int, captions: int, row: Any
) -> None:
    """Bring one row of a tile together, (captions, lanes), zero in lanes without a pair."""
    at = i * strides[0] + start * strides[2]
    if count == LANES and strides[2] == 1:
        for j in range(captions):
            store(row, j * LANES, load(cost, at + j * strides[1]))
        return
    whole = captions - captions % SIDE if count == LANES and strides[1] == 1 else 0
    for k in range(0, LANES, SIDE):
        for j in range(0, whole, SIDE):
            transpose(cost, at + k * strides[2] + j, strides[2], row, j * LANES + k, LANES)
    for k in range(LANES):
        for j in range(whole, captions):
            row[j * LANES + k] = (
                cost[at + k * strides[2] + j * strides[1]] if k < count else np.float32(0)
            )


@inlined
def write_row(
    row: Any, table: Any, strides: Any, i: int, start: int, count: int, captions: int
) -> None:
    """Take one row of a tile apart again."""
    at = i * strides[0] + start * strides[2]
    if count == LANES and strides[2] == 1:
        for j in range(captions):
            store(table, at + j * strides[1], load(row, j * LANES))
        return
    whole = captions - captions % SIDE if count == LANES and strides[1] == 1 else 0
    for k in range(0, LANES, SIDE):
        for j in range(0, whole, SIDE):
            transpose(row, j * LANES + k, LANES, table, at + k * strides[2] + j, strides[2])
    for k in range(count):
        for j in range(whole, captions):
            table[at + k * strides[2] + j * strides[1]] = row[j * LANES + k]


@inlined
def _vectors(count: int) -> Any:
    return np.empty(count * LANES, np.float32), np.empty(count * LANES, np.int32)


@inlined
def _dummies(dummy: Any, above_m: Any, above_e: Any, count: int) -> None:
    """Run the recursion over the first row of dummies, to each of which one path leads."""
    m, e = splat(np.float32(dummy[0])), splat(np.int32(dummy[1]))
    path_m, path_e = splat(np.float32(1)), splat(np.int32(0))
    store(above_e, 0, splat(np.int32(NEVER)))
    for j in range(LANES, count * LANES + LANES, LANES):
        path_m, path_e = renormalize(path_m * m, path_e - splat(np.int32(BIAS)) + e)
        store(above_m, j, path_m)
        store(above_e, j, path_e)


@jit
def _clear(
    table: Any, strides: Any, first: int, end: int, start: int, count: int, captions: int
) -> None:
    """Write zeros into the rows that no pair of a tile has."""
    for i in range(first, end):
        for k in range(start, start + count):
            for j in range(captions):
                table[i * strides[0] + j * strides[1] + k * strides[2]] = 0


@jit
def _copy(source: Any, at: int, target: Any, to: int, count: int) -> None:
    for k in range(count * LANES):
        target[to + k] = source[at + k]


@inlined
def _spread(m: Any, e: Any, at: int, to: int, count: int) -> None:
    """Copy a row of costs to every second cell of a row of cells."""
    for k in range(0, count * LANES, LANES):
        store(m, to + 2 * k, load(m, at + k))
        store(e, to + 2 * k, load(e, at + k))


@inlined
def _bounds(
    i: int,
    n: Any,
    m: Any,
    firsts: Any,
    ends: Any,
    pairs: int,
    start: int,
    count: int,
    first: Any,
    end: Any,
) -> None:
    """Say which captions each lane's pair may match with a clip."""
    nothing = splat(np.int32(0))
    store(first, 0, nothing)
    store(end, 0, select(splat(np.int32(i)) < load(n, 0), load(m, 0), nothing))
    if firsts.size > 0:
        for k in range(count):
            first[k], end[k] = firsts[i * pairs + start + k], ends[i * pairs + start + k]


@jit
def _smooth(
    m: Any,
    e: Any,
    now: int,
    before: int,
    i: int,
    count: int,
    cells: int,
    step: int,
    weights: Any,
    at: int,
    keep: bool,
) -> None:
    """Multiply the power of each cost by the sum of its neighbours', into a row of cells."""
    never, one = splat(np.int32(NEVER)), splat(np.float32(1))
    above_m, above_e = one, never
    diagonal_m, diagonal_e = one, never
    left_m, left_e = one, never
    for j in range(count):
        here_m, here_e = load(m, now + j * LANES), load(e, now + j * LANES)
        if i > 0:
            above_m, above_e = load(m, before + j * LANES), load(e, before + j * LANES)
        a, b, c, total, low = add_three(diagonal_m, diagonal_e, above_m, above_e, left_m, left_e)
        if keep:
            store(weights, at, a / total)
            store(weights, at + LANES, b / total)
            store(weights, at + 2 * LANES, c / total)
            at += _WEIGHTS
        if i == 0 and j == 0:  # three costs of zero
            total, low = splat(np.float32(3)), splat(np.int32(-BIAS))
        smoothed_m, smoothed_e = renormalize(total * here_m, low + here_e)
        store(m, cells + (step * j + step - 1) * LANES, smoothed_m)
        store(e, cells + (step * j + step - 1) * LANES, smoothed_e)
        left_m, left_e = here_m, here_e
        diagonal_m, diagonal_e = above_m, above_e


@inlined
def _cells(
    m: Any,
    e: Any,
    here: int,
    above_m: Any,
    above_e: Any,
    count: int,
    weights: Any,
    at: int,
    keep: bool,
) -> None:
    """Run the recursion over one row: ``above`` is the row before, and becomes this one."""
    never, one = splat(np.int32(NEVER)), splat(np.float32(1))
    left_m, left_e = one, never
    diagonal_m, diagonal_e = load(above_m, 0), load(above_e, 0)
    store(above_e, 0, never)
    for j in range(LANES, count * LANES + LANES, LANES):
        vertical_m, vertical_e = load(above_m, j), load(above_e, j)
        a, b, c, total, low = add_three(
            diagonal_m, diagonal_e, vertical_m, vertical_e, left_m, left_e
        )
        if keep:
            store(weights, at, a / total)
            store(weights, at + LANES, b / total)
            store(weights, at + 2 * LANES, c / total)
            at += _WEIGHTS
        left_m, left_e = renormalize(total * load(m, here), low + load(e, here))
        store(above_m, j, left_m)
        store(above_e, j, left_e)
        diagonal_m, diagonal_e = vertical_m, vertical_e
        here += LANES


@inlined
def _visits(weights: Any, at: int, count: int, below: Any, path: Any) -> None:
    """Follow the weights of one row: ``below`` is what the next one sent, and becomes its own."""
    from_right = from_diagonal = splat(np.float32(0))
    at += count * _WEIGHTS
    for j in range(count - 1, -1, -1):
        at -= _WEIGHTS
        visits = load(below, j * LANES) + from_right
        store(path, j * LANES, visits)
        store(below, j * LANES, multiply_add(visits, load(weights, at + LANES), from_diagonal))
        from_right = visits * load(weights, at + 2 * LANES)
        from_diagonal = visits * load(weights, at)


@jit
def _unsmooth(
    path: Any, step: int, weights: Any, at: int, count: int, below: Any, row: Any
) -> None:
    """Pass the visits of smoothed cells on to the costs that they were made of."""
    from_right = from_diagonal = splat(np.float32(0))
    at += count * _WEIGHTS
    for j in range(count - 1, -1, -1):
        at -= _WEIGHTS
        visits = load(path, (step * j + step - 1) * LANES)
        store(row, j * LANES, visits + load(below, j * LANES) + from_right)
        store(below, j * LANES, multiply_add(visits, load(weights, at + LANES), from_diagonal))
        from_right = visits * load(weights, at + 2 * LANES)
        from_diagonal = visits * load(weights, at)
