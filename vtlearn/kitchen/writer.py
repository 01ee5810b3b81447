"""From frames to a file, under its name when it is whole: H.264 in MP4, MPEG-4 in AVI, or JPEG."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from vtlearn.storage.atomic import replacing

__all__ = ["write_video"]


class _Kind(NamedTuple):
    """A container, and what its frames are encoded by."""

    container: str
    codec: Literal["libx264", "mpeg4"]
    options: dict[str, str]


# One thread: several cut frames differently, and the pixels would depend on the number of cores.
# No macroblock tree: x264 reads memory for it that it has not written, and the same frames of 32
# pixels gave three files in twelve encodings.
_X264 = {"preset": "veryfast", "crf": "20", "threads": "1", "x264-params": "mbtree=0"}
_MP4 = _Kind("mp4", "libx264", _X264)
# An AVI says when its frames are decoded and not when they are shown, which for H.264 is later.
_AVI = _Kind("avi", "mpeg4", {"threads": "1", "qmin": "2", "qmax": "2"})


def write_video(
    path: Path, frames: Iterable[npt.NDArray[np.uint8]], *, size: int, fps: int
) -> None:
    """Encode a video, with a key frame at least every second.

    The same frames give the same bytes with the same release of PyAV, on any number of cores.

    Args:
        path: The MP4 file, or AVI file where its name ends so; it appears when it is whole.
        frames: (height, width, 3), uint8, RGB, of even ``size`` both ways.
        size: Height and width in pixels.
        fps: Frames a second.
    """
    import av

    kind = _AVI if path.suffix == ".avi" else _MP4
    with (
        replacing(path) as unfinished,
        av.open(str(unfinished), "w", format=kind.container) as container,
    ):
        stream = container.add_stream(kind.codec, rate=fps, options=kind.options)
        stream.pix_fmt = "yuv420p"
        stream.height = stream.width = size
        stream.gop_size = fps
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def write_picture(path: Path, frame: npt.NDArray[np.uint8]) -> None:
    """Encode a picture as JPEG.

    Args:
        path: The file, whatever its name ends in; it appears when it is whole.
        frame: (height, width, 3), uint8, RGB.
    """
    with replacing(path) as unfinished:
        Image.fromarray(frame).save(unfinished, "JPEG", quality=95)
