"""Find the checkpoint that ``--ckpt_path best`` and ``last`` mean: the newest run's.

A run is a folder that keeps checkpoints, such as ``runs/vttwins/version_3``. The newest is the one
whose checkpoints were written last, whatever its number: a number may be given or used again, and
runs may be trained side by side. Of those that were written in the same instant, as copies may be,
it is the one with the highest number. What keeps no checkpoint does not count: the folder of a
test, and that of a training that stopped before its first one, for there is nothing in it to choose
or to resume. Which checkpoint is taken is logged.
"""

import logging
import re
from collections import defaultdict
from pathlib import Path
from typing import Literal

from vtlearn.callbacks.run_lock import began_at
from vtlearn.callbacks.step_checkpoint import PREVIOUS
from vtlearn.checkpoints import read_checkpoint
from vtlearn.errors import CheckpointError

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_OTHER = {"best": "last", "last": "best"}
_PREVIOUS = Path(PREVIOUS).stem
_WHY = ", for its data have no validation split or it ended before its first validation"


def newest_checkpoint(which: Literal["best", "last"], runs: Path) -> Path:
    """Return a checkpoint of the newest run.

    Args:
        which: The best by validation, or the last.
        runs: The folder of the runs of a configuration, however deep they lie in it.

    Returns:
        The path of the newest run's ``checkpoints/best.ckpt`` or ``checkpoints/last.ckpt``.

    Raises:
        CheckpointError: If there is no run, or the newest did not keep it: that of an earlier run
            is not taken in its place, but named.

    Example:
        >>> newest_checkpoint("best", Path("absent"))
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: there is no best.ckpt below absent: train first, ...
    """
    found = _checkpoints(runs)
    if not found:
        message = (
            f"there is no {which}.ckpt below {runs}: train first, or give the path of a checkpoint"
        )
        raise CheckpointError(message)
    ordered = sorted(found, key=lambda run: (_written(found[run]), _numbered(run)))
    newest, paths = ordered[-1], [_of(found[run], which) for run in ordered]
    if paths[-1] is None:
        earlier = [str(path) for path in paths if path is not None]
        raise CheckpointError(_absent(which, newest, earlier))
    if which == "last":
        _require_alone(newest, {run: _written(found[run]) for run in ordered[:-1]})
        path = _readable(paths[-1])
    else:
        path = paths[-1]
    _LOG.info("taking the checkpoint %s", path)
    return path


def has_checkpoints(runs: Path) -> bool:
    """Tell whether any run has kept a checkpoint.

    Args:
        runs: The folder of the runs.
    """
    return bool(_checkpoints(runs))


def _checkpoints(runs: Path) -> dict[Path, dict[str, Path]]:
    """Return the checkpoints of each run below a folder, by their names."""
    found: dict[Path, dict[str, Path]] = defaultdict(dict)
    for which in (*_OTHER, _PREVIOUS):
        for path in runs.rglob(f"checkpoints/{which}.ckpt"):
            if path.is_file():
                found[path.parents[1]][which] = path
    return dict(found)


def _of(checkpoints: dict[str, Path], which: str) -> Path | None:
    """Return a run's checkpoint; killed while it gave the last its name, it has the one before."""
    return checkpoints.get(which) or (checkpoints.get(_PREVIOUS) if which == "last" else None)


def _readable(path: Path) -> Path:
    """Return a last checkpoint, or the one before it, where that one cannot be read."""
    previous = path.with_name(f"{_PREVIOUS}.ckpt")
    if path == previous:
        _LOG.warning("there is no last.ckpt beside it: taking %s, the one before", previous)
    elif previous.is_file():
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            read_checkpoint(previous)
            _LOG.warning("%s: taking the one before, %s", error, previous)
            return previous
    return path


def _require_alone(newest: Path, others: dict[Path, int]) -> None:
    """Refuse to choose between runs that were trained at the same time."""
    began = began_at(newest)
    together = [run for run, written in others.items() if began and written > began]
    if together:
        runs = " and ".join(str(run) for run in [*together, newest])
        message = (
            f"{runs} were trained at the same time, and last may mean either: give the path of "
            f"one, such as --ckpt_path {newest / 'checkpoints' / 'last.ckpt'}"
        )
        raise CheckpointError(message)


def _written(checkpoints: dict[str, Path]) -> int:
    return max(path.stat().st_mtime_ns for path in checkpoints.values())


def _numbered(run: Path) -> list[str | int]:
    """Return what sorts version_10 behind version_9."""
    return [int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", str(run))]


def _absent(which: str, newest: Path, earlier: list[str]) -> str:
    other = _OTHER[which]
    such_as = f", such as {earlier[-1]} of an earlier run" if earlier else ""
    return (
        f"the newest run, {newest}, kept only {other}.ckpt{_WHY if which == 'best' else ''}: "
        f"give --ckpt_path {other}, or the path of a checkpoint{such_as}"
    )
