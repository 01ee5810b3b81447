"""Parse and build what ``vtlearn fit`` would, without touching data, and say where it fails."""

import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from typing_extensions import override

from vtlearn.cli.config_files import find_config, kind_of, read_yaml
from vtlearn.cli.config_places import find_class, find_place
from vtlearn.cli.lightning import VTLearnCLI, own_error
from vtlearn.cli.messages import Parser, refused_key
from vtlearn.compatibility import require_accepted
from vtlearn.datamodules import Mixture
from vtlearn.datamodules.base import VideoTextData
from vtlearn.encoders.base import VideoEncoder
from vtlearn.errors import ArgumentError

__all__: list[str] = []

#: What stands in for a section that no file has, so that the others can be parsed.
_STAND_INS = {
    "model": {"video_encoder": "TinyVideo", "text_encoder": "TinyText", "head": "InfoNCE"},
    "data": {"class_path": "Kitchen"},
}
#: What depends on the machine that a training will run on.
_MACHINE = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto"}
_FIRST_OF_UNION = re.compile(r"Errors:\s*- (?:Problem with given class_path '[\w.]+':\s*)?(\S.*)")


class Checked(NamedTuple):
    """What ``vtlearn fit`` would train.

    Attributes:
        files: The configurations, found.
        model: The classes of video encoder, text encoder and head; none where no file has a model.
        data: The class of the data, if a file has any.
        callbacks: The classes of the callbacks that the files add.
        remarks: What could not be checked.
    """

    files: list[Path]
    model: list[str]
    data: str | None
    callbacks: list[str]
    remarks: list[str]


def check_configs(names: Sequence[str], *, build: bool = True) -> Checked:
    """Check configurations that are laid over each other, the first one lowest.

    Args:
        names: Their paths, or names of those that come with vtlearn; what begins with
            ``class_path`` is taken as ``--data``.
        build: Whether to build model, data and trainer, and not only to parse.

    Returns:
        What they choose.

    Raises:
        ArgumentError: If a file is not there or not valid, names what does not exist, gives a
            value that is not accepted, or chooses parts that do not fit; with file, line and key.
    """
    paths = [Path(find_config(name)) for name in names]
    contents = [read_yaml(path) for path in paths]
    for path, content in zip(paths, contents, strict=True):
        if kind_of(content) == "damaged":
            message = f"{path}: expected a mapping of sections, such as model: and trainer:"
            raise ArgumentError(message)
    given = {name for content in contents for name in _sections(content)}
    cli = _Check.__new__(_Check)
    cli.builds = build
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a machine that is not the one to train on
            cli.__init__(_command_line(paths, contents, given))  # type: ignore[misc]
            if build and {"model", "data"} <= given:
                _require_fitting(cli.model.video_encoder, cli.datamodule)
    except _RefusedError as error:
        raise _placed(paths, error.sentence(), error.key) from error
    except Exception as error:  # a constructor may raise anything for arguments not its own
        sentence = str(own_error(error) or _plain(error))
        raise _placed(paths, sentence, "", clue=str(error)) from error
    return _described(cli, paths, given)


def _sections(content: dict[str, Any]) -> list[str]:
    return ["data"] if kind_of(content) == "data" else list(content)


def _command_line(paths: Sequence[Path], contents: Sequence[Any], given: set[str]) -> list[str]:
    words = ["fit"]
    missing = {name: section for name, section in _STAND_INS.items() if name not in given}
    if missing:
        words += ["--config", yaml.safe_dump(missing, default_flow_style=True, width=10**6)]
    for path, content in zip(paths, contents, strict=True):
        words += ["--data" if kind_of(content) == "data" else "--config", str(path)]
    return words


class _RefusedError(ArgumentError):
    """What a parser refuses.

    Args:
        sentence: What is wrong.
        key: The option that is.
    """

    def __init__(self, sentence: str, key: str = "") -> None:
        super().__init__(sentence, key)
        self.key = key

    def sentence(self) -> str:
        """Say what is wrong, without the option."""
        return str(self.args[0])


class _CheckingParser(Parser):
    """A parser that raises what it refuses, with the option, in place of exiting."""

    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            super().error(message, ex)
        raise _RefusedError(self.sentence(message), refused_key(message)) from ex


class _Check(VTLearnCLI):
    """The command line of ``fit`` that stops where training would begin."""

    parser_type = _CheckingParser
    makes_folders = False
    builds: bool

    @override
    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": VTLearnCLI.subcommands()["fit"]}  # the others would take as long each

    @override
    def before_instantiate_classes(self) -> None:
        super().before_instantiate_classes()
        config = self._get(self.config, "trainer")
        for name, value in _MACHINE.items():
            config[name] = value
        config["precision"] = None
        config["plugins"] = None
        self.weights = self._get(self.config, "weights")
        self.config[str(self.subcommand)]["weights"] = None  # they may be those of a run to come

    @override
    def instantiate_classes(self) -> None:
        if self.builds:
            super().instantiate_classes()

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        del subcommand

    @override
    def _set_seed(self) -> None:
        """Leave the process's random numbers alone."""


def _require_fitting(encoder: VideoEncoder, data: VideoTextData) -> None:
    """Refuse clips that the encoder does not take, as far as settings tell."""
    if isinstance(data, Mixture):
        for source in data.sources.values():
            _require_fitting(encoder, source)
        return
    reading = data.reading.completed(encoder.num_frames, encoder.size)
    frames, size = reading.sampling.num_frames, reading.pixels.size
    stored = reading.features is not None  # whose width the store says, which may be made later
    require_accepted(
        encoder,
        encoder.num_frames if frames is None else frames,
        encoder.size if stored or size is None else size,
        stored=stored,
    )


def _placed(paths: Sequence[Path], sentence: str, key: str, clue: str = "") -> ArgumentError:
    """Say where what is wrong stands."""
    place = find_place(paths, key, sentence) or find_class(paths, clue)
    if place is None:
        return ArgumentError(f"{', '.join(map(str, paths))}: {sentence}")
    for said in (f"{place.key}: ", f"{place.option}: ", f"{key}: "):
        sentence = sentence.removeprefix(said)
    return ArgumentError(f"{place}: {sentence}")


def _plain(error: Exception) -> str:
    """Take what a constructor said out of what the parser makes of a union's alternatives."""
    found = _FIRST_OF_UNION.search(str(error))
    return found[1] if found else str(error) or type(error).__name__


def _described(cli: _Check, paths: list[Path], given: set[str]) -> Checked:
    config = cli.config[str(cli.subcommand)]
    parts = [config.model.video_encoder, config.model.text_encoder, config.model.head]
    remarks = []
    if cli.weights is not None and not Path(cli.weights).exists():
        remarks.append(f"weights {cli.weights} are not there yet")
    if "model" not in given:
        remarks.append("no file has a model: lay these over a method, to check that they fit")
    elif "data" not in given:
        remarks.append("no file has data: add a file for --data, to check that they fit")
    callbacks = config.trainer.callbacks or []
    return Checked(
        paths,
        [_class_name(part) for part in parts if part is not None] if "model" in given else [],
        _class_name(config.data) if "data" in given else None,
        [_class_name(part) for part in (callbacks if isinstance(callbacks, list) else [callbacks])],
        remarks,
    )


def _class_name(part: Any) -> str:
    return str(part["class_path"]).rpartition(".")[2]


def quiet() -> None:
    """Leave out what Lightning says of every machine."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
