"""Render Kitchen, the corpus of cooking videos, in HowTo100M's layout or another corpus's.

The same options give the same corpus, and `vtlearn fit` finds it there. Rendering that was
interrupted resumes.
"""

import argparse
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus
from vtlearn.kitchen.layouts import LAYOUTS

__all__ = ["add_arguments", "run"]

_HELP: Mapping[str, str] = {
    "train": "training videos; of pictures, the videos that they are taken of",
    "groups": "groups of three validation videos, which differ in order alone",
    "tasks": "tasks, each of which has steps of its own",
    "videos": "videos of each task, the validation videos among them",
    "validation": "validation videos; of each task, where there are tasks",
    "test": "test videos",
    "seed": "where all chance comes from",
    "size": "height and width in pixels, even",
    "fps": "frames per second",
    "free": "the share of videos whose actions follow no recipe",
    "ingredients": "how many ingredients there are",
    "missing": "the share of a task's steps that a video lacks",
    "repeated": "the share of steps that are done twice",
    "reordered": "the share of steps that change places with the one before",
    "shift": "seconds that captions are off their steps: standard deviation",
    "omitted": "the share of steps that are not told of",
    "chatter": "captions about nothing for each step",
    "swapped": "the share of captions that change places with the next",
    "word_errors": "the share of words that are lost or heard wrongly",
    "per_step": "pictures of each step",
    "captions": "captions of each picture",
    "per_class": "videos of each class",
    "mismatched": "shares of training captions that are of another video, a list for each",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options; what is not given is left to the corpus.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--layout",
        choices=sorted(LAYOUTS),
        help="the files, names and captions of another corpus (HowTo100M's, with narration)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help=f"where ({_defaults('root')})",
    )
    for name, what in _HELP.items():
        default = next(iter(_defaults_of(name).values()))
        kind = type(default[0] if isinstance(default, tuple) else default)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            nargs="+" if isinstance(default, tuple) else None,
            metavar="N" if kind is int else "X",
            default=argparse.SUPPRESS,
            help=f"{what} ({_defaults(name)})",
        )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        default=argparse.SUPPRESS,
        help="processes (one per core)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Render what is not there yet.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If an option makes no sense, the folder holds something else, or the font that
            Kitchen is drawn with is not installed.
    """
    options = dict(vars(arguments))
    layout = options.pop("layout")
    kind = KitchenCorpus if layout is None else LAYOUTS[layout]
    name = "the default layout" if layout is None else f"--layout {layout}"
    _require_known(kind, name, options)
    corpus = kind(**options)
    sys.stdout.write(f"{len(corpus.plans())} {kind.items} in {corpus.prepare()}\n")
    return 0


def _defaults(name: str) -> str:
    """Say what an argument's default is, and where it is another."""
    found = _defaults_of(name)
    usual = found.get(None)
    shown = [] if usual is None else [_shown(usual)]
    shown += [
        f"{_shown(default)} with --layout {layout}"
        for layout, default in found.items()
        if layout is not None and str(default) != str(usual)
    ]
    return "; ".join(shown)


def _shown(default: object) -> str:
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _defaults_of(name: str) -> dict[str | None, object]:
    """Return an argument's default by layout, None for HowTo100M's, where a corpus has it."""
    kinds: list[tuple[str | None, type]] = [(None, KitchenCorpus), *LAYOUTS.items()]
    return {
        layout: parameter.default
        for layout, kind in kinds
        if (parameter := inspect.signature(kind).parameters.get(name)) is not None
    }


def _require_known(kind: type, layout: str, options: Mapping[str, object]) -> None:
    known = inspect.signature(kind).parameters
    unknown = [_option(name) for name in options if name not in known]
    if unknown:
        message = (
            f"{layout} does not take {', '.join(unknown)}; "
            f"it takes {', '.join(_option(name) for name in known)}"
        )
        raise ArgumentError(message)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
