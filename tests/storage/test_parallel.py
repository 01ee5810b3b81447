import os
from collections.abc import Iterator

import pytest

from vtlearn.errors import ArgumentError, VTLearnError
from vtlearn.storage.parallel import available_cores, in_parallel


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def die(number: int) -> None:
    if number == 3:
        os._exit(1)


def refuse(number: int) -> None:
    message = f"not {number}"
    raise ArgumentError(message)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers: int) -> None:
    results = list(in_parallel(square, range(50), workers))
    assert sorted(result for result, _ in results) == [number * number for number in range(50)]
    assert (os.getpid() in {process for _, process in results}) == (workers == 1)


def test_jobs_are_read_as_they_are_needed() -> None:
    read: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    next(iter(in_parallel(square, jobs(), 2)))
    assert len(read) < 50


def test_dead_processes_and_errors_are_reported() -> None:
    with pytest.raises(VTLearnError, match="died"):
        list(in_parallel(die, range(8), 2))
    with pytest.raises(ArgumentError, match="not 0"):
        list(in_parallel(refuse, [0], 2))


def test_there_is_a_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
