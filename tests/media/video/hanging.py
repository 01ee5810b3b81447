"""Time budgets that only what hangs can use up."""

from functools import cache
from pathlib import Path

import pytest

from vtlearn.media.video import probing, subprocess_reader

__all__ = ["spare_what_does_not_hang"]

_PLENTY = 3600.0  # seconds; a busy machine may need some for the smallest video


class _Sparing(subprocess_reader._Child):
    def __init__(self, _: float, num_threads: int) -> None:
        super().__init__(_PLENTY, num_threads)

    def ask(
        self, request: subprocess_reader._Request, memory: int | None, time_budget: float
    ) -> object:
        return super().ask(request, memory, time_budget if _hangs(request) else _PLENTY)


def spare_what_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time budgets count for pipes alone, in this process and in those forked from it.

    A test may then have a budget as short as it likes: a pipe that nothing writes to uses up any,
    and no other file uses up this one, however busy the machine is.
    """
    monkeypatch.setattr(subprocess_reader, "_Child", _Sparing)
    monkeypatch.setattr(probing, "_reader", cache(probing._reader.__wrapped__))


def _hangs(request: subprocess_reader._Request) -> bool:
    return isinstance(request.source, (str, Path)) and Path(request.source).is_fifo()
