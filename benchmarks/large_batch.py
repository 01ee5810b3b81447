"""Measure memory and time of a training step by the size of chunks and tiles.

    python benchmarks/large_batch.py [--batch 64] [--limit 4]

Two tables. The first takes a whole step, of an S3D whose BatchNorm is frozen and the S2DTW head on
random clips, with several ``encode_chunk``. The second takes the head alone, forward and backward,
from 8 clips and 8 texts of 512 numbers a sample, as configs/vttwins.yaml has them, with several
``grid_memory``, and then looks for the largest batch within a limit of memory.

Each measurement is a process of its own. Its memory is the most that it had at once beyond what it
had after a step of one clip a sample, so that libraries and compiled kernels do not count; its time
is that of the processor.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from vtlearn.batch import EncodedBatch, Sample, collate
from vtlearn.encoders.text import Word2Vec
from vtlearn.encoders.video import S3D
from vtlearn.heads import S2DTW
from vtlearn.learner import VideoTextLearner

CLIPS, WIDTH, FRAMES, PIXELS = 8, 512, 8, 64
WHOLE = 2**50  # more bytes than anything takes: a single tile
GIB, MIB = 2**30, 2**20


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="samples of a whole step")
    parser.add_argument("--samples", type=int, default=1024, help="samples of the head's table")
    parser.add_argument("--limit", type=float, default=4.0, help="GiB that a batch may take")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(**json.loads(options.measure))
        return
    print_chunks(options.batch)
    print_tiles(options.samples)
    limit = int(options.limit * GIB)
    print(f"\nThe largest batch of the head within {options.limit:g} GiB:\n")
    print("| grid_memory | samples | s per step |\n| --- | --- | --- |")
    for name, memory in (("one tile", WHOLE), ("256 MiB", 256 * MIB)):
        samples, seconds = largest(limit, memory)
        print(f"| {name} | {samples} | {seconds:.1f} |", flush=True)


def print_chunks(batch: int) -> None:
    """Measure whole steps."""
    print(f"A step of {batch} samples of {CLIPS} clips:\n")
    print("| encode_chunk | MiB | s per step |\n| --- | --- | --- |")
    for chunk in (None, 8, 2):
        memory, seconds = measured(kind="model", samples=batch, chunk=chunk)
        name = "none" if chunk is None else str(chunk)
        print(f"| {name} | {memory / MIB:.0f} | {seconds:.1f} |", flush=True)


def print_tiles(samples: int) -> None:
    """Measure the head alone."""
    print(f"\nThe head alone, {samples} samples:\n")
    print("| grid_memory | MiB | s per step |\n| --- | --- | --- |")
    sizes = (("one tile", WHOLE), ("256 MiB", 256 * MIB), ("64 MiB", 64 * MIB), ("4 MiB", 4 * MIB))
    for name, grid_memory in sizes:
        memory, seconds = measured(kind="head", samples=samples, grid_memory=grid_memory)
        print(f"| {name} | {memory / MIB:.0f} | {seconds:.1f} |", flush=True)


def largest(limit: int, grid_memory: int) -> tuple[int, float]:
    """Find the largest batch that stays below a limit of memory, to 128 samples."""
    size, fits, too_large = 4, 0, 0
    seconds = 0.0
    while not too_large or too_large - fits > 1:
        memory, took = measured(kind="head", samples=128 * size, grid_memory=grid_memory)
        if memory > limit:
            too_large = size
        else:
            fits, seconds = size, took
        # memory grows nearly with the square
        guess = int(size * (limit / memory) ** 0.5)
        size = max(fits + 1, min(guess, too_large - 1 if too_large else guess))
    return 128 * fits, seconds


def measured(**arguments: object) -> tuple[int, float]:
    """Measure in a process of its own: bytes and seconds."""
    command = [sys.executable, __file__, "--measure", json.dumps(arguments)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    memory, seconds = json.loads(answer.splitlines()[-1])
    return memory, seconds


def measure(kind: str, samples: int, chunk: int | None = None, grid_memory: int = 2 * GIB) -> None:
    """Take a small step and then the one that counts."""
    torch.manual_seed(0)
    step = model_step(chunk) if kind == "model" else head_step(grid_memory)
    step(2, 1)
    before, start = peak(), time.process_time()
    step(samples, CLIPS)
    seconds = time.process_time() - start
    print(json.dumps([peak() - before, seconds]))


def peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def head_step(grid_memory: int) -> Callable[[int, int], None]:
    """Make the head's forward and backward, from features."""
    head = S2DTW(grid_memory=grid_memory)

    def step(samples: int, clips: int) -> None:
        video, text = (torch.randn(samples, clips, WIDTH, requires_grad=True) for _ in range(2))
        head(EncodedBatch.of(video, text)).loss.backward()

    return step


def model_step(chunk: int | None) -> Callable[[int, int], None]:
    """Make a learner's forward and backward, from pictures and strings."""
    video = S3D(dim=WIDTH, num_frames=FRAMES, size=PIXELS)
    text = Word2Vec(dim=WIDTH)
    text.build(["chop the carrot", "stir the soup"] * 3)
    learner = VideoTextLearner(video, text, S2DTW(), encode_chunk=chunk).train()
    for module in video.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eval()

    def step(samples: int, clips: int) -> None:
        batch = collate(
            [
                Sample.of(
                    str(number),
                    torch.randint(0, 256, (clips, FRAMES, 3, PIXELS, PIXELS), dtype=torch.uint8),
                    [float(clip) for clip in range(clips)],
                    fps=10.0,
                    texts=["chop the carrot"] * clips,
                )
                for number in range(samples)
            ]
        )
        learner.zero_grad()
        learner.head(learner.encode(batch)).loss.backward()

    return step


if __name__ == "__main__":
    main()
