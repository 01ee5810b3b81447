"""Measure the parts of a training step on one core: decoding, an encoder, the grid, a gather."""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed  # noqa: TID251 - starts processes to measure
from torch.utils.flop_counter import FlopCounterMode

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.distributed import gather
from vtlearn.encoders.base import VideoEncoder
from vtlearn.heads import S2DTW
from vtlearn.media.video.reader import VideoReader


class ClipShape(NamedTuple):
    """A clip.

    Attributes:
        frames: How many.
        fps: Frames per second.
        size: Height and width in pixels.
    """

    frames: int
    fps: float
    size: int


class EncoderCost(NamedTuple):
    """What a clip costs in an encoder.

    Attributes:
        forward: Multiplications and additions of the forward pass.
        both: Those of the forward and the backward pass.
        seconds: Processor time of both on one core.
        parameters: How many the encoder has.
    """

    forward: float
    both: float
    seconds: float
    parameters: int


def decode_seconds(path: Path, clip: ClipShape, rounds: int) -> float:
    """Return the median seconds of a clip at a random start, by one thread that opens the file."""
    end = VideoReader().probe(path).duration - clip.frames / clip.fps - 0.2
    taken = []
    for start in np.random.default_rng(0).uniform(0, end, rounds + 1):
        before = time.process_time()
        reader = VideoReader(1)
        reader.clips(path, [start], num_frames=clip.frames, fps=clip.fps, size=clip.size)
        reader.close()
        taken.append(time.process_time() - before)
    return statistics.median(taken[1:])  # the first warms up


def encoder_cost(encoder: VideoEncoder, clip: ClipShape, rounds: int) -> EncoderCost:
    """Count a clip's work forward and backward, and take the time of both."""
    frames = torch.randint(256, (1, clip.frames, 3, clip.size, clip.size), dtype=torch.uint8)
    encoder.train()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(frames)
    forward = counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        encoder(frames).pooled.sum().backward()
    both = counter.get_total_flops()
    seconds = processor_seconds(lambda: encoder(frames).pooled.sum().backward(), rounds)
    parameters = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    return EncoderCost(forward, both, seconds, parameters)


def grid_seconds(own: int, batch: int, clips: int, dim: int, rounds: int) -> float:
    """Return a core's seconds for own texts and all videos of a batch in S2DTW, both passes."""
    generator = torch.Generator().manual_seed(0)
    video, text = (
        torch.randn(batch, clips, dim, generator=generator).requires_grad_() for _ in range(2)
    )
    head = S2DTW(direction="text_to_video")
    rows = Rows(0, own, batch // own, 0, 0)

    def step() -> None:
        head(EncodedBatch.of(video, text), rows).loss.backward()

    return processor_seconds(step, rounds)


def processor_seconds(step: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of a step, after one that is not counted."""
    step()
    taken = []
    for _ in range(rounds):
        before = time.process_time()
        step()
        taken.append(time.process_time() - before)
    return statistics.median(taken)


def gather_seconds(shape: tuple[int, ...], rounds: int) -> float:
    """Gather a tensor of this shape from each of two processes, forward and backward, by gloo.

    Args:
        shape: Of the part that each of them has, float32.
        rounds: How often.

    Returns:
        The median seconds, of the slower process.
    """
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(2, mp_context=context) as pool,
    ):
        store = str(Path(folder, "store"))
        waiting = [pool.submit(gathered, rank, store, shape, rounds) for rank in range(2)]
        return max(each.result() for each in waiting)


def gathered(rank: int, store: str, shape: tuple[int, ...], rounds: int) -> float:
    """Be one of two processes."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    part = torch.ones(shape, requires_grad=True)
    taken = []
    for _ in range(rounds + 1):
        distributed.barrier()
        before = time.perf_counter()
        whole: Tensor = gather(part)
        whole.sum().backward()
        taken.append(time.perf_counter() - before)
    distributed.destroy_process_group()
    return statistics.median(taken[1:])
