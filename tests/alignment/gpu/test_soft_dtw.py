"""The kernel for GPUs: on the CPU in Triton's interpreter, and on a GPU where there is one."""

import importlib
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from vtlearn.alignment import soft_dtw_torch
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import Pairs, as_pairs

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the interpreter's inf - inf

NAME = "vtlearn.alignment.gpu.soft_dtw"
WAYS = pytest.mark.parametrize("by_pairs", [True, False], ids=["by_pairs", "by_strips"])
ON_A_GPU = pytest.mark.parametrize(
    "kernel", [pytest.param("cuda", marks=pytest.mark.gpu)], indirect=True
)
INF, NAN = math.inf, math.nan


class Kernel(NamedTuple):
    module: ModuleType
    device: str

    def solve(
        self,
        pairs: Pairs,
        options: SoftDTWOptions,
        gradient: Tensor | None,
        *,
        by_pairs: bool,
        lanes: int,
    ) -> Tensor:
        tiling = self.module._Tiling(by_pairs, lanes, 1)
        value: Tensor = self.module._solve(pairs, options, gradient, tiling)
        return value


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("cpu", marks=pytest.mark.slow),
        pytest.param("cuda", marks=pytest.mark.gpu),
    ],
)
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A copy of the module of its own, whose kernels run on this device."""
    pytest.importorskip("triton")
    device: str = request.param
    if torch.cuda.is_available() != (device == "cuda"):
        pytest.skip("the kernel runs on the GPU if there is one, else in the interpreter")
    with pytest.MonkeyPatch.context() as patch:
        # counts when a kernel is defined, not when Triton is imported, which others may have done
        patch.setenv("TRITON_INTERPRET", str(int(device == "cpu")))
        before = sys.modules.pop(NAME, None)
        yield Kernel(importlib.import_module(NAME), device)
        del sys.modules[NAME]
        if before is not None:
            sys.modules[NAME] = before


def ragged(
    count: int,
    clips: int,
    captions: int,
    *,
    band: Tensor | int | None = None,
    poison: float = NAN,
    dtype: torch.dtype = torch.float64,
) -> Pairs:
    """Random costs and lengths, and what must not be read beyond them; the first pair is full."""
    generator = torch.Generator().manual_seed(clips)
    cost = (2 * torch.rand(count, clips, captions, generator=generator) - 0.5).to(dtype)
    n = torch.randint(1, clips + 1, (count,), generator=generator)
    m = torch.randint(1, captions + 1, (count,), generator=generator)
    n[:1], m[:1] = clips, captions
    rows, columns = torch.arange(clips)[:, None], torch.arange(captions)
    beyond = (rows >= n[:, None, None]) | (columns >= m[:, None, None])
    return as_pairs(cost.masked_fill(beyond, poison), n, m, band)


def to(pairs: Pairs, device: str) -> Pairs:
    columns = pairs.columns
    if columns is not None:
        columns = columns._replace(first=columns.first.to(device), end=columns.end.to(device))
    return Pairs(pairs.cost.to(device), pairs.n.to(device), pairs.m.to(device), columns)


def check(
    kernel: Kernel,
    pairs: Pairs,
    options: SoftDTWOptions,
    *,
    by_pairs: bool,
    lanes: int = 4,
    gradient: Tensor | None = None,
) -> None:
    """Compare value and gradient with those of the float64 reference."""
    exact = pairs._replace(cost=pairs.cost.double())
    expected = torch.empty(pairs.cost.shape, dtype=torch.float64)
    expected_value = soft_dtw_torch.solve(exact, options, expected)
    if gradient is None:
        gradient = torch.full_like(pairs.cost, 7)
    there = gradient.to(kernel.device)
    value = kernel.solve(to(pairs, kernel.device), options, there, by_pairs=by_pairs, lanes=lanes)
    assert value.dtype == pairs.cost.dtype
    single = value.dtype == torch.float32
    rtol, atol = (5e-6, 1e-3) if single else (1e-10, 1e-10)
    actual = value.cpu().double()
    torch.testing.assert_close(actual, expected_value, rtol=rtol, atol=1e-10, equal_nan=True)
    actual = there.cpu().double()
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)
    assert bool((actual[expected == 0] == 0).all())


@WAYS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("gamma", [0.0, 1e-45, 1e-3, 0.1, 1.0, 10.0])
def test_it_agrees_with_the_reference(
    kernel: Kernel, gamma: float, dtype: torch.dtype, by_pairs: bool
) -> None:
    check(kernel, ragged(2, 5, 4, dtype=dtype), SoftDTWOptions(gamma), by_pairs=by_pairs)


@WAYS
@pytest.mark.parametrize("poison", [INF, -INF])
def test_what_lies_beyond_the_lengths_changes_nothing(
    kernel: Kernel, poison: float, by_pairs: bool
) -> None:
    check(kernel, ragged(3, 3, 4, poison=poison), SoftDTWOptions(0.1), by_pairs=by_pairs)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_pairs_fill_programs_or_do_not(kernel: Kernel, gamma: float) -> None:
    for count in (1, 3, 4, 5, 9):
        check(kernel, ragged(count, 2, 3), SoftDTWOptions(gamma), by_pairs=True)
    check(kernel, ragged(70, 2, 3), SoftDTWOptions(gamma), by_pairs=True, lanes=32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (3, 4), (4, 4), (5, 4), (9, 14)])
def test_rows_and_columns_fill_strips_and_chunks_or_do_not(
    kernel: Kernel, shape: tuple[int, int]
) -> None:
    check(kernel, ragged(2, *shape), SoftDTWOptions(0.1), by_pairs=False)


@WAYS
def test_the_value_alone_is_the_same(kernel: Kernel, by_pairs: bool) -> None:
    for options in (SoftDTWOptions(0.1), SoftDTWOptions(0.0, dummy=0.5)):
        pairs = ragged(1, 6, 17)  # more chunks than are kept
        expected = soft_dtw_torch.solve(pairs, options, None)
        there = to(pairs, kernel.device)
        value = kernel.solve(there, options, None, by_pairs=by_pairs, lanes=4)
        torch.testing.assert_close(value.cpu(), expected)


def strided(table: Tensor, layout: str) -> Tensor:
    """The same numbers in another memory layout: by pair, pairs innermost, or with gaps."""
    if layout == "by pair":
        return table.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    if layout == "pairs innermost":
        return table.contiguous()
    return torch.stack([table, table + 1], dim=-1).permute(1, 0, 2, 3).permute(1, 0, 2, 3)[..., 0]


@WAYS
@pytest.mark.parametrize("layout", ["by pair", "pairs innermost", "gaps"])
def test_any_strides(kernel: Kernel, layout: str, by_pairs: bool) -> None:
    pairs = ragged(3, 3, 4)
    pairs = pairs._replace(cost=strided(pairs.cost, layout))
    other = {"by pair": "gaps", "pairs innermost": "by pair", "gaps": "pairs innermost"}[layout]
    gradient = strided(torch.full((3, 4, 3), 7.0, dtype=torch.float64), other)
    check(kernel, pairs, SoftDTWOptions(0.1), by_pairs=by_pairs, gradient=gradient)


@WAYS
@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_bands(kernel: Kernel, gamma: float, by_pairs: bool) -> None:
    pairs = ragged(3, 6, 7, band=torch.tensor([1, 3, 9]))
    check(kernel, pairs, SoftDTWOptions(gamma), by_pairs=by_pairs)


@WAYS
@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_costs_that_are_not_finite(kernel: Kernel, gamma: float, by_pairs: bool) -> None:
    cost = torch.rand(8, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    cost[0, 1, 1] = INF  # a wall to walk around
    cost[1, 0] = INF  # no way in
    cost[2] = INF
    cost[3, 2, 2] = INF  # no way out
    cost[4, 1, 1] = -INF
    cost[5, 0, 0] = cost[6, 1, 1] = cost[7, 2, 2] = NAN
    check(
        kernel, as_pairs(cost), SoftDTWOptions(gamma), by_pairs=by_pairs, lanes=8 if by_pairs else 2
    )


@WAYS
@pytest.mark.parametrize(("dummy", "smoothing"), [(0.5, True), (0.3, False), (None, True)])
@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_s2dtw(
    kernel: Kernel, gamma: float, dummy: float | None, smoothing: bool, by_pairs: bool
) -> None:
    check(kernel, ragged(2, 3, 2), SoftDTWOptions(gamma, dummy, smoothing), by_pairs=by_pairs)


@WAYS
def test_s2dtw_in_float32_of_walls_in_bands(kernel: Kernel, by_pairs: bool) -> None:
    pairs = ragged(2, 3, 4, band=1, dtype=torch.float32)
    pairs.cost[1, 1, 0] = INF
    for options in (SoftDTWOptions(0.1, None, True), SoftDTWOptions(0.1, 0.5, True)):
        check(kernel, pairs, options, by_pairs=by_pairs)


@WAYS
def test_no_pairs(kernel: Kernel, by_pairs: bool) -> None:
    pairs = to(ragged(0, 3, 2), kernel.device)
    gradient = torch.empty_like(pairs.cost)
    value = kernel.solve(pairs, SoftDTWOptions(0.1), gradient, by_pairs=by_pairs, lanes=4)
    assert value.shape == (0,)


def test_it_chooses_for_itself(kernel: Kernel) -> None:
    pairs = to(ragged(3, 4, 3), kernel.device)
    gradient = torch.empty_like(pairs.cost)
    value = kernel.module.solve(pairs, SoftDTWOptions(0.1), gradient)
    expected = soft_dtw_torch.solve(pairs, SoftDTWOptions(0.1), None)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[0, 0], torch.ones_like(value), rtol=0, atol=1e-5)


def test_few_large_tables_are_cut_into_strips_and_many_small_ones_are_not(kernel: Kernel) -> None:
    choose = kernel.module._tiling
    for shape in ((16, 16, 4096), (17, 17, 16384), (17, 17, 262144), (8, 8, 64), (1, 9000, 9)):
        assert choose(*shape).by_pairs, shape
    for shape in ((64, 64, 256), (512, 512, 32), (2048, 2048, 32), (4096, 4096, 8)):
        tiling = choose(*shape)
        assert not tiling.by_pairs, shape
        assert 32 <= tiling.lanes <= 512
        assert tiling.lanes % (32 * tiling.warps) == 0


COMPILE = """
import itertools
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from vtlearn.alignment.gpu import soft_dtw as module

