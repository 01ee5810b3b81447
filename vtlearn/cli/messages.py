"""A parser that answers a typo with one sentence and the nearest name that exists."""

import importlib
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from vtlearn.cli.suggestions import nearest
from vtlearn.datamodules.base import VideoTextData
from vtlearn.hyperparameters import Configurable

__all__ = ["Parser", "explain"]

_OPTION_OF_CLASS = re.compile(r"Option '([^']+)' is not accepted")
_CLASS = re.compile(r"class_path(?:=| )'([\w.]+)'")
_OPTION = re.compile(r"(?:unrecognized arguments: --|does not accept option ')([\w.]+)")
_CLASS_NAME = re.compile(r"Expected a dot import path string: (\S+)")
_VALUE = re.compile(r"Expected an? (?:<class '(\w+)'>|(.+?))\. Got value: (.*)")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_KEY = re.compile(r"Parser key \"([^\"]+)\"")
_REQUIRED = re.compile(r"the following arguments are required: (.*)")
#: What jsonargparse says of the alternatives of a union, none of which a user asked for.
_NOISE = re.compile(
    r"Does not validate against|Subtypes: |Errors:|Given value|Expected a <class 'NoneType'>"
    r"|Expected a path but|^\s*$"
)


class Parser(LightningArgumentParser):
    """LightningCLI's parser, with a clear sentence for each of the usual mistakes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # an abbreviation that happens to be unique is a typo too
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and the nearest valid name, and exit with code 2.

        Args:
            message: The parser's own words.
            ex: What was raised.
        """
        if not self.exit_on_error:
            super().error(message, ex)  # somebody tries an alternative and wants the exception
        self.exit(2, f"vtlearn: error: {explain(message, set(_options(self)))}\n")


def explain(message: str, options: Iterable[str]) -> str:
    """Turn the parser's words into a sentence with the nearest valid name.

    Args:
        message: What the parser says.
        options: The options there are, ``trainer.max_epochs`` and so on.

    Returns:
        The sentence; in words that are not known, what the parser says without its noise.

    Example:
        >>> explain("unrecognized arguments: --trainer.max_epoch 4", ["trainer.max_epochs"])
        'there is no option trainer.max_epoch; did you mean trainer.max_epochs?'
    """
    for pattern, answer in (
        (_OPTION_OF_CLASS, _option_of_class),
        (_CLASS_NAME, _class_name),
        (_VALUE, _value),
        (_REQUIRED, _required),
    ):
        if found := pattern.search(message):
            return answer(found, message)
    if found := _NO_MODULE.search(message):
        return (
            f"{_key(message)}: there is no module {found[1]!r}; `python -m vtlearn` in place of "
            "`vtlearn` finds modules of the working directory"
        )
    if found := _OPTION.search(message):
        return f"there is no option {found[1]}{_nearest_option(found[1], set(options))}"
    return "\n".join(line for line in message.splitlines() if not _NOISE.search(line))


def _option_of_class(found: re.Match[str], message: str) -> str:
    path = _CLASS.findall(message)[-1]
    module, _, name = path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(importlib.import_module(module), name), fail_untyped=False)
    known = {option.split(".")[0] for option in _options(parser)}
    return f"{name} has no option {found[1]}{nearest(found[1], known)}"


def _class_name(found: re.Match[str], message: str) -> str:
    kinds: tuple[type, ...] = (Configurable, VideoTextData, Optimizer, LRScheduler)
    known = {kind.__name__ for base in kinds for kind in _subclasses(base)} - {found[1]}
    return f"{_key(message)}: there is no class {found[1]}{nearest(found[1], known)}"


def _value(found: re.Match[str], message: str) -> str:
    kind, value = found[1] or found[2], found[3]
    return f"{_key(message)}: {value!r} is no {kind}"


def _required(found: re.Match[str], _message: str) -> str:
    command, _, _ = found[1].partition(".")
    return (
        f"{found[1]} have to be given; a configuration gives them all, for example\n"
        f"  vtlearn {command} --config configs/vttwins.yaml"
    )


def _key(message: str) -> str:
    return ".".join(_KEY.findall(message))


def _options(parser: ArgumentParser) -> Iterable[str]:
    """Yield the options of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list them
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from _options(command)
        elif action.option_strings:
            yield action.dest


def _nearest_option(wanted: str, options: set[str]) -> str:
    """Suggest an option, looking for a typo in its first word, then in the next, and so on."""
    parts = wanted.split(".")
    for depth in range(1, len(parts) + 1):
        prefix, known = ".".join(parts[:depth]), {".".join(x.split(".")[:depth]) for x in options}
        if prefix not in known:
            return nearest(prefix, known)
    return ""


def _subclasses(base: type) -> Iterable[type]:
    kind: type
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)
