"""Train VideoCLIP on Kitchen's features, then with and without TempCLR's order, and compare.

    python benchmarks/tempclr.py --checkpoint x.ckpt [--seeds 0 1 2] [--report docs/tempclr.md]
                                 [--arms "no order" DTW]

A checkpoint, such as the demo's, makes the features. Each seed trains ``configs/videoclip.yaml``
once, and from there each arm the same steps with the same batches: ``configs/tempclr.yaml`` with
options. Whole narrations are then looked for among whole test videos (``kitchen-narration@1``). A
report runs more arms, on two corpora: the default Kitchen, and one of 3 ingredients whose videos
share their steps. What was trained is not trained again: remove ``--runs`` after a change.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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

HEAD = "--model.head.init_args."
COSINE = [f"{HEAD}normalize", "true", f"{HEAD}temperature", "0.07"]
NORMS = ["--trainer.callbacks+", "TrainNorms"]
NEIGHBOURS = ["--trainer.callbacks+", "NeighbourBatches"]
NEARER = [*NEIGHBOURS, "--trainer.callbacks.neighbours", "16"]
NO_ORDER, OTAM = [f"{HEAD}alpha", "0"], [f"{HEAD}metric", "otam"]
VIDEO, BOTH = [f"{HEAD}shuffle", "video"], [f"{HEAD}shuffle", "both"]
DISJOINT = [f"{HEAD}chain", "disjoint", f"{HEAD}gap", "false"]
PROTOCOL = "kitchen-narration"
METRICS = {"Cap. Avg.": "cap_avg_R@1", "DTW": "dtw_R@1", "OTAM": "otam_R@1"}


class Arm(NamedTuple):
    """One way to train.

    Attributes:
        name: What it is called in the table.
        options: What it is given besides its configuration.
        start: The arm whose weights it starts from, with ``configs/tempclr.yaml``; None for
            ``configs/videoclip.yaml``, from scratch.
    """

    name: str
    options: Sequence[str] = ()
    start: "Arm | None" = None


START, COSINE_START = Arm("VideoCLIP, the start"), Arm("VideoCLIP, the start by cosine", COSINE)
ARMS = [
    START,
    Arm("no order", NO_ORDER, START),
    Arm("DTW", [], START),
    Arm("OTAM", OTAM, START),
]
COSINE_ARMS = [
    COSINE_START,
    Arm("no order, by cosine", [*NO_ORDER, *COSINE], COSINE_START),
    Arm("DTW, by cosine", COSINE, COSINE_START),
]
MORE_ARMS = [
    *ARMS,
    *COSINE_ARMS,
    Arm("DTW, disjoint chains", DISJOINT, START),
    Arm("OTAM, disjoint chains", [*OTAM, *DISJOINT], START),
    Arm("DTW, clips shuffled", VIDEO, START),
    Arm("DTW, both shuffled", BOTH, START),
    Arm("OTAM, clips shuffled", [*OTAM, *VIDEO], START),
    Arm("OTAM, both shuffled", [*OTAM, *BOTH], START),
    Arm("no order, layer norms alone", [*NO_ORDER, *NORMS], START),
    Arm("DTW, layer norms alone", NORMS, START),
    Arm("no order, neighbour batches", [*NO_ORDER, *NEIGHBOURS], START),
    Arm("DTW, neighbour batches", NEIGHBOURS, START),
    Arm("DTW, batches of 16 neighbours", NEARER, START),
]


class Corpus(NamedTuple):
    """A Kitchen.

    Attributes:
        title: What it is called in the report.
        options: What it is rendered with.
        arms: How the report trains on it.
    """

    title: str
    options: Sequence[str]
    arms: Sequence[Arm]


#: By their folders.
CORPORA = {
    "kitchen": Corpus("The default Kitchen", [], MORE_ARMS),
    "kitchen-3": Corpus(
        "3 ingredients, no free videos: videos share their steps",
        ["--data.init_args.ingredients", "3", "--data.init_args.free", "0"],
        [*ARMS, *COSINE_ARMS],
    ),
}


Runs = dict[str, list[Figures]]


def main() -> None:
    """Run what was asked for and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/tempclr"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    names = [arm.name for arm in MORE_ARMS]
    parser.add_argument("--arms", nargs="+", choices=names, help="these alone, and their starts")
    parser.add_argument("--report", type=Path, help="run all arms on both corpora, and write this")
    options = parser.parse_args()
    about = (
        f"{platform.machine()}, {options.jobs} trainings side by side, torch {torch.__version__}"
    )
    print(about, flush=True)
    tables = []
    for corpus in CORPORA if options.report else ["kitchen"]:
        places = corpus, options.data, options.checkpoint
        data = features_of("configs/data/kitchen.yaml", *places, CORPORA[corpus].options)
        arms = chosen_arms(options.arms) or (CORPORA[corpus].arms if options.report else ARMS)
        start = time.perf_counter()
        runs = train_all(options.runs / corpus, arms, options.seeds, data, options.jobs)
        tables.append(f"**{CORPORA[corpus].title}**\n\n{table(runs)}")
        print(tables[-1])
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.report:
        write_tables(options.report, tables)


