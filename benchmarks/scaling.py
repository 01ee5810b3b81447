"""Measure the parts of a training step here, and compute how steps of many GPUs would scale.

    python benchmarks/scaling.py [--videos 16] [--batch 512] [--hardware.cores 14 ...]

Parts are measured on one core: decoding as configs/paper/vttwins.yaml reads (32 frames at 10 fps,
224 px, of a made 360p H.264 file) and as TimeSformer does (8 frames), the work of both encoders by
torch's counter of FLOPs, the S2DTW of own texts with all videos, and a gather between two processes
on this machine. From these and from what is assumed of GPUs and networks the second tables say how
long a step takes on 1 to 512 GPUs: with so many videos per GPU (weak scaling), and with one batch
shared by all of them (strong). Nothing of that was run on a GPU.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from made_video import encode
from measuring import header, line, machine, set_threads
from scaling_model import SOURCES, Hardware, Measured, Sizes, StepTime, cores_needed, step_time
from scaling_parts import (
    ClipShape,
    decode_seconds,
    encoder_cost,
    gather_seconds,
    grid_seconds,
)

from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.video import S3D, TimeSformer

ENCODERS: dict[str, tuple[Callable[[], VideoEncoder], ClipShape]] = {
    "S3D": (lambda: S3D(dim=512), ClipShape(32, 10, 224)),
    "TimeSformer": (lambda: TimeSformer(dim=512), ClipShape(8, 2, 224)),
}
LEGEND = (
    "m: measured on this machine. c: counted, which is exact. "
    "x: extrapolated by the model from m, c and what is assumed."
)


def main() -> None:
    """Print what is measured, what is assumed, and a table for each encoder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=16, help="videos of a GPU, weak scaling")
    parser.add_argument("--batch", type=int, default=512, help="videos of all, strong scaling")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--grids", type=int, nargs="+", default=[16, 128, 512, 1024, 4096])
    parser.add_argument("--rounds", type=int, default=9, help="how often a part is measured")
    parser.add_argument("--seconds", type=int, default=30, help="length of the made video")
    for field in dataclasses.fields(Hardware):
        name, kind = f"--hardware.{field.name}", type(field.default)
        parser.add_argument(
            name, type=kind, default=field.default, help=" ".join(SOURCES[field.name])
        )
    options = vars(parser.parse_args())
    given = {
        field.name: options[f"hardware.{field.name}"] for field in dataclasses.fields(Hardware)
    }
    hardware, sizes = Hardware(**given), Sizes()
    set_threads(1)
    print(f"{machine(1)}\n")
    header("part, on one core", "size", "figure")
    grids = measure_grids(options["videos"], options["grids"], sizes, options["rounds"])
    measure_gathers(options["grids"], sizes, options["rounds"])
    pair = grids[max(grids)] / (max(grids)[0] * max(grids)[1])
    measured = measure_encoders(options["seconds"], options["rounds"], pair)
    print_assumptions(given)
    for name, each in measured.items():
        weak = [(gpus, options["videos"]) for gpus in options["gpus"]]
        strong = [(gpus, max(1, options["batch"] // gpus)) for gpus in options["gpus"]]
        for title, cases in (("weak", weak), ("strong", strong)):
            steps = [(*case, step_time(each, hardware, sizes, *case)) for case in cases]
            print(f"\n{name}, {title} scaling; {LEGEND}\n")
            print_steps(steps, grids, pair)
        cores = cores_needed(each, hardware, sizes, options["videos"])
        print(f"\n{name}: decoding keeps up with one GPU from {cores:.0f} cores per GPU on (x)")


def measure_grids(
    own: int, batches: Sequence[int], sizes: Sizes, rounds: int
) -> dict[tuple[int, int], float]:
    """Print and return the seconds of own rows and whole batches."""
    seconds = {}
    for batch in batches:
        case = min(own, batch), batch
        seconds[case] = grid_seconds(*case, sizes.clips, sizes.dim, rounds)
        micro = 1e6 * seconds[case] / (case[0] * batch)
        size = f"{case[0]} own rows x {batch} columns, {sizes.clips} x {sizes.texts}"
        line("grid (S2DTW)", size, f"{1e3 * seconds[case]:.1f} ms m, {micro:.2f} µs a pair m")
    return seconds


def measure_gathers(batches: Sequence[int], sizes: Sizes, rounds: int) -> None:
    """Print what a gather between two processes takes, each having half of a batch's videos."""
    for batch in batches:
        shape = (batch // 2, sizes.clips + sizes.texts, sizes.dim)
        megabytes = 4 * shape[0] * shape[1] * shape[2] / 1e6
        seconds = gather_seconds(shape, rounds)
        size = f"batch of {batch}, {megabytes:.1f} MB a process c"
        line("gather, 2 processes, gloo, both passes", size, f"{1e3 * seconds:.1f} ms m")


def measure_encoders(seconds: int, rounds: int, pair: float) -> dict[str, Measured]:
    """Print and return what decoding and encoding a clip takes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = encode(Path(folder, "made.mp4"), seconds)
        for name, (make, clip) in ENCODERS.items():
            size = f"{clip.frames} frames at {clip.fps:g} fps, {clip.size} px"
            decode = decode_seconds(path, clip, 2 * rounds)
            line(f"decode for {name}", size, f"{1 / decode:.1f} clips/s a core m")
            cost = encoder_cost(make(), clip, 1)
            work = (
                f"{cost.forward / 1e9:.0f} GFLOP forward c, {cost.both / 1e9:.0f} with backward c"
            )
            pace = f"{cost.both / cost.seconds / 1e9:.0f} GFLOP/s m"
            line(f"encode by {name}", size, f"{work}, {cost.seconds:.1f} s m ({pace})")
            found[name] = Measured(decode, cost.both, cost.parameters, pair)
    return found


def print_assumptions(given: Mapping[str, float]) -> None:
    """Print what is assumed of the hardware."""
    print()
    header("assumed", "value", "source")
    for field in dataclasses.fields(Hardware):
        value = given[field.name]
        unit, source = SOURCES[field.name]
        line(field.name, f"{value:g} {unit}", source if value == field.default else "given")


def print_steps(
    steps: Sequence[tuple[int, int, StepTime]],
    grids: Mapping[tuple[int, int], float],
    pair: float,
) -> None:
    """Print a line for each number of GPUs."""
    header(
        "GPUs",
        "videos a GPU",
        "decode, ms",
        "encode, ms",
        "gather, MB",
        "gather, ms",
        "gradients, ms",
        "grid on a core here, ms",
        "grid, ms",
        "step, ms",
        "bound by",
        "clips/s (of linear)",
        "without decoding, ms (of linear)",
    )
    first, _, alone = steps[0]
    for gpus, videos, step in steps:
        linear = step.clips / alone.clips / (gpus / first)
        here = grids.get((videos, videos * gpus))
        line(
            str(gpus),
            str(videos),
            f"{1e3 * step.decode:.1f} x",
            f"{1e3 * step.encode:.1f} x",
            f"{step.gathered / 1e6:.1f} c",
            f"{1e3 * step.gather:.2f} x",
            f"{1e3 * step.gradients:.2f} x",
            f"{1e3 * step.pairs * pair:.0f} x" if here is None else f"{1e3 * here:.0f} m",
            f"{1e3 * step.grid:.2f} x",
            f"{1e3 * step.seconds:.1f} x",
            f"{step.bound} x",
            f"{step.clips / step.seconds:.0f} ({linear * alone.seconds / step.seconds:.0%}) x",
            f"{1e3 * step.computing:.1f} ({linear * alone.computing / step.computing:.0%}) x",
        )


if __name__ == "__main__":
    main()
