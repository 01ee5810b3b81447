"""From frames to a file: H.264 in MP4, written under another name until it is whole."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["remove_leftovers", "replace_text", "write_video"]

# One thread: several cut frames differently, and the pixels would depend on the number of cores.
OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1"}
UNFINISHED = ".unfinished"


def write_video(
    path: Path, frames: Iterable[npt.NDArray[np.uint8]], *, size: int, fps: int
) -> None:
    """Encode a video, with a key frame at least every second.

    Args:
        path: The MP4 file; it appears when it is whole.
        frames: (height, width, 3), uint8, RGB, of even ``size`` both ways.
        size: Height and width in pixels.
        fps: Frames a second.
    """
    import av

    unfinished = _unfinished(path)
    with av.open(str(unfinished), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=OPTIONS)
        stream.pix_fmt = "yuv420p"
        stream.height = stream.width = size
        stream.gop_size = fps
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    unfinished.replace(path)


def replace_text(path: Path, text: str) -> None:
    """Write a text file that is either whole or not there.

    Args:
        path: The file.
        text: What it shall hold.
    """
    unfinished = _unfinished(path)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left behind.

    Args:
        folder: Where they wrote.
    """
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    # The process' number: two writers of one corpus must not write into each other's file.
    return path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")
