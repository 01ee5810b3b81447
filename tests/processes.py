"""Processes that talk over gloo, started once and given work as functions."""

import multiprocessing as mp
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import distributed


class Pool:
    """Run a function in every process of a group at once."""

    def __init__(self, world: int, store: Path) -> None:
        context = mp.get_context("spawn")
        ends = [context.Pipe() for _ in range(world)]
        self._connections = [ours for ours, _ in ends]
        self._processes = [
            context.Process(target=_serve, args=(rank, world, str(store), theirs), daemon=True)
            for rank, (_, theirs) in enumerate(ends)
        ]
        for process in self._processes:
            process.start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call ``function(*arguments)`` in each process; return or raise what they did."""
        for connection in self._connections:
            connection.send((function, arguments))
        answers = [connection.recv() for connection in self._connections]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    def close(self) -> None:
        for connection in self._connections:
            connection.send(None)
        for process in self._processes:
            process.join(10)


def _serve(rank: int, world: int, store: str, connection: Connection) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=30),  # one that failed leaves the others waiting
    )
    while (work := connection.recv()) is not None:
        function, arguments = work
        try:
            connection.send(function(*arguments))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test should see it
            connection.send(error)
    distributed.destroy_process_group()
