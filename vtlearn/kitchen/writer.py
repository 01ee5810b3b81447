"""From frames to a file: H.264 in MP4, under its name when it is whole."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vtlearn.storage.atomic import replacing

__all__ = ["write_video"]

# One thread: several cut frames differently, and the pixels would depend on the number of cores.
# No macroblock tree: x264 reads memory for it that it has not written, and the same frames of 32
# pixels gave three files in twelve encodings.
OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "x264-params": "mbtree=0"}


def write_video(
    path: Path, frames: Iterable[npt.NDArray[np.uint8]], *, size: int, fps: int
) -> None:
    """Encode a video, with a key frame at least every second.

    The same frames give the same bytes with the same release of PyAV, on any number of cores.

    Args:
        path: The MP4 file; it appears when it is whole.
        frames: (height, width, 3), uint8, RGB, of even ``size`` both ways.
        size: Height and width in pixels.
        fps: Frames a second.
    """
    import av

    with (
        replacing(path) as unfinished,
        av.open(str(unfinished), "w", format="mp4") as container,
    ):
        stream = container.add_stream("libx264", rate=fps, options=OPTIONS)
        stream.pix_fmt = "yuv420p"
        stream.height = stream.width = size
        stream.gop_size = fps
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
