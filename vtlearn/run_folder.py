"""Where a run's files go: to a folder of its own, so that none of a user's is overwritten."""

from contextlib import suppress
from itertools import count
from pathlib import Path

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning import Trainer

__all__ = [
    "fresh_folder",
    "is_first_process",
    "is_working_directory",
    "reserve_folder",
    "run_folder",
]


def run_folder(trainer: Trainer) -> Path:
    """Return the folder for a run's results, pictures and checkpoints.

    That is its logger's folder. Where there is no logger, or its folder is the working directory,
    in which a user's files lie, it is the trainer's ``default_root_dir``.

    Args:
        trainer: The run's. All processes have to ask, because they agree by talking.

    Returns:
        The folder; it need not exist.
    """
    folder = Path(trainer.log_dir or trainer.default_root_dir)
    if is_working_directory(folder):
        folder = Path(trainer.default_root_dir)
    return Path(trainer.strategy.broadcast(str(folder)))


def is_working_directory(folder: Path) -> bool:
    """Say whether a folder is the one that commands are typed in.

    Example:
        >>> is_working_directory(Path("runs/.."))
        True
    """
    return folder.resolve() == Path.cwd().resolve()


def is_first_process() -> bool:
    """Say whether this is the first of a run's processes, before they can talk to each other.

    Example:
        >>> is_first_process()
        True
    """
    return getattr(rank_zero_only, "rank", 0) == 0


def fresh_folder(parent: Path) -> Path:
    """Return a folder that is not there yet, numbered as Lightning's loggers do.

    Args:
        parent: Where the folders of runs lie.

    Returns:
        ``parent/version_<number>``; it is not made.

    Example:
        >>> fresh_folder(Path("absent")).name
        'version_0'
    """
    folders = (parent / f"version_{number}" for number in count())
    return next(folder for folder in folders if not folder.exists())


def reserve_folder(parent: Path) -> Path:
    """Make a folder for a run, after all that are there, as Lightning's loggers number them.

    Args:
        parent: Where the folders of runs lie.

    Returns:
        ``parent/version_<number>``, which no other process has.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [reserve_folder(Path(folder)).name for _ in range(2)]
        ['version_0', 'version_1']
    """
    parent.mkdir(parents=True, exist_ok=True)
    names = (path.name.removeprefix("version_") for path in parent.glob("version_*"))
    first = max((int(name) for name in names if name.isdecimal()), default=-1) + 1
    for number in count(first):
        with suppress(FileExistsError):  # another process was faster
            (folder := parent / f"version_{number}").mkdir()
            return folder
    raise AssertionError
