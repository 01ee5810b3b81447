from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu import team  # noqa: E402  # needs numba
from vtlearn.alignment.cpu.calls import array_of, entry, next_share, packed, share_done  # noqa: E402


@entry
def count(pointer: Any) -> None:
    call = numba.carray(pointer, 1)[0]
    numbers = array_of(call.value, call.parts, np.float64)
    while True:
        share = next_share(pointer)
        if share >= call.shares:
            return
        if call.smoothing == 0:
            numbers[share] += 1
            share_done(pointer)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("openmp", [True, False])
def test_threads_take_each_share_once(
    threads: int, openmp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if openmp and team._openmp() is None:
        pytest.skip("torch came with another OpenMP")
    if not openmp:
        monkeypatch.setattr(team, "_openmp", lambda: None)
    numbers = np.zeros(100)
    call = packed({"parts": 100, "value": numbers.ctypes.data})
    team.work_off(count(), call, threads)
    shares = 1 if threads == 1 else 4 * threads
    assert int(call["done"][0]) == int(call["shares"][0]) == shares
    assert numbers.tolist() == [1] * shares + [0] * (100 - shares)


@pytest.mark.parametrize("threads", [1, 3])
def test_shares_that_are_not_finished_are_an_error(threads: int) -> None:
    numbers = np.zeros(8)
    call = packed({"parts": 8, "value": numbers.ctypes.data, "smoothing": 1})
    with pytest.raises(MemoryError, match="solve fewer pairs"):
        team.work_off(count(), call, threads)


def test_a_forked_process_does_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    assert team._is_first_process()
    monkeypatch.setattr(team, "_FIRST_PROCESS", -1)
    assert not team._is_first_process()
