"""What is said of a training that was asked to stop, and how Ctrl-C does that from the start."""

import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from vtlearn.callbacks import TrainingStopped

__all__: list[str] = []

_CHECKPOINT = "--ckpt_path"


@contextmanager
def ctrl_c_stops() -> Iterator[None]:
    """Let Ctrl-C raise what a training that was asked to stop raises; Lightning would exit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def describe_stop(stopped: TrainingStopped, argv: Sequence[str]) -> str:
    """Say by what a training was stopped, what it left, and the command that resumes it.

    Args:
        stopped: What it raised.
        argv: Its command line.

    Returns:
        Lines.

    Example:
        >>> print(describe_stop(TrainingStopped(15), ["fit", "--config", "a.yaml"]), end="")
        stopped by SIGTERM before it had saved a checkpoint
    """
    name = stopped.signum.name
    if stopped.checkpoint is None:
        before = " before it had saved a checkpoint" if argv[0] == "fit" else ""
        return f"stopped by {name}{before}\n"
    path = os.path.relpath(stopped.checkpoint)
    behind = stopped.step - stopped.saved_step
    again = f", whose last {behind} are made again" if behind else ""
    return (
        f"stopped by {name} after {stopped.step} steps{again}: {path}\nto resume:\n  vtlearn "
        f"{shlex.join([*_without_checkpoint(argv), _CHECKPOINT, path])}\n"
    )


def _without_checkpoint(argv: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in argv:
        if word != _CHECKPOINT and before != _CHECKPOINT and not word.startswith(f"{_CHECKPOINT}="):
            yield word
        before = word


def _stop(signum: int, _frame: FrameType | None) -> None:
    raise TrainingStopped(signum)
