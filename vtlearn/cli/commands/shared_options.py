"""Options that several commands have, under one name and with one help each."""

import argparse
import os

from vtlearn.datasets.extraction import Part

__all__ = [
    "add_device",
    "add_max_unreadable_fraction",
    "add_model",
    "add_part",
    "add_stride",
    "choose_part",
]


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model``, for :func:`vtlearn.load`.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--model",
        required=True,
        metavar="CKPT|FOLDER|NAME",
        help="a checkpoint, a folder that vtlearn export or convert wrote, or the name of one on "
        "the Hugging Face hub",
    )


def add_stride(parser: argparse.ArgumentParser) -> None:
    """Declare ``--stride``, of windows.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--stride",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="from the start of a window to the start of the next (%(default)s)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare ``--device``, for :func:`~vtlearn.cli.commands.device.choose_device`.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--device", metavar="NAME", help="cpu, or such as cuda:1 (a GPU where there is one)"
    )


def add_max_unreadable_fraction(parser: argparse.ArgumentParser) -> None:
    """Declare ``--max-unreadable-fraction``, of videos.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--max-unreadable-fraction",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="of videos that may be unreadable (%(default)s)",
    )


def add_part(parser: argparse.ArgumentParser) -> None:
    """Declare ``--part``, for :func:`choose_part`.

    Args:
        parser: The command's.
    """
    parser.add_argument(
        "--part", metavar="K/N", help="the K-th of N machines (the rank, under torchrun or SLURM)"
    )


def choose_part(arguments: argparse.Namespace) -> Part:
    """Return the share of the work that falls to this machine, or to this process of a launcher.

    Args:
        arguments: The command's options.

    Raises:
        ArgumentError: If ``--part`` is not K/N, or K is not from 1 to N.
    """
    return Part.of_rank(os.environ) if arguments.part is None else Part.parse(arguments.part)
