"""Train few-shot recognition on Kitchen's recipes, with and without the order, and compare.

    python benchmarks/few_shot.py --checkpoint x.ckpt [--seeds 0 1 2] [--report docs/few_shot.md]

A checkpoint, such as the demo's, makes the features. Each arm is ``configs/few_shot.yaml`` with
options; it is trained on the recipes of four families and tested on those of the other two, in
three draws (``few-shot@1``). What was trained is not trained again: remove ``--runs`` after a
change.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from trainings import (
    Figures,
    cell,
    checkpoint_of,
    features_of,
    fit,
    logged_in,
    seeded,
    vtlearn,
    write_tables,
)

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
    places = "kitchen", options.data, options.checkpoint
    data = features_of("configs/data/kitchen.yaml", *places)
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
        write_tables(options.report, [figures])


def train(folder: Path, arm: Arm, draw: int, seed: int, data: Sequence[str]) -> Figures:
    """Train and test an arm, unless that was done; return its figures."""
    run = folder / f"{arm.metric}-{arm.alpha}-draw{draw}-seed{seed}"
    base = ["--config", "configs/few_shot.yaml", *data, "--data.init_args.draw", str(draw)]
    base += ["--model.head.init_args.metric", arm.metric]
    base += ["--model.head.init_args.alpha", str(arm.alpha), *seeded(seed), *logged_in(run)]
    fit(run, *base)
    if not any(run.rglob("results.json")):
        vtlearn("test", *base, "--ckpt_path", str(checkpoint_of(run)))
    (record,) = json.loads(next(run.rglob("results.json")).read_text())
    own = {name: record["metrics"][f"{arm.metric}_{key}"] for name, key in COLUMNS.items()}
    print(f"{run.name}: {', '.join(f'{x:.1f}' for x in own.values())}", flush=True)
    return Figures(record["metrics"], record["intervals"])


def table(runs: dict[Arm, list[Figures]]) -> str:
    """Lay the figures out: the mean over draws and seeds and, in brackets, the range."""
    lines = [f"| arm | {' | '.join(COLUMNS)} |", "| --- |" + " --- |" * len(COLUMNS)]
    pooled = "mean windows, of the first arm's model"
    rows = [(arm.title, arm.metric, several) for arm, several in runs.items()]
    rows += [(pooled, "mean", runs[ARMS[0]])]
    widths = []
    for title, kind, several in rows:
        names = [f"{kind}_{key}" for key in COLUMNS.values()]
        cells = [cell([one.values[name] for one in several], 1) for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
        spans = [one.intervals[name] for one in several for name in names]
        widths += [high - low for low, high in spans]
    lines.append(f"| chance | {' | '.join('20.0' if '5-way' in x else '33.3' for x in COLUMNS)} |")
    lines.append("")
    for metric in ("dtw", "otam"):
        with_order, without = runs[Arm(metric, 0.3)], runs[Arm(metric, 0.0)]
        gains = [
            cell([one.values[name] - other.values[name] for one, other in pairs], 1)
            for key in COLUMNS.values()
            for name, pairs in [(f"{metric}_{key}", list(zip(with_order, without, strict=True)))]
        ]
        lines.append(f"- What the order adds by {metric.upper()}: {', '.join(gains)}.")
    half = statistics.mean(widths) / 2
    lines.append(f"- 95 % intervals of a run over its episodes: {half:.1f} points to each side.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
