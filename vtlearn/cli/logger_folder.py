"""Where a command keeps its runs: the folder of its logger, however that was given."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonargparse import ArgumentError as ParsingError
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from vtlearn.cli.config_files import is_file_name, read_yaml

__all__: list[str] = []

#: Where runs go that say nothing else.
DEFAULT_RUNS = {"save_dir": "runs", "name": "vtlearn"}
DEFAULT_LOGGER = {
    "class_path": "pytorch_lightning.loggers.TensorBoardLogger",
    "init_args": DEFAULT_RUNS,
}

_CONFIG = ("--config", "-c")
_TRAINER = "--trainer"
_ASKED = ("logger", "default_root_dir")
_NUMBERED = (TensorBoardLogger, CSVLogger)  # which keep each run in a folder of its own


class RunsFolder(NamedTuple):
    """Where runs lie.

    Attributes:
        parent: The folder of all runs of a name.
        version: The one that is asked for in it; None for none.
    """

    parent: Path
    version: str | None = None

    @property
    def path(self) -> Path:
        """Where to look for checkpoints."""
        return self.parent / (self.version or "")


def runs_folder(argv: Sequence[str]) -> RunsFolder:
    """Tell where a command line and its files have runs kept.

    Args:
        argv: The command line, separated, its configurations found.

    Returns:
        The folder of the first logger, as the parser of the whole command would understand it.

    Example:
        >>> runs_folder(["fit", "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "x"])
        RunsFolder(parent=PosixPath('x/vtlearn'), version=None)
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    kind = Logger | Iterable[Logger] | bool | None
    parser.add_argument("--trainer.logger", type=kind, default=DEFAULT_LOGGER)
    parser.add_argument("--trainer.default_root_dir", type=str | None)
    try:
        trainer = parser.parse_args(list(_about_runs(argv))).trainer
    except ParsingError:  # which the command's own parser says better
        return RunsFolder(Path(*DEFAULT_RUNS.values()))
    first = trainer.logger[0] if isinstance(trainer.logger, list) else trainer.logger
    if isinstance(first, Namespace):
        return folder_of_logger(first)
    return RunsFolder(Path(trainer.default_root_dir or Path(*DEFAULT_RUNS.values())))


def folder_of_logger(logger: Namespace) -> RunsFolder:
    """Tell where a logger keeps the runs.

    Args:
        logger: Its ``class_path`` and ``init_args``.
    """
    given = logger.get("init_args") or {}
    save_dir = Path(str(given.get("save_dir") or given.get("dir") or "."))
    if not is_numbered(logger):
        return RunsFolder(save_dir / str(given.get("project") or ""))
    version = given.get("version")
    named = f"version_{version}" if isinstance(version, int) else version
    return RunsFolder(save_dir / str(given.get("name") or ""), named)


def is_numbered(logger: Any) -> bool:
    """Tell whether a logger gives each run a folder of its own, with a number.

    Args:
        logger: Its ``class_path`` and ``init_args``; anything else is none.
    """
    name = logger.class_path.rpartition(".")[2] if isinstance(logger, Namespace) else None
    return name in {one.__name__ for one in _NUMBERED}


def _about_runs(argv: Sequence[str]) -> Iterator[str]:
    """Yield what a command line and its files say of the logger, in its order."""
    for option, value in pairwise(argv):
        content: Any = None
        if option in _CONFIG:
            content = _read(value)
            content = content.get("trainer") if isinstance(content, Mapping) else None
        elif option == _TRAINER:
            content = _read(value)
        elif option.startswith(tuple(f"{_TRAINER}.{name}" for name in _ASKED)):
            yield from (option, value)
        if isinstance(content, Mapping):
            said = {name: content[name] for name in _ASKED if name in content}
            yield from ("--config", yaml.safe_dump({"trainer": said}, default_flow_style=True))


def _read(value: str) -> Any:
    return read_yaml(Path(value)) if is_file_name(value) else yaml.safe_load(value)
