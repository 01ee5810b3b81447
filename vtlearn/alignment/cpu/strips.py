"""Few long pairs: a lane is a clip, and a strip of clips is swept from caption to caption.

Lane k is k captions behind lane 0, so that what it needs of the clip before was computed one step
earlier in the lane before: all cells of a step lie on an anti-diagonal. A strip leaves its last row
to the next one.
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
    LANES,
    SIDE,
    as_float,
    inlined,
    lane,
    load,
    shift_down,
    shift_up,
    splat,
    store,
    transpose,
    with_lane,
)

__all__: list[str] = []

_WEIGHTS = 3 * LANES
"""Of a cell's diagonal, vertical and horizontal predecessor, in each lane."""


@entry
def run_strips(pointer: Any) -> None:
    """Solve chunks of pairs until there is none left.

    Of a :data:`~vtlearn.alignment.cpu.calls.CALL` it takes all fields but those of dummies and of
    smoothing; ``block`` is how many strips' weights are kept at a time: the forward is repeated for
    all blocks but the last.

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
    steps = captions + LANES - 1
    wanted = gradient.size > 0
    blocks = (clips + LANES * block - 1) // (LANES * block)
    # what a strip reads and writes, a vector a step
    row = np.empty(steps * LANES, np.float32)
    cells_m, cells_e = np.empty(steps * LANES, np.float32), np.empty(steps * LANES, np.int32)
    weights = np.empty((block if wanted else 0) * steps * _WEIGHTS, np.float32)
    above_m, above_e = np.empty(captions, np.float32), np.empty(captions, np.int32)
    saved_m = np.empty((blocks if wanted else 0, captions), np.float32)
    saved_e = np.empty((blocks if wanted else 0, captions), np.int32)
    below = np.empty(captions, np.float32)
    first, end = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    while True:
        chunk = next_chunk(pointer)
        if chunk >= call.chunks:
            return
        some = chunk_range(call.parts, chunk, call.chunks)
        for p in range(some[0], some[1]):
            n, m = lengths_n[p], lengths_m[p]
            used = m + LANES - 1
            strips = (n + LANES - 1) // LANES
            last_block = (strips - 1) // block
            worst = np.float32(0)
            reached = np.float32(1)
            for turn in range(2 * last_block + 1 if wanted else last_block + 1):
                # first all blocks in order, then all but the last once more from the end
                number = turn if turn <= last_block else 2 * last_block - turn
                keep = wanted and turn >= last_block
                if turn == 0:
                    for j in range(m):
                        above_m[j], above_e[j] = 1, NEVER
                if wanted and turn < last_block:
                    for j in range(m):
                        saved_m[number, j], saved_e[number, j] = above_m[j], above_e[j]
                elif turn > last_block:
                    for j in range(m):
                        above_m[j], above_e[j] = saved_m[number, j], saved_e[number, j]
                first_strip, end_strip = number * block, min(number * block + block, strips)
                for strip in range(first_strip, end_strip):
                    top = strip * LANES
                    _read_strip(cost, strides, top, p, n, m, row)
                    _bounds(top, n, m, firsts, ends, pairs, p, first, end)
                    spread = powers_of_row(
                        row,
                        used,
                        True,
                        load(first, 0),
                        load(end, 0),
                        gamma,
                        cells_m,
                        cells_e,
                        0,
                        splat(np.int32(0)),
                    )
                    for k in range(LANES):
                        found = lane(as_float(spread), k)
                        worst = worst if worst >= found or np.isnan(worst) else found
                    at = (strip - first_strip) * steps * _WEIGHTS
                    last_lane = (n - 1) % LANES if strip == strips - 1 else -1
                    found = _sweep(
                        cells_m,
                        cells_e,
                        above_m,
                        above_e,
                        m,
                        strip == 0,
                        last_lane,
                        gamma,
                        weights,
                        at,
                        keep,
                    )
                    if strip == strips - 1:
                        value[p] = found
                        reached = np.float32(0 if found == np.inf else 1)
                if not keep:
                    continue
                if turn == last_block:
                    for j in range(m):
                        below[j] = 0
                    for i in range(clips):
                        at = i * gradient_strides[0] + p * gradient_strides[2]
                        for j in range(m if i < n else 0, captions):
                            gradient[at + j * gradient_strides[1]] = 0
                for strip in range(end_strip - 1, first_strip - 1, -1):
                    top = strip * LANES
                    last_lane = (n - 1) % LANES if strip == strips - 1 else -1
                    at = (strip - first_strip) * steps * _WEIGHTS
                    _sweep_back(weights, at, m, below, last_lane, reached, row)
                    _write_strip(row, gradient, gradient_strides, top, p, n, m)
            if not worst * np.float32(2 * (n + m)) < np.float32(LARGEST):
                fallback[p] = True
        chunk_done(pointer)


@inlined
def _inner(strides: Any, top: int, n: int, m: int) -> int:
    """Count the steps at which squares of a strip can be turned: none at its slanting ends."""
    if strides[1] != 1 or top + LANES > n or m < LANES:
        return 0
    return (m - LANES + 1) // SIDE * SIDE


@inlined
def _read_strip(cost: Any, strides: Any, top: int, p: int, n: int, m: int, row: Any) -> None:
    """Bring a strip together, (steps, lanes): lane k is k steps behind."""
    at = top * strides[0] + p * strides[2]
    inner = _inner(strides, top, n, m)
    slant = strides[0] - 1  # from a step of one lane to the same step of the next
    for k in range(0, LANES, SIDE):
        for t in range(LANES - 1, LANES - 1 + inner, SIDE):
            transpose(cost, at + k * slant + t, slant, row, t * LANES + k, LANES)
    for k in range(min(LANES, n - top)):
        for edge in range(m - inner):
            j = edge if edge + k < LANES - 1 else edge + inner
            row[(j + k) * LANES + k] = cost[at + k * strides[0] + j * strides[1]]


@inlined
def _write_strip(row: Any, table: Any, strides: Any, top: int, p: int, n: int, m: int) -> None:
    """Take a strip apart again."""
    at = top * strides[0] + p * strides[2]
    inner = _inner(strides, top, n, m)
    slant = strides[0] - 1
    for k in range(0, LANES, SIDE):
        for t in range(LANES - 1, LANES - 1 + inner, SIDE):
            transpose(row, t * LANES + k, LANES, table, at + k * slant + t, slant)
    for k in range(min(LANES, n - top)):
        for edge in range(m - inner):
            j = edge if edge + k < LANES - 1 else edge + inner
            table[at + k * strides[0] + j * strides[1]] = row[(j + k) * LANES + k]


@inlined
def _bounds(
    top: int, n: int, m: int, firsts: Any, ends: Any, pairs: int, p: int, first: Any, end: Any
) -> None:
    """Say at which steps each lane is within its pair's lengths and band."""
    for k in range(LANES):
        first[k], end[k] = k, m + k if top + k < n else 0
        if firsts.size > 0 and top + k < n:
            first[k] = firsts[(top + k) * pairs + p] + k
            end[k] = ends[(top + k) * pairs + p] + k


