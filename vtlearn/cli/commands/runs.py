"""List the runs below a folder, the best first, with their figures and checkpoints.

  vtlearn runs
  vtlearn runs runs/vttwins --json
  vtlearn test --ckpt_path runs/vttwins/version_0/checkpoints/best.ckpt --data ...

A run that only tested another's checkpoint is not a line of its own: its figures stand below that
run. NOT COMPARABLE marks a figure of less than its protocol expects. What is damaged or unfinished
is listed with what is known of it. Runs are sorted by the figure that their best model was chosen
by, which compares runs on the same data.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vtlearn.cli.run_records import ProtocolFigure, RunRecord, read_runs
from vtlearn.errors import ArgumentError

__all__ = ["add_arguments", "run"]

_COLUMNS = ("run", "head", "data", "written", "epochs", "steps", "best", "checkpoint")
_UNKNOWN = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add(
        "folder", nargs="?", type=Path, default=Path("runs"), metavar="FOLDER", help="(%(default)s)"
    )
    add("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print the runs.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        ArgumentError: If there is no such folder.
    """
    folder = arguments.folder
    if not folder.is_dir():
        message = f"{folder} is not a directory: train first, or give the folder of your runs"
        raise ArgumentError(message)
    runs = read_runs(folder)
    if arguments.json:
        text = json.dumps([_record(run) for run in runs], indent=2, ensure_ascii=False)
    elif runs:
        text = "\n".join(_table(runs))
    else:
        text = f"there is no run below {folder}"
    sys.stdout.write(f"{text}\n")
    return 0


def _record(run: RunRecord) -> dict[str, Any]:
    return asdict(run) | {
        "folder": str(run.folder),
        "written": run.written and run.written.isoformat(timespec="seconds"),
        "checkpoint": run.checkpoint and str(run.checkpoint),
        "tested": [figure._asdict() for figure in run.tested],
    }


def _table(runs: Sequence[RunRecord]) -> Iterator[str]:
    rows = [_COLUMNS, *map(_row, runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row, run in zip(rows, [None, *runs], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
        if run is not None:
            yield from (f"    {_figure(figure)}" for figure in run.tested)
            yield from (f"    {remark}" for remark in run.remarks)


def _row(run: RunRecord) -> tuple[str, ...]:
    best = None if run.best is None else f"{run.monitor} {run.best:.2f}"
    cells = (
        run.folder,
        run.head,
        run.data,
        run.written and f"{run.written:%Y-%m-%d %H:%M}",
        _epochs(run),
        run.steps,
        best,
        run.checkpoint,
    )
    return tuple(_UNKNOWN if cell is None else _printable(str(cell)) for cell in cells)


def _epochs(run: RunRecord) -> str | None:
    of = "" if run.max_epochs is None else f" of {run.max_epochs}"
    return None if run.epochs is None else f"{run.epochs}{of}"


def _figure(figure: ProtocolFigure) -> str:
    marks = "" if figure.comparable else " NOT COMPARABLE"
    marks += " (chosen on the test set)" if figure.selected_on_test else ""
    return f"{figure.protocol} {figure.metric} {figure.value:.2f}{marks}"


def _printable(text: str) -> str:
    """Escape what a terminal would obey: these are names of files."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
