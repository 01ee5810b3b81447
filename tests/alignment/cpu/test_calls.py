from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.calls import (  # noqa: E402  # needs numba
    array_of,
    entry,
    next_share,
    packed,
    share_done,
    share_of,
)
from vtlearn.alignment.cpu.team import work_off  # noqa: E402


@entry
def count_up(pointer: Any) -> None:
    call = numba.carray(pointer, 1)[0]
    numbers = array_of(call.value, call.parts, np.float64)
    while True:
        share = next_share(pointer)
        if share >= call.shares:
            return
        first, end = share_of(call.parts, share, call.shares)
        for k in range(first, end):
            numbers[k] += call.gamma * call.shape[1] + call.strides[2]
        share_done(pointer)


def test_fields_that_are_not_named_are_zero() -> None:
    call = packed({"shape": (2, 3, 4), "gamma": 0.5})
    assert call["shape"].tolist() == [[2, 3, 4]]
    assert float(call["gamma"][0]) == 0.5
    assert call["strides"].tolist() == [[0, 0, 0]]
    assert int(call["cost"][0]) == 0


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="tuple"):
        packed({"colour": 3})


@pytest.mark.parametrize("parts", [1, 2, 7, 8, 9, 1000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_part_is_done_once(parts: int, threads: int) -> None:
    numbers = np.zeros(parts)
    call = packed(
        {
            "parts": parts,
            "gamma": 0.5,
            "shape": (0, 4, 0),
            "strides": (0, 0, 7),
            "value": numbers.ctypes.data,
        }
    )
    work_off(count_up(), call, threads)
    assert (numbers == 9).all()


def test_what_a_thread_does_is_compiled_once() -> None:
    address: Callable[[], int] = count_up
    assert address() == address() > 0
