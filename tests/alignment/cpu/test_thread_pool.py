from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu import thread_pool  # noqa: E402  # needs numba
from vtlearn.alignment.cpu.calls import array_of, chunk_done, entry, next_chunk, packed  # noqa: E402


@entry
def count(pointer: Any) -> None:
    call = numba.carray(pointer, 1)[0]
    numbers = array_of(call.value, call.parts, np.float64)
    while True:
        chunk = next_chunk(pointer)
        if chunk >= call.chunks:
            return
        if call.smoothing == 0:
            numbers[chunk] += 1
            chunk_done(pointer)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("openmp", [True, False])
def test_threads_take_each_share_once(
    threads: int, openmp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if openmp and thread_pool._openmp() is None:
        pytest.skip("torch came with another OpenMP")
    if not openmp:
        monkeypatch.setattr(thread_pool, "_openmp", lambda: None)
    numbers = np.zeros(100)
    call = packed({"parts": 100, "value": numbers.ctypes.data})
    thread_pool.run_in_threads(count(), call, threads)
    chunks = 1 if threads == 1 else 4 * threads
    assert int(call["done"][0]) == int(call["chunks"][0]) == chunks
    assert numbers.tolist() == [1] * chunks + [0] * (100 - chunks)


@pytest.mark.parametrize("threads", [1, 3])
def test_shares_that_are_not_finished_are_an_error(threads: int) -> None:
    numbers = np.zeros(8)
    call = packed({"parts": 8, "value": numbers.ctypes.data, "smoothing": 1})
    with pytest.raises(MemoryError, match="solve fewer pairs"):
        thread_pool.run_in_threads(count(), call, threads)


def test_a_forked_process_does_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thread_pool._is_first_process()
    monkeypatch.setattr(thread_pool, "_FIRST_PROCESS", -1)
    assert not thread_pool._is_first_process()
