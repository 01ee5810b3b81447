"""The ways in which videos of a corpus come damaged, done to good ones.

``WAYS`` lists them. Five leave a file that cannot be read, which takes a time budget to find out of
one that hangs; the others leave one that has to be read.
"""

import os
import shutil
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from tests.media.video.writing import write_audio, write_video

__all__ = [
    "READABLE",
    "UNREADABLE",
    "WAYS",
    "Way",
    "copy_corpus",
    "damage_videos",
    "unreadable_ids",
]

Pictures = NDArray[np.uint8]


def lose_index(path: Path) -> None:
    """Cut a video off before the table that says where its frames are (moov)."""
    data = path.read_bytes()
    path.write_bytes(data[: _box(data, b"moov")[0] - 1])


def cut_off(path: Path) -> None:
    """Put the table first, and cut the frames off in the middle: the first half can be read."""
    moved = path.with_name(f".{path.name}")
    with av.open(path) as source, av.open(moved, "w", "mp4", options=_FAST_START) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = moved.read_bytes()
    moved.unlink()
    start, end = _box(data, b"mdat")
    path.write_bytes(data[: (start + end) // 2])


def empty(path: Path) -> None:
    """Leave a file of no bytes."""
    path.write_bytes(b"")


def text(path: Path) -> None:
    """Leave what a failed download leaves."""
    path.write_text("<html><body>404 Not Found</body></html>\n" * 50, encoding="utf-8")


def sound_only(path: Path) -> None:
    """Leave a file with an audio stream alone."""
    write_audio(path)


def hang(path: Path) -> None:
    """Leave a pipe that nobody writes to: whoever opens it waits for ever, inside FFmpeg."""
    path.unlink()
    os.mkfifo(path)


def one_frame(path: Path) -> None:
    """Leave the first frame."""
    pictures, rate = _decode(path)
    write_video(path, pictures[:1], rate=rate)


def odd_sized(path: Path) -> None:
    """Leave a picture of an odd height and another odd width."""
    pictures, rate = _decode(path)
    write_video(path, pictures[:, :-1, :-3], rate=rate, pix_fmt="yuv444p")


def rotated(path: Path) -> None:
    """Turn the pictures, and have the file ask to be turned back when it is shown."""
    pictures, rate = _decode(path)
    write_video(path, np.rot90(pictures, -1, axes=(1, 2)), rate=rate, rotation=90)


def variable_rate(path: Path) -> None:
    """Drop frames here and there, each of the others at the time it was."""
    pictures, rate = _decode(path)
    kept = [i for i in range(len(pictures)) if i in (0, len(pictures) - 1) or i * i % 7 in (1, 4)]
    write_video(path, pictures[kept], rate=rate, pts=kept)


def flip_bytes(path: Path) -> None:
    """Invert a fifth of the frames' bytes, in the middle of the file: those around are left."""
    data = bytearray(path.read_bytes())
    start, end = _box(data, b"mdat")
    middle = slice(start + (end - start) * 2 // 5, start + (end - start) * 3 // 5)
    data[middle] = bytes(255 - byte for byte in data[middle])
    path.write_bytes(data)


class Way(NamedTuple):
    """A way of being damaged.

    Attributes:
        name: What it is called.
        apply: Does it to the file at a path.
        stage: Where reading the file fails, as the error says; None where it has to be read.
        whole: Whether every frame that the file claims to have can be decoded.
    """

    name: str
    apply: Callable[[Path], None]
    stage: str | None
    whole: bool = True


UNREADABLE = (
    Way("truncated", lose_index, "open"),
    Way("empty", empty, "open"),
    Way("text", text, "open"),
    Way("audio-only", sound_only, "open"),
    Way("never-returns", hang, "time"),
)
READABLE = (
    Way("truncated-fast-start", cut_off, None, whole=False),
    Way("one-frame", one_frame, None),
    Way("odd-sized", odd_sized, None),
    Way("rotated", rotated, None),
    Way("variable-rate", variable_rate, None),
    Way("bytes-flipped", flip_bytes, None, whole=False),
)
WAYS = UNREADABLE + READABLE

_FAST_START = {"movflags": "faststart"}


def copy_corpus(root: Path, target: Path) -> Path:
    """Copy a corpus, so that its videos can be damaged; return the copy's folder."""
    return Path(shutil.copytree(root, target))


def damage_videos(root: Path, ids: Iterable[str], ways: Sequence[Way] = WAYS) -> dict[str, Way]:
    """Damage ``root/videos/<id>.mp4`` of these ids, in one way after another; return them by id."""
    done = dict(zip(ids, cycle(ways), strict=False))
    for video_id, way in done.items():
        way.apply(root / "videos" / f"{video_id}.mp4")
    return done


def unreadable_ids(damaged: dict[str, Way]) -> set[str]:
    """Return the ids that nobody can read, of what :func:`damage_videos` gave."""
    return {video_id for video_id, way in damaged.items() if way.stage is not None}


def _decode(path: Path) -> tuple[Pictures, int]:
    """Return all pictures, (frames, height, width, 3), and how many there are a second."""
    with av.open(path) as source:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
        return np.stack(pictures), round(float(source.streams.video[0].average_rate or 25))


def _box(data: bytes | bytearray, kind: bytes) -> tuple[int, int]:
    """Find a box at the top of an MP4 file; return where its contents start and end."""
    start = 0
    while start < len(data):
        (size,) = struct.unpack_from(">I", data, start)
        if data[start + 4 : start + 8] == kind:
            return start + 8, start + size
        start += size
    raise ValueError(kind)
