"""Compare every head that aligns on Kitchen, over narrators of many faults.

    python benchmarks/report.py [--seeds 0 1 2] [--checkpoint x.ckpt] [--report docs/results.md]

Kitchen's videos are rendered once, and encoded once by a checkpoint that was trained on another
kitchen (trained first, unless one is given). What a narrator says of the training videos is written
for each narrator, and each head is trained on it, by stored features, with the same encoders, steps
and batches. Its temperature is chosen on the validation split, from the same few for every head.
Two heads are trained on pixels as well. Each finished run is a line of ``runs.jsonl`` in
``--runs``: an interrupted report resumes, and nothing is made twice. Remove ``--runs`` after a
change.
"""

import argparse
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from report_arms import (
    ARMS,
    BASE,
    HEADS,
    NARRATORS,
    PARTS,
    PARTS_AT,
    PIXEL_HEADS,
    PIXELS_AT,
    TRIED,
)
from report_data import Places, make_features, train_encoder, write_captions
from report_figures import Runs
from report_plot import draw
from report_runs import Job, Log, run_all
from report_tables import Costs, small_table, tables
from trainings import write_tables

from vtlearn.media.features.spec import read_metadata

SEARCH_SEED = 9  # none of those that are reported


class Plan(NamedTuple):
    """What is run.

    Attributes:
        seeds: Of the runs that are reported.
        steps: Optimiser steps of a training.
        pixel_steps: Those of a training on pixels.
        encoder_epochs: Of the training that makes the features' checkpoint.
    """

    seeds: Sequence[int]
    steps: int
    pixel_steps: int
    encoder_epochs: int


def main() -> None:
    """Run what is missing, and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--checkpoint", type=Path, help="makes the features; trained by default")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/report"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side")
    parser.add_argument("--steps", type=int, default=216)
    parser.add_argument("--pixel-steps", type=int, default=108)
    parser.add_argument("--encoder-epochs", type=int, default=6)
    parser.add_argument("--report", type=Path, help="write tables and plot into and beside this")
    options = parser.parse_args()
    print(f"{platform.machine()}, {options.jobs} side by side, torch {torch.__version__}")
    places, log = Places(options.data, options.runs), Log(options.runs / "runs.jsonl")
    plan = Plan(options.seeds, options.steps, options.pixel_steps, options.encoder_epochs)
    start = time.perf_counter()
    prepare(places, log, options.checkpoint, plan.encoder_epochs)
    temperatures, runs, pixels = train_all(places, log, plan, options.jobs)
    found = tables(runs, pixels, temperatures, costs_of(log, options.jobs))
    print("\n\n".join([*found, small_table(runs)]))
    print(f"this call: {(time.perf_counter() - start) / 60:.1f} minutes")
    if options.report:
        picture = options.report.with_suffix(".png")
        draw(runs).savefig(picture, dpi=100)
        shown = f"![R@1 and alignment hits of all heads, by narrator]({picture.name})"
        write_tables(options.report, [found[0], shown, *found[1:]])


def prepare(places: Places, log: Log, checkpoint: Path | None, epochs: int) -> None:
    """Make the features and all narrations, unless they are there."""
    made = checkpoint
    if made is None:
        made = timed(log, "encoder", lambda: train_encoder(places, epochs))
    timed(log, "features", lambda: make_features(places, made))
    for name, narrator in NARRATORS.items():
        write_captions(places.kitchen, narrator, places.captions(name))


def timed(log: Log, stage: str, work: Callable[[], Path | None]) -> Path | None:
    """Do a stage, and keep what it took the first time."""
    print(stage, flush=True)
    cpu, wall = cpu_seconds(), time.perf_counter()
    made = work()
    if stage not in (name for name, _, _ in log.stages):
        log.add_stage(stage, cpu_seconds() - cpu, time.perf_counter() - wall)
    return made


def cpu_seconds() -> float:
    """Tell what this process and those that it waited for have taken of the processors."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def train_all(
    places: Places, log: Log, plan: Plan, side_by_side: int
) -> tuple[dict[str, float], Runs, Runs]:
    """Choose temperatures, then train and test; return these and all outcomes, by pixels too."""
    features = read_metadata(places.features)[0].weights_sha256[:12]
    search = {
        (arm, temperature): Job(
            arm, BASE, temperature, SEARCH_SEED, "validate", plan.steps, features
        )
        for arm in ARMS
        for temperature in TRIED[arm]
    }
    run_all(list(search.values()), places, log, side_by_side, "Choosing temperatures")

    def validated(arm: str, temperature: float) -> float:
        outcome = log.outcomes[search[arm, temperature]]
        return outcome.retrieval.percent + outcome.alignment.percent

    chosen = {
        arm: max(TRIED[arm], key=lambda temperature: validated(arm, temperature)) for arm in ARMS
    }

    def jobs(arm: str, narrator: str) -> list[Job]:
        return [
            Job(arm, narrator, chosen[arm], seed, "test", plan.steps, features)
            for seed in plan.seeds
        ]

    wanted = {(arm, narrator): jobs(arm, narrator) for narrator in NARRATORS for arm in HEADS}
    wanted |= {(arm, narrator): jobs(arm, narrator) for narrator in PARTS_AT for arm in PARTS}
    on_pixels = {
        (arm, narrator): [Job(arm, narrator, chosen[arm], 0, "test", plan.pixel_steps, "pixels")]
        for narrator in PIXELS_AT
        for arm in PIXEL_HEADS
    }
    several = [job for group in (*wanted.values(), *on_pixels.values()) for job in group]
    run_all(several, places, log, side_by_side, "Training and testing")
    runs, pixels = (
        {key: [log.outcomes[job] for job in group] for key, group in groups.items()}
        for groups in (wanted, on_pixels)
    )
    return chosen, runs, pixels


def costs_of(log: Log, side_by_side: int) -> Costs:
    """Add up what all stages and runs took, whenever they were made."""
    stages = {name: (cpu, wall) for name, cpu, wall in log.stages}
    for kind, on_pixels in (("trainings on features", False), ("on pixels", True)):
        found = [one for job, one in log.outcomes.items() if job.pixels == on_pixels]
        spent = sum(one.cpu for one in found), sum(one.wall for one in found) / side_by_side
        stages[kind] = spent
    return Costs(
        sum(not job.pixels for job in log.outcomes),
        {name: cpu / 60 for name, (cpu, _) in stages.items()},
        sum(wall for _, wall in stages.values()) / 60,
        side_by_side,
    )


if __name__ == "__main__":
    main()
