import math
import multiprocessing
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from vtlearn.alignment import soft_dtw_cpu
from vtlearn.alignment.pairs import Pairs, as_pairs
from vtlearn.alignment.soft_dtw import solve_reference
from vtlearn.errors import MissingPackageError


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def ragged(count: int, rows: int, columns: int) -> Pairs:
    generator = torch.Generator().manual_seed(count)
    cost = torch.rand(count, rows, columns, generator=generator).double()
    n = torch.randint(1, rows + 1, (count,), generator=generator)
    m = torch.randint(1, columns + 1, (count,), generator=generator)
    return as_pairs(cost, n, m)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_the_plain_python_of_the_kernel_is_the_reference(gamma: float) -> None:
    pairs = ragged(3, 4, 5)
    value, expected = np.zeros(3), np.zeros((4, 5, 3))
    cost, n, m = (part.contiguous().numpy() for part in pairs)
    soft_dtw_cpu._solve_tile(cost, n, m, gamma, 0, 3, value, expected)
    exact = solve_reference(pairs, gamma, True)
    torch.testing.assert_close(torch.from_numpy(value), exact.value)
    torch.testing.assert_close(torch.from_numpy(expected), exact.expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_softmin_of_what_is_not_finite(gamma: float) -> None:
    inf = math.inf
    assert soft_dtw_cpu._softmin(inf, inf, inf, gamma, 1.0) == (inf, 0, 0, 0)
    assert soft_dtw_cpu._softmin(inf, 3.0, inf, gamma, 1.0) == (3, 0, 1, 0)
    assert soft_dtw_cpu._softmin(inf, 3.0, -inf, gamma, 1.0) == (-inf, 0, 0, 1)
    for numbers in ((math.nan, 1.0, 2.0), (1.0, math.nan, 2.0), (inf, inf, math.nan)):
        least, *weights = soft_dtw_cpu._softmin(*numbers, gamma, 1.0)
        assert math.isnan(least)
        assert weights == [0, 0, 0]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_tiles_and_threads_leave_no_pair_out(count: int) -> None:
    pytest.importorskip("numba")
    pairs = ragged(count, 12, 11)
    solution = soft_dtw_cpu.kernel()(pairs, 0.1, True)
    exact = solve_reference(pairs, 0.1, True)
    torch.testing.assert_close(solution.value, exact.value)
    torch.testing.assert_close(solution.expected, exact.expected)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 2, 0), (17, 17, 256), (256, 256, 3), (4096, 4096, 8)]
)
def test_a_tile_is_never_empty_and_never_huge(shape: tuple[int, int, int]) -> None:
    lanes, threads = soft_dtw_cpu._shares(torch.Size(shape))
    assert 1 <= lanes <= max(1, shape[2])
    assert 1 <= threads <= 2
    assert lanes == 1 or lanes * shape[0] * shape[1] <= 2**24


@pytest.mark.usefixtures("two_threads")
def test_threads_of_a_program_may_solve_at_the_same_time() -> None:
    pytest.importorskip("numba")
    pairs, solve = ragged(500, 8, 9), soft_dtw_cpu.kernel()
    values: list[torch.Tensor] = []
    threads = [
        threading.Thread(target=lambda: values.append(solve(pairs, 0.1, True).value))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 4
    assert all(torch.equal(value, values[0]) for value in values)


def _solve_in_child() -> None:
    # few enough cells for torch to stay in one thread: its own threads do not survive a fork
    soft_dtw_cpu.kernel()(ragged(200, 12, 11), 0.1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.usefixtures("two_threads")
def test_a_forked_process_may_solve_after_its_parent_did() -> None:
    pytest.importorskip("numba")
    _solve_in_child()
    child = multiprocessing.get_context("fork").Process(target=_solve_in_child)
    child.start()
    child.join(timeout=60)
    exit_code = child.exitcode
    child.kill()
    assert exit_code == 0


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    soft_dtw_cpu.kernel.cache_clear()
    with pytest.raises(MissingPackageError, match=r"pip install 'vtlearn\[fast\]'"):
        soft_dtw_cpu.kernel()


def test_a_folder_that_cannot_be_written_only_costs_the_cache() -> None:
    numba = pytest.importorskip("numba")

    class Numba:
        @staticmethod
        def njit(**options: bool) -> object:
            if options.pop("cache", False):
                message = "cannot cache function: no locator available"
                raise RuntimeError(message)
            return numba.njit(**options)

    function = soft_dtw_cpu._compile(Numba, lambda x: x + 1)  # type: ignore[arg-type]
    assert function(1) == 2
