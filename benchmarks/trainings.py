"""What the scripts share that train through the command line and lay the figures out."""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Figures(NamedTuple):
    """What one run was scored.

    Attributes:
        values: Each metric.
        intervals: Its 95 % interval.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def vtlearn(*arguments: str) -> None:
    """Run the command line as a user would, quietly, on one thread."""
    command = [sys.executable, "-m", "vtlearn", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode:
        sys.exit(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}")


def features_of(
    config: str, corpus: str, folder: Path, checkpoint: Path, options: Sequence[str] = ()
) -> list[str]:
    """Render a corpus and encode its videos, unless both are there; return how it is read."""
    features = folder / f"{corpus}-features"
    data = ["--data.init_args.root", str(folder / corpus), *options]
    base = ["--ckpt_path", str(checkpoint), "--data", config]
    vtlearn("predict", *base, *data, "--features.folder", str(features))
    return [*data, "--data.init_args.features", str(features)]


def fit(run: Path, *options: str) -> None:
    """Train, unless that was done; a training that was interrupted begins again."""
    done = run / "trained"
    if not done.exists():
        shutil.rmtree(run, ignore_errors=True)
        vtlearn("fit", *options)
        done.touch()


def logged_in(run: Path) -> list[str]:
    """Return the options by which a run is logged in a folder of its own."""
    logger = "--trainer.logger.init_args."
    return [f"{logger}save_dir", str(run.parent), f"{logger}name", run.name]


def seeded(seed: int) -> list[str]:
    """Return the options by which all chance comes from a seed."""
    return ["--seed_everything", str(seed), "--data.init_args.seed", str(seed)]


def checkpoint_of(run: Path) -> Path:
    """Return where a training leaves its last checkpoint."""
    return run / "version_0" / "checkpoints" / "last.ckpt"


def cell(values: Sequence[float], decimals: int = 0) -> str:
    """Write a mean, with the range where there is one."""
    mean = f"{statistics.mean(values):.1f}"
    if len(values) == 1:
        return mean
    low, high = (f"{value:.{decimals}f}" for value in (min(values), max(values)))
    return f"{mean} ({low}{' to ' if low.startswith('-') else '-'}{high})"


def write_tables(path: Path, tables: Sequence[str]) -> None:
    """Put the tables into a document, between its two marks."""
    begin, end = "<!-- figures:begin -->", "<!-- figures:end -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    figures = "\n\n".join(tables)
    path.write_text(f"{before}{begin}\n{figures}\n{end}{after}")