def chosen_arms(names: Sequence[str] | None) -> list[Arm]:
    """Return the arms of these names, after those that they start from."""
    chosen = [arm for arm in MORE_ARMS if arm.name in (names or ())]
    starts = [arm.start for arm in chosen if arm.start]
    return [arm for arm in MORE_ARMS if arm in starts or arm in chosen]


def train_all(
    folder: Path, arms: Sequence[Arm], seeds: Sequence[int], data: Sequence[str], jobs: int
) -> Runs:
    """Train and test every arm with every seed, some of them side by side."""
    runs: Runs = {arm.name: [] for arm in arms}
    with ThreadPoolExecutor(jobs) as pool:
        for starts in (True, False):
            chosen = [
                (arm, seed) for seed in seeds for arm in arms if (arm.start is None) == starts
            ]
            found = pool.map(lambda job: train(folder, *job, data), chosen)
            for (arm, _), figures in zip(chosen, found, strict=True):
                runs[arm.name].append(figures)
    return runs


def train(folder: Path, arm: Arm, seed: int, data: Sequence[str]) -> Figures:
    """Train and test an arm, unless that was done; return its figures."""
    run = folder_of(folder, arm, seed)
    base = ["--config", f"configs/{'tempclr' if arm.start else 'videoclip'}.yaml"]
    base += [*seeded(seed), *logged_in(run), *arm.options, *data]
    weights = []
    if arm.start:
        weights = ["--weights", str(checkpoint_of(folder_of(folder, arm.start, seed)))]
    fit(run, *base, *weights)
    if not any(run.rglob("results.json")):
        vtlearn("test", *base, "--ckpt_path", str(checkpoint_of(run)))
    records = json.loads(next(run.rglob("results.json")).read_text())
    record = next(record for record in records if record["protocol"] == PROTOCOL)
    figures = [f"{name} {record['metrics'][metric]:.0f}" for name, metric in METRICS.items()]
    print(f"{run.name}: {', '.join(figures)}", flush=True)
    return Figures(record["metrics"], record["intervals"])


def folder_of(folder: Path, arm: Arm, seed: int) -> Path:
    """Return where an arm is trained with a seed."""
    return folder / f"{arm.name.replace(', ', '-').replace(' ', '-')}-{seed}"


def table(runs: Runs) -> str:
    """Lay the figures out, the mean over seeds and, in brackets, their range."""
    lines = [f"| arm | {' | '.join(METRICS)} |", "| --- |" + " --- |" * len(METRICS)]
    for arm, several in runs.items():
        cells = [cell([one.values[metric] for one in several]) for metric in METRICS.values()]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    widths = [
        high - low
        for several in runs.values()
        for one in several
        for low, high in (one.intervals[metric] for metric in METRICS.values())
    ]
    half = statistics.mean(widths) / 2
    lines.append(
        f"\n95 % intervals of a single run over its queries: {half:.0f} points to each side."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
