"""Which commands there are, and how one of them is run."""

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol, cast

from vtlearn.errors import VTLearnError, format_error
from vtlearn.suggestions import nearest

__all__ = ["COMMANDS", "Command", "command_of", "run"]

COMMANDS: Mapping[str, str] = {
    "align": "move captions to where what they tell of is shown",
    "config check": "find what is wrong with configurations, before anything runs",
    "config list": "list the configurations that there are",
    "convert": "turn a published checkpoint into a model of vtlearn",
    "data check": "compare a corpus with what it should hold",
    "data import": "give features that others computed the facts they lack",
    "data kitchen": "render the corpus of cooking videos",
    "data pack": "write a corpus into tar shards",
    "doctor": "look whether everything works on this machine",
    "embed": "write vectors of videos and sentences, to compare",
    "export": "write a model into a folder of its own, or as ONNX",
    "pseudolabel": "caption windows of videos, to train on",
    "runs": "list the runs below a folder with their best figures",
    "score": "score vectors that any model made",
    "search": "find moments of videos by a sentence",
    "transcribe": "write down what is said in videos",
}
"""What each command is for, by its name."""


class Command(Protocol):
    """What the module of a command has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit code."""


def command_of(argv: Sequence[str]) -> str | None:
    """Tell which command a command line names, by its first word or first two.

    Example:
        >>> command_of(["data", "check", "corpora/kitchen"])
        'data check'
        >>> command_of(["data", "chekc"])
    """
    names = (" ".join(argv[:words]) for words in (1, 2))
    return next((name for name in names if name in COMMANDS), None)


def run(name: str, argv: Sequence[str]) -> int:
    """Run a command.

    Args:
        name: One of ``COMMANDS``.
        argv: Its options.

    Returns:
        The exit code: the command's own, 2 for a user's mistake, which is shown as a sentence, or
        130 where it was interrupted.
    """
    command = _load(name)
    parser = _Parser(
        prog=f"vtlearn {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # an abbreviation that happens to be unique is a slip too
    )
    command.add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        return command.run(arguments)
    except (VTLearnError, OSError) as error:
        sys.stderr.write(format_error(error))
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("vtlearn: interrupted\n")
        return 130  # as a shell has it


def _load(name: str) -> Command:
    """Import a command and no other: what one needs may take seconds."""
    module = importlib.import_module(f"vtlearn.cli.commands.{name.replace(' ', '_')}")
    return cast("Command", module)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print what is wrong and the nearest valid option, and exit with code 2."""
        _, unknown, words = message.partition("unrecognized arguments: ")
        if unknown:
            option = words.split()[0].partition("=")[0]
            options = [name for action in self._actions for name in action.option_strings]
            message = f"there is no option {option}{nearest(option, options)}"
        self.exit(2, f"vtlearn: error: {message}\nusage: {self.prog} --help\n")
