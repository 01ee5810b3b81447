"""Render Kitchen, the corpus of narrated cooking videos, in HowTo100M's layout.

The same options give the same corpus, and `vtlearn fit` finds it there. Rendering that was cut off
goes on where it was.
"""

import argparse
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path

from vtlearn.kitchen import KitchenCorpus

__all__ = ["add_arguments", "run"]

_HELP: Mapping[str, str] = {
    "train": "training videos",
    "validation": "validation videos",
    "test": "test videos",
    "seed": "where all chance comes from",
    "size": "height and width in pixels, even",
    "fps": "frames a second",
    "free": "the share of videos whose actions follow no recipe",
    "ingredients": "how many ingredients there are",
    "shift": "seconds that captions are off their steps: standard deviation",
    "omitted": "the share of steps that are not told of",
    "chatter": "captions about nothing for each step",
    "swapped": "the share of captions that change places with the next",
    "word_errors": "the share of words that are lost or heard wrongly",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options, with the corpus' own defaults.

    Args:
        parser: The command's.
    """
    defaults = inspect.signature(KitchenCorpus).parameters
    root = defaults["root"].default
    parser.add_argument(
        "--root", type=Path, metavar="DIR", default=root, help="where (%(default)s)"
    )
    for name, what in _HELP.items():
        default = defaults[name].default
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            metavar="N" if isinstance(default, int) else "X",
            default=default,
            help=f"{what} (%(default)s)",
        )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (one a core)")


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
    corpus = KitchenCorpus(**vars(arguments))
    sys.stdout.write(f"{len(corpus.plans())} videos in {corpus.prepare()}\n")
    return 0