TABLES = {"cost", "reach", "value", "passed", "arriving", "expected", "gradient"}
KINDS = {name: "constexpr" for name in ("hard", "dummies", "smoothing", "banded", "lanes")}
KINDS |= {name: "fp64" for name in ("scale", "unit", "dummy")}
KINDS |= {name: "*i64" for name in ("n", "m", "first", "end")}
kernels = [kernel for name, kernel in vars(module).items() if hasattr(kernel, "params")]
kernels = [kernel for kernel in kernels if any(p.do_not_specialize for p in kernel.params)]
for kernel in kernels:
    names = [parameter.name for parameter in kernel.params]
    given = {p.name: p.annotation_type for p in kernel.params}
    assert all(given[name] == "fp64" for name in ("scale", "unit"))
    for number, (hard, weak, banded) in itertools.product(
        ("fp32", "fp64"), ((True, False, False), (False, False, False), (False, True, True))
    ):
        constants = {"hard": hard, "dummies": weak, "smoothing": weak, "banded": banded}
        lanes, warps = (512, 8) if "strips" in kernel.__name__ else (32, 1)
        constants = {name: constants[name] for name in names if name in constants}
        kinds = {name: KINDS.get(name, "*" + number if name in TABLES else "i32") for name in names}
        source = ASTSource(kernel, kinds, constants | {"lanes": lanes})
        target = GPUTarget("cuda", 90, 32)
        assembly = compile(source, target=target, options={"num_warps": warps})
        assert assembly.metadata.shared < 100_000
