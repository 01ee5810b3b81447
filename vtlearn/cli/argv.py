"""What is done to the command line before it is parsed.

Configuration files are found, a checkpoint's own model is put where anything else overrides it, and
a new data section replaces the old one whole.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from vtlearn.checkpoints import hyperparameters
from vtlearn.cli.config_files import find_config, is_file_name, read_yaml
from vtlearn.cli.logger_folder import runs_folder
from vtlearn.cli.runs import has_checkpoints, newest_checkpoint
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.unicode import escape_bytes

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_CONFIG = ("--config", "-c")
_DATA = "--data"
_CHECKPOINT = "--ckpt_path"
_WEIGHTS = "--weights"
_NONE = "null"
_TRUST = "--trust_checkpoint"
_MODEL = "--model."


def separated(argv: Sequence[str]) -> list[str]:
    """Write ``--option=value`` as two words.

    Raises:
        ArgumentError: If a word is not UTF-8, as what a run writes down for another has to be.

    Example:
        >>> separated(["fit", "--config=a.yaml", "--data.init_args.seed", "1"])
        ['fit', '--config', 'a.yaml', '--data.init_args.seed', '1']
    """
    words: list[str] = []
    for word in argv:
        if (shown := escape_bytes(word)) != word:
            message = (
                f"{shown} is not UTF-8 (%FF stands for a byte that is none), and configurations "
                "have to be: rename that folder or file, or give a link to it. Names below it may "
                "hold any bytes"
            )
            raise ArgumentError(message)
        words += word.split("=", 1) if word.startswith("-") else [word]
    return words


def find_configs(argv: Sequence[str]) -> list[str]:
    """Look configuration files that are not there up among the shipped ones.

    Args:
        argv: The command line, separated.

    Returns:
        The command line with the paths of the files that were found.

    Raises:
        ArgumentError: If a file is neither there nor shipped.
    """
    before = ["", *argv]
    return [
        find_config(word) if option in (*_CONFIG, _DATA) and is_file_name(word) else word
        for option, word in zip(before, argv, strict=False)
    ]


def replace_data(argv: Sequence[str]) -> list[str]:
    """Forget the data section of earlier files wherever a new one is given.

    Without it, arguments of the same name would survive a change of class: Kitchen's ``root`` would
    silently become that of another corpus.

    Args:
        argv: The command line, separated.

    Returns:
        The command line with ``--data null`` before each ``--data``.

    Example:
        >>> replace_data(["test", "--config", "a.yaml", "--data", "HowTo100M"])
        ['test', '--config', 'a.yaml', '--data', 'null', '--data', 'HowTo100M']
    """
    return [part for word in argv for part in ([_DATA, "null", word] if word == _DATA else [word])]


def prefer_typed_weights(argv: Sequence[str]) -> list[str]:
    """Leave a configuration's weights out where a checkpoint is typed, and the other way round.

    A run that began with weights names them in its ``config.yaml``, which it is resumed with.

    Args:
        argv: The command line, separated, its configurations found.

    Returns:
        The command line with ``--weights null`` or ``--ckpt_path null`` behind it, where that
        replaces what a configuration names.
    """
    typed = {option: x for option, x in _options(argv) if option in (_CHECKPOINT, _WEIGHTS)}
    given = [option for option, value in typed.items() if value != _NONE]
    if len(typed) != 1 or not given:
        return list(argv)
    (other,) = {_CHECKPOINT, _WEIGHTS} - set(given)
    configured = [config[other[2:]] for config in _configs(argv) if config.get(other[2:])]
    if not configured:
        return list(argv)
    _LOG.info(
        "%s=%s of a configuration is left out: %s %s is given",
        *(other[2:], configured[-1], given[0], typed[given[0]]),
    )
    return [*argv, other, _NONE]


def named_checkpoint(argv: Sequence[str]) -> Path | None:
    """Return the checkpoint that the command line or one of its files names.

    Args:
        argv: The command line, separated, its configurations found.

    Returns:
        Its path, or None if none is named. ``best`` and ``last`` mean those of the newest run in
        the folder of the command's logger. A training may name ``last`` before there is one, so
        that one command line serves the first start and every other.

    Raises:
        CheckpointError: If there is no such file, or the newest run did not keep it.
    """
    named = _named(argv)
    if named == _NONE:
        return None
    if named in ("best", "last"):
        runs = runs_folder(argv).path
        if argv[0] == "fit" and named == "last" and not has_checkpoints(runs):
            _LOG.info("there is no last.ckpt below %s: training starts from the beginning", runs)
            return None
        return newest_checkpoint(named, runs)
    path = Path(str(named))
    if not path.is_file():
        is_folder = "it is a folder; a converted model is given by --weights"
        message = f"--ckpt_path {path}: {is_folder if path.is_dir() else 'there is no such file'}"
        raise CheckpointError(message)
    return path


def names_checkpoint(argv: Sequence[str]) -> bool:
    """Tell whether the command line or one of its files names a checkpoint, be it there or not.

    Args:
        argv: The command line, separated, its configurations found.

    Example:
        >>> names_checkpoint(["fit", "--ckpt_path", "last"])
        True
    """
    return bool(_named(argv) != _NONE)


def _named(argv: Sequence[str]) -> Any:
    """Return what is given for a checkpoint, of which the last word counts."""
    named = [config["ckpt_path"] for config in _configs(argv) if config.get("ckpt_path")]
    named += [value for option, value in _options(argv) if option == _CHECKPOINT]
    return named[-1] if named else _NONE


def typed_text_dim(argv: Sequence[str]) -> Any:
    """Return the width that the command line or its files give the text encoder.

    Args:
        argv: The command line, separated, its configurations found.

    Returns:
        The last one; None where none is given.

    Example:
        >>> typed_text_dim(["fit", "--model.text_encoder.dim", "64"])
        64
    """
    found: Any = None
    for config in _configs(argv):
        encoder = (config.get("model") or {}).get("text_encoder")
        arguments = encoder.get("init_args") if isinstance(encoder, dict) else None
        found = (arguments or {}).get("dim", found)
    for option, value in _options(argv):
        if option.startswith(f"{_MODEL}text_encoder"):
            found = _dim_in(option, value, found)
    return found


def _dim_in(option: str, value: str, found: Any) -> Any:
    """Return the width that an option of the text encoder gives, whole or nested, or the former."""
    with suppress(yaml.YAMLError):  # which the parser says better
        content = yaml.safe_load(value)
        if option.endswith(".dim"):
            return content
        if isinstance(content, dict):
            arguments = content.get("init_args", content)
            return arguments.get("dim", found) if isinstance(arguments, dict) else found
    return found


def put_checkpoint_first(argv: Sequence[str], checkpoint: Path) -> list[str]:
    """Make a checkpoint's model the first configuration, which everything after it overrides.

    Args:
        argv: The command line, separated, its configurations found, beginning with the command.
        checkpoint: A checkpoint of ours.

    Returns:
        The command line with the model's section, as YAML, before all other options, and the path
        of the checkpoint behind them. Of commands that do not train, the section has no optimiser.

    Raises:
        CheckpointError: If the file is not a vtlearn checkpoint, or names a class that neither
            vtlearn nor the user knows.
    """
    configs = list(_configs(argv))
    model = hyperparameters(
        checkpoint,
        trust=_trusts(argv, configs),
        named=[*_class_paths(configs), *_typed_class_paths(argv)],
        training=argv[0] == "fit",
    )
    section = yaml.safe_dump({"model": model}, default_flow_style=True, width=math.inf)
    return [argv[0], "--config", section, *argv[1:], _CHECKPOINT, str(checkpoint)]


def given_options(argv: Sequence[str]) -> list[set[str]]:
    """Collect the options that the command line and its files give.

    Args:
        argv: The command line, separated, its configurations found, earlier data replaced.

    Returns:
        Names in dots, without ``init_args``: ``data.sampling.num_frames`` and so on, and those of
        the mappings that they are in; one set for each data section, of which a later one replaces
        an earlier one. What cannot be read gives none.

    Example:
        >>> given_options(["fit", "--seed_everything", "1", "--data", "null", "--data", "Kitchen"])
        [{'seed_everything'}, {'data'}]
    """
    given: list[set[str]] = [set()]
    for option, value in _options(argv):
        if (option, value) == (_DATA, "null"):
            given.append(set())
        elif option.startswith("-"):
            section = "" if option in _CONFIG else option.lstrip("-").rstrip("+")
            given[-1].update(_dotted(section, _read(value)))
    return given


def _read(value: str) -> Any:
    """Read what an option is given: a file's content, or what is typed."""
    with suppress(ArgumentError, yaml.YAMLError):  # which the parser says better
        return read_yaml(Path(value)) if is_file_name(value) else yaml.safe_load(value)
    return None