@inlined
def _sweep(
    m: Any,
    e: Any,
    boundary_m: Any,
    boundary_e: Any,
    captions: int,
    is_first: bool,
    ends: int,
    gamma: float,
    weights: Any,
    at: int,
    keep: bool,
) -> float:
    """Run the recursion over a strip: ``boundary`` is the row above it, and becomes its last.

    Returns:
        The value, if the pair ends in lane ``ends`` of this strip.
    """
    never, one = splat(np.int32(NEVER)), splat(np.float32(1))
    left_m, left_e = one, never
    diagonal_m, diagonal_e = one, never
    if is_first:  # what precedes the first cell
        diagonal_e = with_lane(never, 0, np.int32(0))
    result = np.inf
    for t in range(captions + LANES - 1):
        entering_m, entering_e = np.float32(1), np.int32(NEVER)
        if t < captions:
            entering_m, entering_e = boundary_m[t], boundary_e[t]
        above_m, above_e = shift_up(left_m, entering_m), shift_up(left_e, entering_e)
        a, b, c, total, low = add_three(diagonal_m, diagonal_e, above_m, above_e, left_m, left_e)
        if keep:
            store(weights, at, a / total)
            store(weights, at + LANES, b / total)
            store(weights, at + 2 * LANES, c / total)
            at += _WEIGHTS
        left_m, left_e = renormalize(total * load(m, t * LANES), low + load(e, t * LANES))
        if t >= LANES - 1:
            boundary_m[t - LANES + 1] = lane(left_m, LANES - 1)
            boundary_e[t - LANES + 1] = lane(left_e, LANES - 1)
        if ends >= 0 and t == captions - 1 + ends:
            result = in_units(lane(left_m, ends), lane(left_e, ends), gamma)
        diagonal_m, diagonal_e = above_m, above_e
    return result


@inlined
def _sweep_back(
    weights: Any, at: int, m: int, below: Any, ends: int, reached: np.float32, path: Any
) -> None:
    """Follow the weights of a strip: ``below`` is what the next one sent, and becomes its own."""
    nothing = splat(np.float32(0))
    right = vertical = diagonal = earlier_diagonal = nothing
    at += (m + LANES - 1) * _WEIGHTS
    for t in range(m + LANES - 2, -1, -1):
        at -= _WEIGHTS
        entering = below[t - LANES + 1] if t >= LANES - 1 else np.float32(0)
        visits = right + shift_down(vertical + earlier_diagonal, entering)
        if ends >= 0 and t == m - 1 + ends:
            visits = visits + with_lane(nothing, ends, reached)
        store(path, t * LANES, visits)
        right = visits * load(weights, at + 2 * LANES)
        vertical = visits * load(weights, at + LANES)
        if t < m:
            below[t] = lane(vertical, 0) + lane(diagonal, 0)
        earlier_diagonal = diagonal
        diagonal = visits * load(weights, at)
