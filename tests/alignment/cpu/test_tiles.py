from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.lanes import LANES  # noqa: E402  # needs numba
from vtlearn.alignment.cpu.tiles import read_row, write_row  # noqa: E402


@numba.njit
def read(table: Any, strides: Any, i: int, start: int, count: int, captions: int, row: Any) -> None:
    read_row(table, strides, i, start, count, captions, row)


@numba.njit
def write(
    row: Any, table: Any, strides: Any, i: int, start: int, count: int, captions: int
) -> None:
    write_row(row, table, strides, i, start, count, captions)


@pytest.mark.parametrize("captions", [1, 8, 11, 16])
@pytest.mark.parametrize("count", [LANES, LANES - 1, 1])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_a_row_is_read_and_written_from_and_to_any_strides(
    captions: int, count: int, order: tuple[int, int, int]
) -> None:
    pairs = 2 * LANES
    sizes = np.array([pairs, 3, captions])
    memory = np.arange(float(sizes.prod()), dtype=np.float32)
    table = memory.reshape(sizes[list(order)]).transpose(
        np.argsort(order)
    )  # pairs, clips, captions
    steps = [stride // 4 for stride in table.strides]
    strides = steps[1], steps[2], steps[0]
    row = np.full(captions * LANES, -1, np.float32)
    start = pairs - LANES
    read(memory, strides, 1, start, count, captions, row)
    expected = np.zeros((captions, LANES), np.float32)
    expected[:, :count] = table[start : start + count, 1].T
    assert (row.reshape(captions, LANES) == expected).all()
    before = table.copy()
    write(row + 1, memory, strides, 1, start, count, captions)
    before[start : start + count, 1] += 1
    assert (table == before).all()