def _dotted(name: str, value: Any) -> Iterator[str]:
    parts = [part for part in name.split(".") if part not in ("", "init_args")]
    if parts:
        yield ".".join(parts)
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _dotted(f"{name}.{key}", entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _dotted(name, entry)


def _trusts(argv: Sequence[str], configs: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a checkpoint may have anything imported: the last word counts."""
    for option, value in _options([*argv, "--"]):
        if option == _TRUST and not value.startswith("-"):
            message = f"{_TRUST} takes no value, got {value!r}: it is on where it is given"
            raise ArgumentError(message)
    said = [config[_TRUST[2:]] for config in configs if _TRUST[2:] in config]
    return _TRUST in argv or (bool(said) and said[-1] is True)


def _typed_class_paths(argv: Sequence[str]) -> Iterator[str]:
    """Yield the class paths of the model's parts on the command line."""
    for option, value in _options(argv):
        part = option.removeprefix(_MODEL).removesuffix(".class_path")
        if option.startswith(_MODEL) and "{" in value:
            with suppress(yaml.YAMLError):  # which the parser says better
                yield from _class_paths([{"model": {part: yaml.safe_load(value)}}])
        elif option.startswith(_MODEL) and (option.endswith(".class_path") or "." not in part):
            yield value


def _class_paths(configs: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the class paths in the model sections of configurations."""
    for config in configs:
        model = config.get("model")
        if isinstance(model, dict):
            yield from (part for part in model.values() if isinstance(part, str))
            yield from _nested_class_paths(model)


def _nested_class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("class_path"), str):
            yield value["class_path"]
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _nested_class_paths(entry)


def _options(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    return pairwise(argv)


def _configs(argv: Sequence[str]) -> Iterator[dict[str, Any]]:
    for option, value in _options(argv):
        if option in _CONFIG and is_file_name(value):
            content = read_yaml(Path(value))
            yield _mapping(content)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
