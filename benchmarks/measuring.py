"""What the benchmarks share: steps timed in turn, peak memory, the machine, Markdown tables."""

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numba import njit, prange

Step = Callable[[], object]


class Alone(NamedTuple):
    """What a function did in a process of its own.

    Attributes:
        answer: What it returned.
        seconds: How long it took.
        peak: The process's highest memory in bytes; None where the system does not tell.
    """

    answer: Any
    seconds: float
    peak: float | None


class Times(NamedTuple):
    """Milliseconds of a step."""

    median: float
    least: float


def set_threads(threads: int) -> None:
    """Give both sides the same number of threads."""
    torch.set_num_threads(threads)
    numba.set_num_threads(threads)


def machine(threads: int) -> str:
    """Say what the figures were taken on."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    cpu = models[0] if models else platform.processor() or platform.machine()
    load = f"{os.getloadavg()[0]:.1f}"
    parts = [f"{cpu}, {os.cpu_count()} cores (load {load} at the start), {threads} threads"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    parts.append(f"Python {platform.python_version()}, torch {torch.__version__}")
    return ", ".join([*parts, f"numba {numba.__version__}"])


def alternate(steps: list[Step], seconds: float, device: str) -> list[Times]:
    """Run steps in turn, after two rounds that are not counted, until the seconds are spent."""
    for step in [*steps, *steps]:
        timed(step, device)
    rounds: list[list[float]] = []
    start = time.perf_counter()
    while len(rounds) < 5 or time.perf_counter() - start < seconds:
        rounds.append([timed(step, device) for step in steps])
    return [Times(statistics.median(taken), min(taken)) for taken in zip(*rounds, strict=True)]


def timed(step: Step, device: str) -> float:
    """Time a step in milliseconds, in its stride: once untimed, then for at least 40 ms."""
    time.sleep(0.01)  # the threads of the one before come to rest
    step()
    synchronize(device)
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < 0.04:
        step()
        synchronize(device)
        count += 1
    return (time.perf_counter() - start) / count * 1e3


def synchronize(device: str) -> None:
    """Wait for the GPU, if it is one."""
    if device == "cuda":
        torch.cuda.synchronize()


def memory(
    make: Callable[..., Step], tiny: tuple[Any, ...], full: tuple[Any, ...], threads: int
) -> float | None:
    """Measure what a step takes on the CPU beyond its inputs, at its highest.

    Args:
        make: A function of a module, which builds a step.
        tiny: Its arguments for a first run, so that what is loaded and compiled does not count.
        full: Its arguments for the run that is measured.
        threads: As many as everywhere.

    Returns:
        Megabytes, of a fresh process; None where the system does not tell.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as child:
        return child.submit(_peak, make, tiny, full, threads).result()


def clocked_alone(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    threads: int,
    tiny: tuple[Any, ...] | None = None,
) -> Alone:
    """Run a function once in a fresh process.

    Args:
        function: A function of a module.
        arguments: What to call it with.
        threads: As many as everywhere.
        tiny: Its arguments for a run before, so that what is loaded and compiled takes no time.

    Returns:
        Its answer, its time, and the highest memory of the whole process.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as child:
        return child.submit(_clocked, function, arguments, threads, tiny).result()


def cuda_memory(step: Step) -> float:
    """Measure what a step takes on the GPU beyond its inputs, by torch's allocator, in MB."""
    step()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def _peak(
    make: Callable[..., Step], tiny: tuple[Any, ...], full: tuple[Any, ...], threads: int
) -> float | None:
    set_threads(threads)
    make(*tiny)()
    step = make(*full)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the highest so far is the present size
        before = _resident("VmRSS")
        step()
        return (_resident("VmHWM") - before) / 1e6
    except OSError:
        return None


def _clocked(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    threads: int,
    tiny: tuple[Any, ...] | None,
) -> Alone:
    set_threads(threads)
    if tiny is not None:
        function(*tiny)
    start = time.perf_counter()
    answer = function(*arguments)
    seconds = time.perf_counter() - start
    try:
        return Alone(answer, seconds, _resident("VmHWM"))
    except OSError:
        return Alone(answer, seconds, None)


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@njit(inline="always", fastmath=True)
def fast_exp(x: float) -> float:  # Cephes' polynomial, which compilers vectorise
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    x -= n * np.float32(0.693359375)
    x += n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * x + np.float32(1.3981999507e-3)
    p = p * x + np.float32(8.3334519073e-3)
    p = p * x + np.float32(4.1665795894e-2)
    p = p * x + np.float32(1.6666665459e-1)
    p = p * x + np.float32(5.0000001201e-1)
    p = p * x * x + x + np.float32(1)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(parallel=True, fastmath=True)
def exps(numbers: Any, repeats: int) -> None:
    """Replace each number, (threads, numbers), by -exp of itself, again and again."""
    for t in prange(numbers.shape[0]):
        for _ in range(repeats):
            for k in range(numbers.shape[1]):
                numbers[t, k] = -fast_exp(numbers[t, k])


def machine_steps(threads: int) -> Iterator[tuple[str, Callable[[], object], float]]:
    """List what to time for the machine's limits: a name, a step, and its work in 1e9 units."""
    size, repeats, width = 2**24, 2000, 2048
    a, b, c = torch.zeros(3, size)
    yield "copy, GB/s", lambda: a.copy_(b), 2 * 4 * size / 1e9
    yield "triad, GB/s", lambda: torch.add(b, c, alpha=0.5, out=a), 3 * 4 * size / 1e9
    numbers = np.linspace(-8, 0, threads * width, dtype=np.float32).reshape(threads, width)
    yield "exp, Gexp/s", lambda: exps(numbers, repeats), numbers.size * repeats / 1e9


def spread(median: float | None, least: float | None) -> str:
    """Write a median and, in brackets, the minimum."""
    return "" if median is None else f"{median:.2f} ({least:.2f})"


def header(*cells: str) -> None:
    """Begin a Markdown table."""
    line(*cells)
    line(*["---"] * len(cells))


def line(*cells: str) -> None:
    """Print a line of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)