print(len(kernels))
"""


@pytest.mark.slow
def test_it_compiles_for_an_h100_also_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    script = tmp_path / "compile_kernels.py"
    script.write_text(COMPILE)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "5\n"


@ON_A_GPU
@WAYS
@pytest.mark.parametrize(
    "options", [SoftDTWOptions(0.01), SoftDTWOptions(0.1), SoftDTWOptions(0.1, 0.5, True)]
)
def test_float32_is_close_to_float64_on_a_gpu(
    kernel: Kernel, options: SoftDTWOptions, by_pairs: bool
) -> None:
    pairs = ragged(33, 128, 100, dtype=torch.float32)
    pairs.cost.add_(0.5)  # not below 0, for values that are not near it
    check(kernel, pairs, options, by_pairs=by_pairs, lanes=32)
    check(kernel, pairs, options, by_pairs=by_pairs, lanes=128)


@ON_A_GPU
def test_long_pairs_fit_into_two_gigabytes(kernel: Kernel) -> None:
    torch.cuda.reset_peak_memory_stats()
    cost = torch.rand(8, 4096, 4096, device="cuda")
    pairs, gradient = as_pairs(cost), torch.empty_like(cost).movedim(0, -1)
    value = kernel.module.solve(pairs, SoftDTWOptions(0.1), gradient)
    assert torch.cuda.max_memory_allocated() < 2e9
    assert bool(value.isfinite().all())
    torch.testing.assert_close(gradient[0, 0], torch.ones_like(value), rtol=0, atol=1e-5)


def test_a_kernel_that_does_not_agree_is_not_given_away(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kernel.module.solver(kernel.device) is kernel.module.solve
    original = kernel.module._solve

    def wrong(*arguments: object) -> Tensor:
        value: Tensor = original(*arguments) + 1
        return value

    def failing(*_: object) -> Tensor:
        message = "out of registers"
        raise RuntimeError(message)

    monkeypatch.setattr(kernel.module, "_solve", wrong)
    with pytest.raises(ImportError, match="does not compute soft-DTW"):
        kernel.module.solver(kernel.device)
    monkeypatch.setattr(kernel.module, "_solve", failing)
    with pytest.raises(ImportError, match="fails on this GPU: out of registers"):
        kernel.module.solver(kernel.device)
