"""Decode still pictures by Pillow, as videos of one frame.

FFmpeg reads them too, but a JPEG that was cut off as one that is grey below, transparent pixels as
black ones, and of an animated WebP nothing at all. An animated GIF stays a video.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.ids import VIDEO_SUFFIXES
from vtlearn.media.video.timeline import FrameSource, TimedFrame

if TYPE_CHECKING:
    import av
    from PIL.Image import Image

__all__: list[str] = []

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_LONGEST = 12  # bytes of a signature
_FPS = 25.0  # what FFmpeg gives a file that says nothing about it
_ORIENTATION = 0x112  # the tag of Exif
#: What Pillow's decoders raise for files that are damaged; Exif's readers too.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


class PictureFile(FrameSource["av.VideoFrame"]):
    """A picture: one frame, upright, in RGB, transparent pixels white.

    Args:
        source: The file, or the bytes of one.
        identity: What makes a source the same file as before.
    """

    fps = _FPS
    losses: Sequence[str] = ()  # its only frame is decoded or not

    def __init__(self, source: Source, identity: tuple[object, ...]) -> None:
        super().__init__()
        self.source, self.identity = source, identity
        self.path = source.name if isinstance(source, VideoBytes) else str(source)
        self._frame: av.VideoFrame | None = None
        self.can_seek = False

    def begin(self) -> None:
        """Decode the picture, unless that is done."""
        if self._frame is None:
            self._frame = _frame(_decode(self.source, self.path))

    def is_as_new(self) -> bool:
        """Say whether the picture is held."""
        return self._frame is not None

    def close(self) -> None:
        """Forget the picture."""
        self._frame = None

    @property
    def clock(self) -> float:
        """A picture has no clock: 0."""
        return 0.0

    def end(self) -> float:
        """When the frame ends, in seconds."""
        return 1 / self.fps

    def length(self, first: float) -> float:
        """How long the frame lasts, in seconds."""
        return self.end() - first

    def restart(self) -> "Iterator[TimedFrame[av.VideoFrame]]":
        """Give the one frame."""
        if self._frame is not None:
            yield TimedFrame(self._frame, 0.0, self.end())

    def seek_keyframe(self, time: float) -> "Iterator[TimedFrame[av.VideoFrame]]":
        """Give the one frame, whatever is sought."""
        del time
        return self.restart()

    def keyframe_before(self, time: float) -> float | None:
        """Return the start of the one frame."""
        del time
        return 0.0

    def known_until(self) -> float:
        """Return the end of the one frame."""
        return self.end()

    def empty(self) -> UnreadableVideoError:
        """The error to raise when no frame came."""
        return UnreadableVideoError(self.path, "no frame can be decoded", "decode")


def is_picture(source: Source) -> bool:
    """Tell whether a file is a picture, by how it begins, unless its name is a video's.

    Args:
        source: The file, or the bytes of one.

    Returns:
        Whether it is a JPEG, PNG or WebP, or a GIF that does not move; not where it cannot be
        opened.

    Example:
        >>> is_picture(VideoBytes("a", b"RIFFabcdWEBPVP8 ")), is_picture(VideoBytes("b", b"RIFF"))
        (True, False)
    """
    if not isinstance(source, VideoBytes) and Path(source).suffix.lower() in VIDEO_SUFFIXES:
        return False
    try:
        with _opened(source) as file:
            start = file.read(_LONGEST)
            return _is_signature(start) or (start.startswith(b"GIF8") and _is_still(file))
    except (OSError, ValueError):  # the latter if a path cannot be one; opening it says why
        return False


def _opened(source: Source) -> BytesIO | FileIO:
    return BytesIO(source.data) if isinstance(source, VideoBytes) else FileIO(source)


def _is_signature(start: bytes) -> bool:
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return is_webp or start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _is_still(file: BytesIO | FileIO) -> bool:
    """Tell whether a GIF has one frame alone; of a damaged one, Pillow is to say what is wrong."""
    from PIL.GifImagePlugin import GifImageFile

    file.seek(0)
    try:
        with GifImageFile(file) as picture:
            return not picture.is_animated
    except _DAMAGED:
        return True


def _decode(source: Source, path: str) -> NDArray[np.uint8]:
    """Return what a picture shows, (height, width, 3), RGB; of an animation the first frame."""
    from PIL import Image, UnidentifiedImageError

    stage = "open"
    try:
        with _opened(source) as file, Image.open(file, formats=_FORMATS) as picture:
            stage = "decode"
            picture.load()
            return np.asarray(_upright(_on_white(picture), picture))
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        is_unknown = isinstance(error, UnidentifiedImageError)  # it names a Python object
        reason = "cannot identify image file" if is_unknown else str(error)
        raise UnreadableVideoError(path, reason, stage) from error


def _on_white(picture: "Image") -> "Image":
    """Convert a picture to RGB, in front of white where it is transparent."""
    from PIL import Image

    if picture.mode.startswith("I"):  # grey levels of 16 bits, which Pillow would clip to 8
        levels = np.asarray(picture).astype(np.int64) >> 8
        picture = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture.convert("RGBA"))
    return white.convert("RGB")


def _upright(shown: "Image", picture: "Image") -> "Image":
    """Turn what a picture shows as its Exif asks for, where that can be read."""
    from PIL.Image import Transpose

    turns: dict[Any, Transpose] = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = None
    with suppress(*_DAMAGED):
        turn = turns.get(picture.getexif().get(_ORIENTATION))
    return shown if turn is None else shown.transpose(turn)


def _frame(pixels: NDArray[np.uint8]) -> "av.VideoFrame":
    import av

    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
