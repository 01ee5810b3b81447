"""Trainings that are stopped and resumed, against one that never was: bit for bit.

    python benchmarks/resuming.py --steps 40

A training of a configuration runs to its end; others are stopped at random steps and in awkward
moments, each by the signal that the table names, and resumed by the same command, which names
``--ckpt_path last`` from the first start on. Compared are all weights, the optimiser's state, and
every scalar that TensorBoard shows, but for the time that data took.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

_HERE = Path(__file__).parent
_TIMES = ("train/data_wait",)  # another each time
_EVERY = 5  # steps between checkpoints
_MOMENTS = ("saved", "writing", "renaming", "epoch", "validation")


class Stop(NamedTuple):
    """When a training is stopped, and how."""

    step: int
    moment: str
    signum: signal.Signals

    @property
    def options(self) -> list[str]:
        """What has a training stop so."""
        named = {"step": self.step, "moment": self.moment, "signum": int(self.signum)}
        given = [(f"--trainer.callbacks.{name}", str(value)) for name, value in named.items()]
        return [
            "--trainer.callbacks+",
            "stopping.StopAt",
            *(word for pair in given for word in pair),
        ]


class State(NamedTuple):
    """What a training has come to."""

    weights: dict[str, torch.Tensor]
    optimizer: Any
    scalars: dict[str, dict[int, float]]


def stops(steps: int, draws: int, moments: Sequence[str], seed: int = 0) -> Iterator[Stop]:
    """Choose when to stop: at random steps, and in awkward moments."""
    drawn = random.Random(seed).sample(range(1, steps), draws)
    yield from (Stop(step, "step", signal.SIGKILL) for step in sorted(drawn))
    yield from (Stop(steps // 2, moment, signal.SIGKILL) for moment in moments)
    yield Stop(steps // 3, "step", signal.SIGTERM)
    yield Stop(steps // 4, "step", signal.SIGINT)


def run(folder: Path, argv: Sequence[str], processes: int = 1) -> subprocess.CompletedProcess[str]:
    """Run a command line in a folder."""
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--standalone"]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "vtlearn", *argv]
    path = os.pathsep.join([str(_HERE), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True
    )


def state_of(folder: Path) -> State:
    """Read what the one run below a folder has come to."""
    (last,) = folder.rglob("last.ckpt")
    content = torch.load(last, weights_only=True)
    events = EventAccumulator(str(last.parents[1])).Reload()
    scalars = {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
        if not tag.startswith(_TIMES)
    }
    return State(content["state_dict"], content["optimizer_states"], scalars)


def differences(one: State, other: State) -> list[str]:
    """Name what is not the same, bit for bit."""
    weights = {**_flat(one.weights), **_flat(one.optimizer)}
    others = {**_flat(other.weights), **_flat(other.optimizer)}
    names = sorted({*weights, *others})
    found = [name for name in names if not _same(weights.get(name), others.get(name))]
    tags = sorted({*one.scalars, *other.scalars})
    return found + [tag for tag in tags if one.scalars.get(tag) != other.scalars.get(tag)]


def compared(
    folder: Path, argv: Sequence[str], stop: Stop, whole: State, processes: int = 1
) -> tuple[int, list[str]]:
    """Stop a training, resume it, and name what differs from one that was not stopped.

    Returns:
        The exit code of the first start, and what differs.
    """
    argv = [*argv, "--ckpt_path", "last"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    first = run(folder, [*argv, *stop.options], processes)
    if first.returncode == 0:
        return 0, ["was not stopped"]
    second = run(folder, argv, processes)
    if second.returncode:
        return first.returncode, [f"does not resume: {second.stderr[-500:]}"]
    return first.returncode, differences(whole, state_of(folder))


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: x for key, each in value.items() for k, x in _flat(each, f"{name}.{key}").items()
        }
    if isinstance(value, (list, tuple)):
        return _flat(dict(enumerate(value)), name)
    return {name: value}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


def main() -> None:
    """Print a line for each training that was stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="configs/vttwins.yaml")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--draws", type=int, default=5, help="random steps to be killed at")
    parser.add_argument("--moments", nargs="*", default=_MOMENTS, choices=_MOMENTS)
    parser.add_argument("--folder", type=Path, default=Path("runs/resuming"))
    given, options = parser.parse_known_args()
    folder = given.folder.absolute()
    base = ["fit", "--config", str(Path(given.config).absolute())]
    base += ["--trainer.max_steps", str(given.steps), "--data.root", str(folder / "kitchen")]
    base += ["--step_checkpoint.every_n_train_steps", str(_EVERY)]
    base += ["--trainer.enable_progress_bar", "false", *options]
    wrong = 0
    for processes in given.processes:
        for workers in given.workers if processes == 1 else given.workers[:1]:
            argv = [*base, "--data.num_workers", str(workers)]
            whole = folder / "whole"
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir(parents=True)
            if (done := run(whole, argv, processes)).returncode:
                sys.exit(done.stderr)
            state = state_of(whole)
            for stop in stops(given.steps, given.draws, given.moments):
                code, found = compared(folder / "stopped", argv, stop, state, processes)
                wrong += bool(found)
                print(
                    f"processes {processes}, workers {workers}: {stop.signum.name:7} at step "
                    f"{stop.step:2} ({stop.moment}), exit {code}: {'; '.join(found) or 'the same'}",
                    flush=True,
                )
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()
