"""A parser that answers a mistake with one sentence and the nearest name that exists."""

import inspect
import pkgutil
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from jsonargparse import ArgumentParser
from pytorch_lightning import Callback
from pytorch_lightning.cli import LightningArgumentParser
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from vtlearn.cli.argv import given_options
from vtlearn.cli.moved_classes import PARSER_MODE
from vtlearn.cli.renamed_options import renamed_options
from vtlearn.datamodules.base import VideoTextData
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.heads import Head
from vtlearn.hyperparameters import Configurable
from vtlearn.suggestions import nearest

__all__: list[str] = []

#: What a configuration chooses classes of, the more special first.
_KINDS: tuple[type, ...] = (
    *(VideoEncoder, TextEncoder, Head, Configurable, VideoTextData),
    *(Optimizer, LRScheduler, Callback),
)
_OPTION_OF_CLASS = re.compile(r"Option '([^']+)' is not accepted")
_OPTION = re.compile(
    r"(?:unrecognized arguments: --|(?:Group '(?P<group>[\w.]+)' )?does not accept option ')"
    r"([\w.]+)"
)
_CLASS = re.compile(r"class_path(?:=| )'([\w.]+)'")
_CLASS_NAME = re.compile(r"Expected a dot import path string: (\S+)")
_WRONG_KIND = re.compile(
    r"(?:Import path (?:([\w.]+) )?does not correspond to|Expected '([\w.]+)' to be)"
    r" a subclass of (?:<class ')?(\w+)"
)
_GIVEN = re.compile(r"Given value: ([\w.]+)")  # where a union's words leave it out
_OUR_PATH = re.compile(r"(?:class_path(?:=| )'|Got value: )(vtlearn\.[\w.]+)")
_NOT_THERE = re.compile(
    r"No module named 'vtlearn[\w.]*'|module 'vtlearn[\w.]*' has no attribute '\w+'"
)
_VALUE = re.compile(r"Expected an? (?:<class '(\w+)'>|(.+?))\. Got value: (.*)")
_VALUE_OR_NONE = re.compile(
    r"Expected a <class '(\w+)'>\n(?:\s+- Expected a typing\.Literal\[(?P<words>.+)\]\n)?"
    r"\s+- Expected a <class 'NoneType'>\n.*\n\s*Given value: (?P<given>.*)"
)
_LITERAL = "typing.Literal["
_LITERALS = re.compile(r"Expected a typing\.Literal\[(.+)\]")
_GIVEN_VALUE = re.compile(r"Given value: (.+)")
_NO_CLASS = re.compile(r"Not a valid subclass of (\w+)")
_NOW = re.compile(r"^\s*(vtlearn\.\S+ is now .*)$", re.MULTILINE)
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
        super().__init__(*args, allow_abbrev=False, **{"parser_mode": PARSER_MODE} | kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and the nearest valid name, and exit with code 2.

        Args:
            message: The parser's own words.
            ex: What was raised.
        """
        if not self.exit_on_error:
            super().error(message, ex)  # the caller tries an alternative and wants the exception
        self.exit(2, f"vtlearn: error: {self.sentence(message)}\n")

    def sentence(self, message: str) -> str:
        """Say what is wrong.

        Args:
            message: The parser's own words.

        Returns:
            A sentence, with the nearest valid name.
        """
        options = set(_options(self))
        return _renamed(message, given_options(self.args)) or explain(message, options)


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
        (_WRONG_KIND, _wrong_kind),
        (_NOT_THERE, _not_there),
        (_NOW, _now),
        (_VALUE, _value),
        (_VALUE_OR_NONE, _value_or_word),
        (_REQUIRED, _required),
        (_NO_MODULE, _no_module),
    ):
        if found := pattern.search(message):
            return answer(found, message)
    if found := _OPTION.search(message):
        return _option(found, message, set(options))
    if _LITERALS.search(message):
        return _choice(message)
    if found := _NO_CLASS.search(message):
        return _unchosen(found, message)
    return "\n".join(line for line in message.splitlines() if not _NOISE.search(line))


def refused_key(message: str) -> str:
    """Return the option that the parser refuses, or the one whose value it does.

    Args:
        message: What the parser says.

    Returns:
        Its name in dots, without ``init_args``; nothing where the parser names none.

    Example:
        >>> refused_key("Subcommand 'fit' does not accept option 'trainer.max_epoch'")
        'trainer.max_epoch'
    """
    return _refused(message) or _key(message)


def _renamed(message: str, given: list[set[str]]) -> str | None:
    """Say what the options are called now that a class refuses by their old names, all of them."""
    refused = _refused(message)
    if refused is None:
        return None
    section, _, name = refused.partition(".")
    beside = next((names for names in reversed(given) if refused in names), {refused})
    for path in _CLASS.findall(message):
        kind = _class_at(path)
        if renamed_options(kind, {name}):
            renamed = renamed_options(kind, beside)
            return f"{section}: {', '.join(f'{old} is now {new}' for old, new in renamed.items())}"
    return None


def _refused(message: str) -> str | None:
    """Return the option that is refused, in dots from the section it is in."""
    if found := _OPTION_OF_CLASS.search(message):
        return ".".join([*_KEY.findall(message), found[1]])
    if found := _OPTION.search(message):
        groups = [found["group"]] if found["group"] else []
        return ".".join([*_KEY.findall(message), *groups, found[2]])
    return None


def _option_of_class(found: re.Match[str], message: str) -> str:
    path = _CLASS.findall(message)[-1]
    known = {option.split(".")[0] for option in _options_of(_class_at(path))}
    return f"{path.rpartition('.')[2]} has no option {found[1]}{nearest(found[1], known)}"


def _option(found: re.Match[str], message: str, options: set[str]) -> str:
    paths = _CLASS.findall(message)
    if not paths:
        return f"there is no option {found[2]}{_nearest_option(found[2], options)}"
    name = f"{found['group']}.{found[2]}" if found["group"] else found[2]
    known = set(_options_of(_class_at(paths[-1])))
    return f"{paths[-1].rpartition('.')[2]} has no option {name}{_nearest_option(name, known)}"


def _class_name(found: re.Match[str], message: str) -> str:
    return _no_class(found[1], message)


def _not_there(found: re.Match[str], message: str) -> str:
    paths = _OUR_PATH.findall(message)
    if paths:
        return _no_class(paths[-1].rpartition(".")[2], message)
    needing = "".join(_CLASS.findall(message)[-1:])
    return f"{_key(message)}: {needing} needs another version of vtlearn: {found[0]}"


def _no_class(name: str, message: str) -> str:
    classes = {kind.__name__: kind for base in _KINDS for kind in _choices(base)}
    if name in classes:
        kind = next(base for base in _KINDS if issubclass(classes[name], base))
        return f"{_key(message)}: {name} derives from {kind.__name__}, which does not fit here"
    return f"{_key(message)}: there is no class {name}{nearest(name, classes)}"


def _wrong_kind(found: re.Match[str], message: str) -> str:
    path = found[1] or found[2] or "".join(_GIVEN.findall(message)[-1:])
    name = path.rpartition(".")[2]
    kinds = (kind for base in _KINDS for kind in (base, *_subclasses(base)))
    wanted = next((kind for kind in kinds if kind.__name__ == found[3]), None)
    known = {kind.__name__ for kind in _choices(wanted)} if wanted else set()
    return f"{_key(message)}: {name} is not a subclass of {found[3]}{nearest(name, known)}"


def _now(found: re.Match[str], message: str) -> str:
    return f"{_key(message)}: {found[1]}"


def _no_module(found: re.Match[str], message: str) -> str:
    return (
        f"{_key(message)}: there is no module {found[1]!r}; `python -m vtlearn` in place of "
        "`vtlearn` finds modules of the working directory"
    )


def _value(found: re.Match[str], message: str) -> str:
    kind, value = found[1] or found[2], found[3]
    if kind.startswith(_LITERAL):
        expected = f"one of {kind.removeprefix(_LITERAL).removesuffix(']')}"
    else:
        expected = _with_article(kind)
    return f"{_key(message)}: expected {expected}, got {value!r}"


def _value_or_word(found: re.Match[str], message: str) -> str:
    words = f" or {found['words']}" if found["words"] else ""
    expected = f"{_with_article(found[1])}{words}"
    return f"{_key(message)}: expected {expected}, got {found['given']!r}"


def _choice(message: str) -> str:
    choices = ", ".join(_LITERALS.findall(message))
    given = "".join(_GIVEN_VALUE.findall(message)[-1:])
    return f"{_key(message)}: expected one of {choices}; got {given}"


def _unchosen(found: re.Match[str], message: str) -> str:
    key = _key(message)
    return (
        f"{key}: no class is chosen: give {key}.class_path, that of a {found[1]}, or lay this over "
        "a configuration that does"
    )


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _required(found: re.Match[str], message: str) -> str:
    inside = _key(message)
    if inside:  # a class that is chosen, such as that of the data, takes them
        options = ", ".join(f"--{inside}.{name.strip()}" for name in found[1].split(","))
        return f"give {options}"
    command, _, _ = found[1].partition(".")
    return (
        f"{found[1]} have to be given; a configuration gives them all, for example\n"
        f"  vtlearn {command} --config configs/vttwins.yaml"
    )


def _key(message: str) -> str:
    return ".".join(_KEY.findall(message))


def _class_at(path: str) -> type:
    found: type = pkgutil.resolve_name(path)
    return found


def _options_of(kind: type) -> Iterable[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, fail_untyped=False)
    return _options(parser)


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
        prefix = ".".join(parts[:depth])
        known = {".".join(x.split(".")[:depth]) for x in options if x.count(".") >= depth - 1}
        if prefix not in known:
            return nearest(prefix, known)
    return ""


def _choices(base: type) -> Iterable[type]:
    """Yield the classes of a kind that a configuration may choose."""
    for kind in (base, *_subclasses(base)):
        if not kind.__name__.startswith("_") and not inspect.isabstract(kind):
            yield kind


def _subclasses(base: type) -> Iterable[type]:
    kind: type
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)
