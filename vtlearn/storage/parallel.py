"""The same work on many things, with every core.

Not the bare ``map`` of ``concurrent.futures``: that reads all jobs before it gives a result, and
its processes outlive a parent that is killed.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from vtlearn.errors import VTLearnError

__all__ = ["available_cores", "in_parallel"]

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

_AHEAD = 4  # jobs a worker has waiting, so that a million of them are not queued at once


def available_cores() -> int:
    """Return how many of the machine's cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # what a scheduler left us of them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(
    function: Callable[[JobT], ResultT], jobs: Iterable[JobT], workers: int
) -> Iterator[ResultT]:
    """Do jobs in several processes.

    Args:
        function: What to do; it and the jobs have to pickle.
        jobs: One argument each; read as they are needed.
        workers: How many processes; 1 is this process itself.

    Yields:
        The results as they come, in any order.

    Raises:
        VTLearnError: If the processes died; and whatever ``function`` raises.

    Example:
        >>> sorted(in_parallel(abs, [-1, 2], workers=1))
        [1, 2]
    """
    if workers == 1:
        yield from map(function, jobs)
        return
    # Spawned, since a fork of a process with threads (every one that imported torch) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_with_parent) as pool:
        try:
            yield from _results(pool, function, iter(jobs), workers)
        except BrokenProcessPool as error:
            message = (
                "processes that worked in parallel died. A script must call this under "
                "`if __name__ == '__main__':`; or pass workers=1 to work in this process alone"
            )
            raise VTLearnError(message) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _results(
    pool: ProcessPoolExecutor,
    function: Callable[[JobT], ResultT],
    jobs: Iterator[JobT],
    workers: int,
) -> Iterator[ResultT]:
    running: set[Future[ResultT]] = set()
    while True:
        room = _AHEAD * workers - len(running)
        running |= {pool.submit(function, job) for job in islice(jobs, room)}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _leave_with_parent() -> None:
    """See to it that a killed parent leaves no process waiting for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_leave, args=(parent.join,), daemon=True).start()


def _wait_and_leave(wait_for_parent: Callable[[], None]) -> None:
    wait_for_parent()
    os._exit(1)
