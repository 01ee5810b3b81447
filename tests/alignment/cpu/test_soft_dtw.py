import math
import multiprocessing
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import Pairs, as_pairs
from vtlearn.alignment.soft_dtw_torch import solve as solve_in_torch
from vtlearn.errors import ArgumentError

pytest.importorskip("numba")
from vtlearn.alignment.cpu import soft_dtw as soft_dtw_cpu  # needs numba

WARPINGS = [
    SoftDTWOptions(0.0),
    SoftDTWOptions(1e-3),
    SoftDTWOptions(0.1),
    SoftDTWOptions(10.0),
    SoftDTWOptions(0.1, 0.5, smoothing=True),
    SoftDTWOptions(0.1, -0.2, smoothing=False),
    SoftDTWOptions(0.1, None, smoothing=True),
    SoftDTWOptions(0.0, 0.5, smoothing=True),
]
# more and fewer pairs than lanes, and pairs long enough for strips
SHAPES = [(1, 1, 1), (5, 7, 16), (17, 16, 33), (40, 3, 20), (1, 40, 33), (3, 90, 7), (2, 33, 100)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def pairs_of(
    count: int, rows: int, columns: int, *, ragged: bool = True, pairs_last: bool = False
) -> Pairs:
    generator = torch.Generator().manual_seed(count)
    cost = torch.rand(count, rows, columns, generator=generator) * 2 - 0.5
    if pairs_last:
        cost = cost.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    n = torch.randint(1, rows + 1, (count,), generator=generator) if ragged else None
    m = torch.randint(1, columns + 1, (count,), generator=generator) if ragged else None
    return as_pairs(cost, n, m)


def both(pairs: Pairs, options: SoftDTWOptions) -> tuple[Tensor, Tensor]:
    gradient = torch.full_like(pairs.cost, math.nan)
    return soft_dtw_cpu.solve(pairs, options, gradient), gradient


def check(pairs: Pairs, options: SoftDTWOptions, gradient_error: float = 1e-4) -> None:
    value, gradient = both(pairs, options)
    wide = pairs._replace(cost=pairs.cost.double())
    exact = torch.empty_like(wide.cost)
    torch.testing.assert_close(
        value.double(), solve_in_torch(wide, options, exact), rtol=5e-6, atol=5e-6
    )
    torch.testing.assert_close(gradient.double(), exact, rtol=0, atol=gradient_error)
    assert torch.equal(soft_dtw_cpu.solve(pairs, options, None), value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", WARPINGS)
@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("pairs_last", [True, False])
def test_float32_is_the_reference_in_float64(
    shape: tuple[int, int, int], options: SoftDTWOptions, ragged: bool, pairs_last: bool
) -> None:
    check(pairs_of(*shape, ragged=ragged, pairs_last=pairs_last), options)


@pytest.mark.parametrize("in_strips", [True, False])
def test_tiles_and_strips_say_the_same(monkeypatch: pytest.MonkeyPatch, in_strips: bool) -> None:
    monkeypatch.setattr(soft_dtw_cpu, "_in_strips", lambda _: in_strips)
    for shape in SHAPES:
        for options in WARPINGS[1:]:
            check(pairs_of(*shape), options)


@pytest.mark.parametrize("shape", [(17, 16, 33), (2, 70, 40)])
@pytest.mark.parametrize("options", [SoftDTWOptions(0.1), SoftDTWOptions(0.1, 0.5, smoothing=True)])
def test_what_does_not_fit_the_scratch_is_computed_twice_and_the_same(
    shape: tuple[int, int, int], options: SoftDTWOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = pairs_of(*shape)
    at_once = both(pairs, options)
    for scratch in (1, 2**15, 2**17):
        monkeypatch.setattr(soft_dtw_cpu, "_SCRATCH", scratch)
        value, gradient = both(pairs, options)
        assert torch.equal(value, at_once[0])
        assert torch.equal(gradient, at_once[1])


@pytest.mark.parametrize("options", [SoftDTWOptions(0.1), SoftDTWOptions(0.1, 0.5, smoothing=True)])
@pytest.mark.parametrize("shape", [(20, 6, 5), (2, 40, 50)])
@pytest.mark.parametrize("unusual", [1e30, -1e30, 1e9, math.inf, -math.inf, math.nan])
def test_costs_of_any_size_are_solved_and_the_other_pairs_stay_as_they_were(
    options: SoftDTWOptions, shape: tuple[int, int, int], unusual: float
) -> None:
    pairs = pairs_of(*shape, ragged=False)
    value, gradient = both(pairs, options)
    pairs.cost[2, 3, 1] = unusual
    changed_value, changed_gradient = both(pairs, options)
    others = torch.arange(shape[0]) != 1
    torch.testing.assert_close(changed_value[others], value[others])
    torch.testing.assert_close(changed_gradient[:, :, others], gradient[:, :, others])
    one = Pairs(pairs.cost[:, :, 1:2].double(), pairs.n[1:2], pairs.m[1:2])
    exact = torch.empty_like(one.cost)
    expected = solve_in_torch(one, options, exact)
    torch.testing.assert_close(
        changed_value[1:2].double(), expected, rtol=5e-6, atol=5e-6, equal_nan=True
    )
    if math.isfinite(float(expected)):
        actual = changed_gradient[:, :, 1:2].double()
        torch.testing.assert_close(actual, exact, rtol=0, atol=1e-4)


def test_a_dummy_beyond_any_exponent_is_solved_too() -> None:
    check(pairs_of(20, 4, 5), SoftDTWOptions(1e-9, 0.5, smoothing=True))
    check(pairs_of(20, 4, 5), SoftDTWOptions(1e-300, 0.5, smoothing=True))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 33, 1000])
def test_threads_leave_no_pair_out(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_dtw_cpu, "_SMALL", 0)
    for options in (SoftDTWOptions(0.1), SoftDTWOptions(0.0)):
        check(pairs_of(count, 12, 11), options)


@pytest.mark.usefixtures("two_threads")
def test_threads_of_a_program_may_solve_at_the_same_time() -> None:
    pairs = pairs_of(500, 8, 9)
    values: list[Tensor] = []
    threads = [
        threading.Thread(target=lambda: values.append(both(pairs, SoftDTWOptions(0.1))[0]))
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
    both(pairs_of(200, 12, 11), SoftDTWOptions(0.1))


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.usefixtures("two_threads")
def test_a_forked_process_may_solve_after_its_parent_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_dtw_cpu, "_SMALL", 0)
    _solve_in_child()
    child = multiprocessing.get_context("fork").Process(target=_solve_in_child)
    child.start()
    child.join(timeout=300)
    exit_code = child.exitcode
    child.kill()
    assert exit_code == 0


def test_no_pairs_at_all() -> None:
    pairs = as_pairs(torch.zeros(0, 3, 4))
    assert both(pairs, SoftDTWOptions(0.1))[0].shape == (0,)


def test_pairs_with_gaps_between_them() -> None:
    base = pairs_of(20, 9, 8, ragged=False)
    spread = torch.empty(40, 9, 16).fill_(math.nan)[::2, :, ::2]
    spread.copy_(base.cost.movedim(2, 0))
    value, gradient = both(as_pairs(spread), SoftDTWOptions(0.1))
    assert torch.equal(value, both(base, SoftDTWOptions(0.1))[0])
    table = torch.full((40, 9, 16), -1.0)
    soft_dtw_cpu.solve(base, SoftDTWOptions(0.1), table[::2, :, ::2].movedim(0, 2))
    assert torch.equal(table[::2, :, ::2].movedim(0, 2), gradient)
    assert bool((table[1::2] == -1).all())
    assert bool((table[:, :, 1::2] == -1).all())


def test_a_table_of_another_kind_is_not_written_to() -> None:
    pairs = pairs_of(20, 4, 5)
    for table in (torch.empty(4, 5, 20).half(), torch.empty(4, 4, 20)):
        with pytest.raises(ArgumentError, match="empty_like"):
            soft_dtw_cpu.solve(pairs, SoftDTWOptions(0.1), table)
