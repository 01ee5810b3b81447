"""Train the four heads on Kitchen with the same steps, batches and encoders, and compare.

    python benchmarks/heads.py [--seeds 0 1 2] [--heads vttwins mil_nce info_nce soft_dtw]

What differs between the runs is the head alone, as the shipped configurations have it.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

HEADS = ("vttwins", "mil_nce", "info_nce", "soft_dtw")
COLUMNS = {
    "R@1": ("kitchen-retrieval", "t2v_R@1"),
    "R@5": ("kitchen-retrieval", "t2v_R@5"),
    "median rank": ("kitchen-retrieval", "t2v_median_rank"),
    "alignment hit": ("kitchen-alignment", "hit"),
}


def main() -> None:
    """Run what was asked for and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    options = parser.parse_args()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    rows = {}
    for head in options.heads:
        runs = [train_and_test(head, seed) for seed in options.seeds]
        rows[head] = {name: [run[name] for run in runs] for name in runs[0]}
        print(f"{head}: {rows[head]}", flush=True)
    print(table(rows))


def train_and_test(head: str, seed: int) -> dict[str, float]:
    """Return the test figures of one run and how long its training took."""
    with tempfile.TemporaryDirectory() as folder:
        common = ["--config", f"configs/{head}.yaml", "--seed_everything", str(seed)]
        common += ["--trainer.logger.init_args.save_dir", folder]
        start = time.perf_counter()
        vtlearn("fit", *common, "--data.init_args.seed", str(seed))
        seconds = time.perf_counter() - start
        vtlearn("test", *common, "--ckpt_path", "best")
        records = json.loads(next(Path(folder).rglob("results.json")).read_text())
    metrics = {record["protocol"]: record["metrics"] for record in records}
    figures = {name: metrics[protocol][metric] for name, (protocol, metric) in COLUMNS.items()}
    return figures | {"seconds": seconds}


def vtlearn(*arguments: str) -> None:
    """Run the command line as a user would, quietly."""
    command = [sys.executable, "-m", "vtlearn", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}")


def table(rows: dict[str, dict[str, list[float]]]) -> str:
    """Lay the figures out, the mean over seeds and, in brackets, their range."""
    names = [*COLUMNS, "seconds"]
    lines = [f"| head | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for head, figures in rows.items():
        cells = [cell(figures[name]) for name in names]
        lines.append(f"| {head} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(values: list[float]) -> str:
    """Write a mean, with the range where there is one."""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    main()
