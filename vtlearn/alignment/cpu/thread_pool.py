"""The threads that solve: torch's own, where they can be had.

Behind each of torch's operations its OpenMP threads spin for milliseconds and wait for the next
one, which on few cores keeps threads of anybody else off them. So the work is given to them: to
``GOMP_parallel``, with which GNU's OpenMP begins a parallel region. Where torch came with another
library, and in a process that was forked after this module was imported (OpenMP's threads do not
survive that), Python's threads do it; they let go of the interpreter's lock.
"""

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__: list[str] = []

_CHUNKS = 4
"""Shares a thread has in the work: a core may be busy with something else for a while."""

_FIRST_PROCESS = os.getpid()


def run_in_threads(function: int, call: np.ndarray, threads: int) -> None:
    """Let threads work on a call until it is done.

    Args:
        function: Address of what each thread runs, with the address of the call.
        call: One :data:`vtlearn.alignment.cpu.calls.CALL`, whose chunks are set here.
        threads: How many.

    Raises:
        MemoryError: If a thread did not finish its chunk, which only happens for want of memory.
    """
    threads = min(threads, int(call["parts"][0]))
    call["chunks"] = min(call["parts"][0], _CHUNKS * threads) if threads > 1 else 1
    address = call.ctypes.data
    if threads == 1:
        _signature(function)(address)
    elif (parallel := _openmp()) is not None and _is_first_process():
        parallel(function, address, threads, 0)
    else:
        pool = _pool(threads - 1, os.getpid())
        others = [pool.submit(_signature(function), address) for _ in range(threads - 1)]
        _signature(function)(address)
        for other in others:
            other.result()
    if call["done"] != call["chunks"]:
        message = "a thread of soft-DTW could not get the memory that it needs: solve fewer pairs"
        raise MemoryError(message)


_signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _is_first_process() -> bool:
    return os.getpid() == _FIRST_PROCESS


@functools.cache
def _openmp() -> Callable[..., Any] | None:
    loaded = Path("/proc/self/maps")  # of Linux, where alone torch is built with GNU's
    files = loaded.read_text().split() if loaded.exists() else []
    package = Path(torch.__file__).parent
    folders = package / "lib", package.with_name("torch.libs")  # other packages bring copies too
    libraries = {f for f in files if "libgomp" in f and Path(f).parent in folders}
    if len(libraries) != 1:
        return None
    parallel = ctypes.CDLL(libraries.pop()).GOMP_parallel  # the copy that torch has loaded
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return parallel


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    del process  # threads do not survive a fork: a child needs its own
    return ThreadPoolExecutor(threads, thread_name_prefix="vtlearn-alignment")
