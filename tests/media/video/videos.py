"""The videos that the tests of the decoder share, and how to tell their frames apart."""

import gc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "B_FRAMES",
    "FILES",
    "FIXED",
    "LONG",
    "NUMBERED",
    "OPEN_GOP",
    "STEP",
    "damage",
    "noise",
    "note_calls",
    "numbers",
    "open_files",
    "packets",
    "plain",
]

STEP = 5  # grey levels from one frame to the next
NUMBERED = range(0, 50 * STEP, STEP)
B_FRAMES = {"preset": "medium", "x264-params": "scenecut=0"}
FIXED = {"sc_threshold": "1000000000", "b_strategy": "0"}  # of MPEG-4: keyframes where they are due
OPEN_GOP = {"preset": "medium", "x264-params": "scenecut=0:open-gop=1"}

#: Files of 50 grey frames, to be written with ``write_video(path, NUMBERED, **FILES[name])``.
FILES: dict[str, dict[str, Any]] = {
    "25.mp4": {},
    "ntsc.mp4": {"rate": Fraction(30000, 1001)},
    "variable.mp4": {"time_base": Fraction(1, 1000), "pts": [7 * i * i for i in range(50)]},
    "b_frames.mp4": {"b_frames": 3, "gop": 12, "options": B_FRAMES},
    "open_gop.mp4": {"b_frames": 3, "gop": 12, "options": OPEN_GOP},
    "late.mp4": {"pts": range(50, 100)},
    "late.mkv": {"pts": range(50, 100), "b_frames": 2, "gop": 10, "options": B_FRAMES},
    "stream.ts": {"b_frames": 2, "gop": 12, "options": B_FRAMES, "pts": range(40, 90)},
    "mpeg4.mp4": {"codec": "mpeg4", "gop": 10},
    "fragments.mp4": {"gop": 10, "container": {"movflags": "frag_keyframe+empty_moov"}},
    "raw.h264": {"gop": 10},
    "odd.mp4": {"size": (35, 51), "pix_fmt": "yuv444p"},
    "odd_subsampled.mp4": {"size": (35, 51), "codec": "mpeg4", "gop": 1},
}

#: Files of many groups of pictures, to be written with :func:`noise`.
LONG: dict[str, dict[str, Any]] = {
    "closed.mp4": {"gop": 12, "b_frames": 3, "options": B_FRAMES},
    "open.mp4": {"gop": 25, "b_frames": 3, "options": OPEN_GOP},
    "long.mp4": {"gop": 250, "b_frames": 2, "options": B_FRAMES},
    "cues.mkv": {"gop": 25, "b_frames": 3, "options": B_FRAMES},
    "no_index.ts": {"gop": 25, "b_frames": 3, "options": B_FRAMES},
    "raw.h264": {"gop": 25, "options": B_FRAMES},
    "mpeg4.avi": {"gop": 25, "b_frames": 2, "codec": "mpeg4"},
    "mpeg2.ts": {"gop": 12, "b_frames": 2, "codec": "mpeg2video"},
    "mpeg2.mpg": {"gop": 12, "b_frames": 2, "codec": "mpeg2video"},
    "vp9.webm": {"gop": 25, "codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}


def numbers(frames: Tensor) -> NDArray[np.float64]:
    """Read the frame numbers off grey pictures (..., 3, height, width)."""
    levels = frames.double().mean((-1, -2, -3)).numpy() / STEP
    assert np.abs(levels - levels.round()).max() * STEP <= 2  # or the number would be a guess
    read: NDArray[np.float64] = levels.round()
    return read


def noise(count: int, size: int = 32) -> NDArray[np.uint8]:
    """Pictures that move, so that a wrong reference shows."""
    rng = np.random.default_rng(0)
    field = np.kron(rng.integers(0, 255, (40, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    return np.stack([field[i % 90 : i % 90 + size, i % 37 : i % 37 + size] for i in range(count)])


def plain(path: Path) -> tuple[NDArray[np.float64], Tensor]:
    """Decode a whole file in the simplest way: times, and frames (count, 3, height, width)."""
    with av.open(path) as container:
        frames = list(container.decode(video=0))
        pictures = np.stack([frame.to_ndarray(format="gbrp") for frame in frames])
    return np.array([frame.time for frame in frames]), torch.from_numpy(pictures).permute(
        0, 3, 1, 2
    )


def note_calls(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[tuple[Any, ...]]:
    """Record the arguments of each call of a function or method that is called all the same."""
    calls: list[tuple[Any, ...]] = []
    method = getattr(owner, name)

    def noting(*given: Any) -> Any:
        calls.append(given)
        return method(*given)

    monkeypatch.setattr(owner, name, noting)
    return calls


def open_files() -> int:
    """Count what this process holds open."""
    gc.collect()  # what errors of earlier tests hold on to
    return len(list(Path("/proc/self/fd").iterdir()))


def packets(path: Path) -> list[tuple[int, int]]:
    """Where each packet lies in a file, in decoding order: offset and size."""
    with av.open(path) as container:
        found = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    return [(offset, size) for offset, size in found if offset is not None]


def damage(path: Path, which: Sequence[int], *, header: int = 0) -> None:
    """Put zeros in the place of some packets, which follow so many bytes after where they lie."""
    content = bytearray(path.read_bytes())
    for offset, size in [packets(path)[i] for i in which]:
        content[offset + header : offset + header + size] = bytes(size)
    path.write_bytes(content)
