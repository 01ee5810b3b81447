"""What of vtlearn works on this machine: the decoder, the kernels, and what there is to run on."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vtlearn.alignment.kernels import kernel_for, solve_soft_dtw_gradient
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import as_pairs, pair_last
from vtlearn.alignment.soft_dtw_torch import solve
from vtlearn.cli.commands.installed import Finding
from vtlearn.evaluation.metrics.meteor import why_no_meteor
from vtlearn.kitchen.writer import write_video
from vtlearn.media.clips import ClipReader
from vtlearn.media.video.reader import VideoReader, ffmpeg_versions
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader
from vtlearn.storage.parallel import available_cores

__all__: list[str] = []

_GIB = 2**30
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux lets a loader's workers put batches
_LITTLE = 1.0  # GiB of it
_LEVELS = range(20, 236, 24)  # the grey of each frame of a video
_LOST = 6  # levels that encoding may change
_TIME_BUDGET = 60.0  # seconds; ample
_OFF = 1e-4  # by how much float32 may differ from float64


def decoding() -> Iterator[Finding]:
    """Encode a small video, and read it back, in this process and in one that can be killed.

    Yields:
        FFmpeg's versions, and a finding for each way of reading.
    """
    yield _attempt("FFmpeg", lambda: ", ".join(map(" ".join, ffmpeg_versions().items())))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "grey.mp4")
        pictures = (np.full((32, 32, 3), level, np.uint8) for level in _LEVELS)
        yield _attempt("encoding", partial(_write, path, pictures))
        yield _attempt("decoding", lambda: _read_back(VideoReader(), path))
        yield _attempt("time budget", lambda: _read_back_watched(path))


def kernels() -> Iterator[Finding]:
    """Compare the soft-DTW kernel for each device with the specification.

    Yields:
        A finding a device.
    """
    cards = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    for device in ("cpu", *cards):
        yield _attempt(f"on {device}", partial(_compare_kernel, device))


def captions() -> Iterator[Finding]:
    """Look whether METEOR can be computed, which takes Java.

    Yields:
        A finding.
    """
    reason = why_no_meteor()
    yield Finding("METEOR", reason or "by Java", "note" if reason else "ok")


def devices() -> Iterator[Finding]:
    """Look up what there is to compute with.

    Yields:
        A finding for each device, for the memory, and for the disk.
    """
    yield Finding("CPU", f"{available_cores()} cores for this process, of {os.cpu_count()}")
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        page = os.sysconf("SC_PAGE_SIZE") / _GIB
        free, total = (page * os.sysconf(f"SC_{kind}_PAGES") for kind in ("AVPHYS", "PHYS"))
        yield Finding("memory", f"{free:.1f} GiB free, of {total:.1f} GiB")
    if _SHARED_MEMORY.is_dir():
        yield _shared_memory(shutil.disk_usage(_SHARED_MEMORY).total / _GIB)
    here = Path.cwd()
    yield Finding("disk", f"{shutil.disk_usage(here).free / _GIB:.1f} GiB free in {here}")
    yield from _cards()


def _attempt(name: str, check: Callable[[], str]) -> Finding:
    """Run a check; whatever it raises is what was found."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            text = check()
    except Exception as error:  # noqa: BLE001 - a driver, a library or we ourselves may be at fault
        return Finding(name, f"{type(error).__name__}: {error}", "fail")
    if said:
        return Finding(name, f"{text}; {said[0].message}", "note")
    return Finding(name, text)


def _write(path: Path, pictures: Iterator[np.ndarray]) -> str:
    write_video(path, pictures, size=32, fps=8)
    return "H.264 in MP4"


def _read_back(reader: ClipReader, path: Path) -> str:
    clips = reader.clips(path, [0.0], num_frames=len(_LEVELS), fps=8.0, size=16)
    seen = clips.frames.float().mean(dim=(0, 2, 3, 4))
    if (seen - torch.tensor(_LEVELS)).abs().max() > _LOST:
        message = f"frames with the grey levels {list(_LEVELS)} came back as {seen.tolist()}"
        raise ValueError(message)
    return f"{len(_LEVELS)} frames came back as they were encoded"


def _read_back_watched(path: Path) -> str:
    with SubprocessVideoReader(_TIME_BUDGET) as reader:
        return f"{_read_back(reader, path)}, by a process that can be killed"


def _compare_kernel(device: str) -> str:
    """Solve the same pairs by the device's kernel and by the specification in float64."""
    cost = torch.rand(64, 13, 9, generator=torch.Generator().manual_seed(0))
    name = kernel_for(cost.to(device))
    found = solve_soft_dtw_gradient(cost.to(device), SoftDTWOptions(0.1))
    exact = torch.empty(64, 13, 9, dtype=torch.float64)
    table = pair_last(exact)
    value = solve(as_pairs(cost.double(), None, None, None), SoftDTWOptions(0.1), table)
    pairs = zip(found, (value, table.permute(2, 0, 1)), strict=True)
    worst = max(float((ours.cpu() - theirs).abs().max()) for ours, theirs in pairs)
    if not worst < _OFF:
        message = f"the kernel {name} is {worst:.1e} off the specification"
        raise ValueError(message)
    return f"{name}, within {worst:.1e} of the specification"


def _shared_memory(total: float) -> Finding:
    name, text = "shared memory", f"{total:.1f} GiB"
    if total < _LITTLE:
        return Finding(name, f"{text}: loaders with workers need more (docker: --shm-size)", "note")
    return Finding(name, text)


def _cards() -> Iterator[Finding]:
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        yield Finding(f"cuda:{index}", f"{card.name}, {card.total_memory / _GIB:.1f} GiB")
    if torch.cuda.is_available():
        return
    build = torch.version.cuda or torch.version.hip
    if shutil.which("nvidia-smi") is None:
        yield Finding("CUDA", "no device")
    elif build is None:
        hint = "take the line for your driver from https://pytorch.org/get-started/locally"
        yield Finding("CUDA", f"there is a card, and torch was built without CUDA: {hint}", "note")
    else:
        yield Finding("CUDA", f"torch was built for {build}, and finds no card it can use", "note")
