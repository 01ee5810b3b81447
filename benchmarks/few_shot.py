"""Train few-shot recognition on Kitchen's recipes, with and without the order, and compare.

    python benchmarks/few_shot.py --checkpoint x.ckpt [--seeds 0 1 2] [--report docs/few_shot.md]

A checkpoint, such as the demo's, makes the features. Each arm is ``configs/few_shot.yaml`` with
options; it is trained on the recipes of four families and tested on those of the other two, in
three draws (``few-shot@1``). What was trained is not trained again: remove ``--runs`` after a
change.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

DRAWS = (0, 1, 2)
COLUMNS = {
    "5-way, 1 shot": "5way_1shot",
    "5-way, 5 shots": "5way_5shot",
    "in a family, 1 shot": "group_3way_1shot",
    "in a family, 5 shots": "group_3way_5shot",
}


class Arm(NamedTuple):
    """One way to train.

    Attributes:
        metric: What it is trained and compared by.
        alpha: The share of the order.
    """

    metric: str
    alpha: float

    @property
    def title(self) -> str:
        """What it is called in the table."""
        return f"{self.metric.upper()}, {f'order {self.alpha}' if self.alpha else 'no order'}"


ARMS = [Arm(metric, alpha) for metric in ("dtw", "otam") for alpha in (0.0, 0.3)]


class Figures(NamedTuple):
    """What one run was scored.

    Attributes:
        values: Each metric.
        intervals: Its 95 % interval over the episodes.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def main() -> None:
    """Run what was asked for and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/few_shot"))
    parser.add_argument("--report", type=Path, help="put the table into this document")
    options = parser.parse_args()
    start = time.perf_counter()
    data = data_options(options.data, options.checkpoint)
    runs = {
        arm: [
            train(options.runs, arm, draw, seed, data) for draw in DRAWS for seed in options.seeds
        ]
        for arm in ARMS
    }
    figures = table(runs)
    print(figures)
    print(f"{platform.machine()}, torch {torch.__version__}, {time.perf_counter() - start:.0f} s")
    if options.report:
        write_table(options.report, figures)


def data_options(folder: Path, checkpoint: Path) -> list[str]:
    """Render Kitchen and encode its videos, unless both are there; return how it is read."""
    root, features = folder / "kitchen", folder / "kitchen-features"
    base = ["--ckpt_path", str(checkpoint), "--data", "configs/data/kitchen.yaml"]
    vtlearn(
        "predict", *base, "--data.init_args.root", str(root), "--features.folder", str(features)
    )
    return ["--data.init_args.root", str(root), "--data.init_args.features", str(features)]


def train(folder: Path, arm: Arm, draw: int, seed: int, data: Sequence[str]) -> Figures:
    """Train and test an arm, unless that was done; return its figures."""
    run = folder / f"{arm.metric}-{arm.alpha}-draw{draw}-seed{seed}"
    base = ["--config", "configs/few_shot.yaml", "--seed_everything", str(seed), *data]
    base += ["--data.init_args.seed", str(seed), "--data.init_args.draw", str(draw)]
    base += ["--model.head.init_args.metric", arm.metric]
    base += ["--model.head.init_args.alpha", str(arm.alpha)]
    base += ["--trainer.logger.init_args.save_dir", str(folder)]
    base += ["--trainer.logger.init_args.name", run.name]
    if not any(run.rglob("results.json")):
        shutil.rmtree(run, ignore_errors=True)
        vtlearn("fit", *base)
        last = run / "version_0" / "checkpoints" / "last.ckpt"
        vtlearn("test", *base, "--ckpt_path", str(last))
    (record,) = json.loads(next(run.rglob("results.json")).read_text())
    own = {name: record["metrics"][f"{arm.metric}_{key}"] for name, key in COLUMNS.items()}
    print(f"{run.name}: {', '.join(f'{x:.1f}' for x in own.values())}", flush=True)
    return Figures(record["metrics"], record["intervals"])


def vtlearn(*arguments: str) -> None:
    """Run the command line as a user would, quietly, on one thread."""
    command = [sys.executable, "-m", "vtlearn", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode:
        sys.exit(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}")


def table(runs: dict[Arm, list[Figures]]) -> str:
    """Lay the figures out: the mean over draws and seeds and, in brackets, the range."""
    lines = [f"| arm | {' | '.join(COLUMNS)} |", "| --- |" + " --- |" * len(COLUMNS)]
    pooled = "mean windows, of the first arm's model"
    rows = [(arm.title, arm.metric, several) for arm, several in runs.items()]
    rows += [(pooled, "mean", runs[ARMS[0]])]
    widths = []
    for title, kind, several in rows:
        names = [f"{kind}_{key}" for key in COLUMNS.values()]
        cells = [cell([one.values[name] for one in several]) for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
        spans = [one.intervals[name] for one in several for name in names]
        widths += [high - low for low, high in spans]
    lines.append(f"| chance | {' | '.join('20.0' if '5-way' in x else '33.3' for x in COLUMNS)} |")
    lines.append("")
    for metric in ("dtw", "otam"):
        with_order, without = runs[Arm(metric, 0.3)], runs[Arm(metric, 0.0)]
        gains = [
            cell([one.values[name] - other.values[name] for one, other in pairs])
            for key in COLUMNS.values()
            for name, pairs in [(f"{metric}_{key}", list(zip(with_order, without, strict=True)))]
        ]
        lines.append(f"- What the order adds by {metric.upper()}: {', '.join(gains)}.")
    half = statistics.mean(widths) / 2
    lines.append(f"- 95 % intervals of a run over its episodes: {half:.1f} points to each side.")
    return "\n".join(lines)


def cell(values: Sequence[float]) -> str:
    """Write a mean, with the range where there is one."""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f} to {max(values):.1f})"


def write_table(path: Path, figures: str) -> None:
    """Put the table into a document, between its two marks."""
    begin, end = "<!-- figures:begin -->", "<!-- figures:end -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{figures}\n{end}{after}")


if __name__ == "__main__":
    main()
