import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vtlearn

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.calls import (  # noqa: E402  # needs numba
    array_of,
    chunk_done,
    chunk_range,
    entry,
    next_chunk,
    packed,
)
from vtlearn.alignment.cpu.thread_pool import run_in_threads  # noqa: E402

PYCACHE = shutil.ignore_patterns("__pycache__")


@entry
def count_up(pointer: Any) -> None:
    call = numba.carray(pointer, 1)[0]
    numbers = array_of(call.value, call.parts, np.float64)
    while True:
        chunk = next_chunk(pointer)
        if chunk >= call.chunks:
            return
        first, end = chunk_range(call.parts, chunk, call.chunks)
        for k in range(first, end):
            numbers[k] += call.gamma * call.shape[1] + call.strides[2]
        chunk_done(pointer)


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
    run_in_threads(count_up(), call, threads)
    assert (numbers == 9).all()


def test_what_a_thread_does_is_compiled_once() -> None:
    address: Callable[[], int] = count_up
    assert address() == address() > 0


def test_a_folder_that_cannot_be_written_only_costs_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = numba.cfunc

    def cfunc(*arguments: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            message = "cannot cache function: no locator available"
            raise RuntimeError(message)
        return original(*arguments, **options)

    monkeypatch.setattr(numba, "cfunc", cfunc)

    def do_nothing(pointer: Any) -> None:
        numba.carray(pointer, 1)[0].done = 1

    assert entry(do_nothing)() > 0


SOLVE = """
import sys, torch
from pathlib import Path
from numba.core import event
package = Path(sys.argv[1]) / "vtlearn"
sys.path.insert(0, sys.argv[1])
from vtlearn.alignment import soft_dtw
assert Path(sys.modules["vtlearn"].__file__).parent == package
with event.install_recorder("numba:run_pass") as passes:
    value = float(soft_dtw(torch.ones(20, 3, 3)).sum())
print(value, len(passes.buffer))
"""


@pytest.mark.slow
def test_later_processes_start_from_the_cache_unless_any_file_changed(tmp_path: Path) -> None:
    shutil.copytree(Path(vtlearn.__file__).parent, tmp_path / "vtlearn", ignore=PYCACHE)

    def solve() -> tuple[float, bool]:
        """Solve in a new process, and say whether anything was compiled there."""
        command = [sys.executable, "-c", SOLVE, str(tmp_path)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        value, passes = output.split()
        return float(value), int(passes) > 0

    value, has_compiled = solve()
    assert has_compiled
    assert solve() == (value, False)
    changed = tmp_path / "vtlearn/alignment/cpu/exponents.py"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(
        text.replace("return -gamma * (e", "return -2 * gamma * (e"), encoding="utf-8"
    )
    doubled, has_compiled = solve()
    assert has_compiled
    assert doubled == pytest.approx(2 * value)
