"""Each run in a folder of its own, and a resumed one in the folder that it has."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from vtlearn.callbacks.step_checkpoint import PREVIOUS
from vtlearn.cli.logger_folder import DEFAULT_RUNS, folder_of_logger, is_numbered
from vtlearn.run_folder import fresh_folder, is_first_process, reserve_folder

__all__: list[str] = []

_OF_A_RUN = ("last.ckpt", PREVIOUS)


def run_of(checkpoint: str | None) -> Path | None:
    """Return the folder of the run that is resumed from a checkpoint, in that folder.

    Args:
        checkpoint: Its path.

    Returns:
        The folder; None where the checkpoint is not the last of a run, whose later steps would be
        replaced by others.

    Example:
        >>> run_of("runs/a/version_3/checkpoints/last.ckpt")
        PosixPath('runs/a/version_3')
        >>> run_of("runs/a/version_3/checkpoints/best.ckpt")
    """
    path = Path(checkpoint or "")
    is_last = path.name in _OF_A_RUN and path.parent.name == "checkpoints"
    return path.parents[1] if is_last else None


def folder_without_logger(*, reserve: bool) -> Path:
    """Return a new folder for what no logger has one for.

    Args:
        reserve: Make it at once, as a training needs it that begins together with others.
    """
    parent = Path(*DEFAULT_RUNS.values())
    return reserve_folder(parent) if reserve and is_first_process() else fresh_folder(parent)


@contextmanager
def named_versions(logger: Any, run: Path | None) -> Iterator[None]:
    """Say in the configuration of loggers, while they are built, which folder a run has.

    A new run's folder is made at once: of two runs that begin at the same time each has its own.

    Args:
        logger: What ``trainer.logger`` was parsed to.
        run: The folder of the run that is resumed; None for a new one.
    """
    loggers = [x for x in (logger if isinstance(logger, list) else [logger]) if is_numbered(x)]
    unnamed: list[Namespace] = [x for x in loggers if x.init_args.get("version") is None]
    reserved: dict[Path, Path] = {}  # by their parents: loggers of one name share a folder
    for one in unnamed:
        parent = folder_of_logger(one).parent.resolve()
        if run is not None and parent == run.parent.resolve():
            one.init_args.version = run.name
        elif is_first_process():
            if parent not in reserved:
                reserved[parent] = reserve_folder(parent)
            one.init_args.version = reserved[parent].name
    try:
        yield
    except BaseException:
        for folder in reserved.values():
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        for one in unnamed:  # what is kept of the configuration serves another run
            one.init_args.version = None
