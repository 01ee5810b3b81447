"""Train step supervision on Kitchen's CrossTask with the order of the steps and without.

    python benchmarks/steps.py --checkpoint x.ckpt [--seeds 0 1 2] [--report docs/steps.md]

A checkpoint, such as the demo's, makes the features. Each arm is ``configs/steps.yaml`` with
options; the steps of the test videos are then found second by second (``crosstask-recall@1``), by
the vectors of frames, and the segments of the validation videos named (``crosstask-ctr@1``). What
was trained is not trained again: remove ``--runs`` after a change.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from tempclr import HEAD, Arm, folder_of
from trainings import (
    cell,
    checkpoint_of,
    features_of,
    fit,
    logged_in,
    seeded,
    vtlearn,
    write_tables,
)

ARMS = [
    Arm("frames alone (alpha 0)", [f"{HEAD}alpha", "0"]),
    Arm("with the order, DTW"),
    Arm("with the order, OTAM", [f"{HEAD}metric", "otam"]),
]
METRICS = {"recall": ("crosstask-recall", "recall"), "CTR": ("crosstask-ctr", "ctr")}

#: The records of results.json, by their protocols.
Records = dict[str, dict[str, Any]]
Runs = dict[str, list[Records]]


def main() -> None:
    """Run what was asked for and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/steps-arms"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    parser.add_argument("--report", type=Path, help="write the table into this")
    options = parser.parse_args()
    print(f"{platform.machine()}, {options.jobs} side by side, torch {torch.__version__}")
    start = time.perf_counter()
    places = "kitchen-crosstask", options.data, options.checkpoint
    data = features_of("configs/data/kitchen/crosstask.yaml", *places)
    jobs = [(arm, seed) for seed in options.seeds for arm in ARMS]
    with ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda job: train(options.runs, *job, data), jobs))
    runs: Runs = {arm.name: [] for arm in ARMS}
    for (arm, _), records in zip(jobs, found, strict=True):
        runs[arm.name].append(records)
    print(table(runs))
    print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.report:
        write_tables(options.report, [table(runs)])


def train(folder: Path, arm: Arm, seed: int, data: Sequence[str]) -> Records:
    """Train and test an arm, unless that was done; return what it was scored."""
    run = folder_of(folder, arm, seed)
    base = ["--config", "configs/steps.yaml", *data, *arm.options, *seeded(seed), *logged_in(run)]
    fit(run, *base)
    if not any(run.rglob("results.json")):
        vtlearn("test", *base, "--ckpt_path", str(checkpoint_of(run)))
    results = json.loads(next(run.rglob("results.json")).read_text())
    records: Records = {record["protocol"]: record for record in results}
    figures = [
        f"{name} {records[protocol]['metrics'][metric]:.1f}"
        for name, (protocol, metric) in METRICS.items()
    ]
    print(f"{run.name}: {', '.join(figures)}", flush=True)
    return records


def table(runs: Runs) -> str:
    """Lay the figures out: the mean over seeds and, in brackets, their range."""
    lines = [f"| arm | {' | '.join(METRICS)} |", "| --- |" + " --- |" * len(METRICS)]
    for arm, several in runs.items():
        cells = [
            cell([one[protocol]["metrics"][metric] for one in several])
            for protocol, metric in METRICS.values()
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    one = next(iter(runs.values()))[0]
    recall, ctr = one["crosstask-recall"], one["crosstask-ctr"]
    lines += [
        f"| chance: random scores | {recall['chance']['recall']['value']:.1f} | "
        f"{ctr['chance']['ctr']['value']:.1f} |",
        f"| equal parts of the video | {recall['metrics']['uniform']:.1f} | |",
        f"| ceiling: the best assignment in order | {recall['ceiling']['recall']:.1f} | |",
        f"\n95 % intervals of a single run over its videos: {_half_width(runs):.0f} points of "
        "recall to each side.",
    ]
    return "\n".join(lines)


def _half_width(runs: Runs) -> float:
    spans = [one["crosstask-recall"]["intervals"]["recall"] for own in runs.values() for one in own]
    return statistics.mean(high - low for low, high in spans) / 2


if __name__ == "__main__":
    main()
