"""Processes that talk over gloo, started once and given work as functions."""

import multiprocessing as mp
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import distributed

_PATIENCE = 60.0  # seconds for what may never come: an answer after another process has failed
_LONGEST = timedelta(hours=1)  # that processes wait for each other, all of them being well


class Pool:
    """Run a function in every process of a group at once.

    No time limit is met by a machine that is merely busy: the only one is for processes that wait
    for another one which has failed.
    """

    def __init__(self, world: int, store: Path) -> None:
        self._world = world
        self._store = store
        self._starts = 0
        self._start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call ``function(*arguments)`` in each process; return or raise what they did."""
        for connection in self._connections:
            connection.send((function, arguments))
        answers = self._answers()
        if self._is_broken:
            self._end()
            self._start()
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    def close(self) -> None:
        for connection in self._connections:
            connection.send(None)
        for process in self._processes:
            process.join(_PATIENCE)
        self._end()

    def _start(self) -> None:
        self._starts += 1
        self._is_broken = False
        context = mp.get_context("spawn")
        store = self._store.with_name(f"{self._store.name}-{self._starts}")
        self._connections: list[Connection[Any, Any]] = []
        self._processes: list[BaseProcess] = []
        for rank in range(self._world):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(rank, self._world, str(store), theirs), daemon=True
            )
            process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            self._connections.append(ours)
            self._processes.append(process)

    def _end(self) -> None:
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.kill()
            process.join()
            connection.close()

    def _answers(self) -> list[Any]:
        """Return what each process answered; after a failure, those may be missing that wait."""
        answers: list[Any] = [None] * self._world
        ranks = {connection: rank for rank, connection in enumerate(self._connections)}
        has_failed = False
        while ranks:
            ready = wait(list(ranks), _PATIENCE if has_failed else None)
            if not ready:
                self._is_broken = True
                break
            for connection in [each for each in ranks if each in ready]:
                rank = ranks.pop(connection)
                answers[rank] = self._received(rank)
                has_failed |= isinstance(answers[rank], BaseException)
        return answers

    def _received(self, rank: int) -> Any:
        try:
            return self._connections[rank].recv()
        except EOFError:
            self._is_broken = True
            self._processes[rank].join()
            return RuntimeError(f"process {rank} died ({self._processes[rank].exitcode})")


def _serve(rank: int, world: int, store: str, connection: "Connection[Any, Any]") -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=world,
        timeout=_LONGEST,
    )
    while (work := connection.recv()) is not None:
        function, arguments = work
        try:
            connection.send(function(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test should see it
            connection.send(error)
    distributed.destroy_process_group()
