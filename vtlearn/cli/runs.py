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

from vtlearn.errors import CheckpointError

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_OTHER = {"best": "last", "last": "best"}
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
    newest, paths = ordered[-1], [found[run].get(which) for run in ordered]
    if paths[-1] is None:
        earlier = [str(path) for path in paths if path is not None]
        raise CheckpointError(_absent(which, newest, earlier))
    _LOG.info("taking the checkpoint %s", paths[-1])
    return paths[-1]


def _checkpoints(runs: Path) -> dict[Path, dict[str, Path]]:
    """Return the checkpoints of each run below a folder, by their names."""
    found: dict[Path, dict[str, Path]] = defaultdict(dict)
    for which in _OTHER:
        for path in runs.rglob(f"checkpoints/{which}.ckpt"):
            if path.is_file():
                found[path.parents[1]][which] = path
    return dict(found)


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
