"""Turn decoded frames into pixels: cropped, scaled, upright, in RGB; or raw, to be hashed."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vtlearn.media.video.framing import Box, Orientation, centre_square, require_inside

if TYPE_CHECKING:
    import av
    from av.filter import Graph
    from av.video.codeccontext import VideoCodecContext

__all__: list[str] = []

_Pixels = NDArray[np.uint8]
_UNKNOWN = range(28, 32)  # what FFmpeg 8 may say of a frame that PyAV 18 has no name for, as Exif


class FrameTransform:
    """Crops, scales and converts frames, by one FFmpeg filter graph a box."""

    def __init__(self, frames: _Pixels, boxes: Sequence[Box | None]) -> None:
        _, self.num_frames, _, _, self.size = frames.shape
        self.frames = frames.reshape(-1, *frames.shape[2:])
        self.boxes = boxes
        self._graphs: dict[tuple[Any, ...], Graph] = {}

    def fill(self, slots: NDArray[np.intp], frame: "av.VideoFrame") -> None:
        """Put a frame into those slots of (clips * frames, 3, size, size) that show it."""
        boxes = [self.boxes[clip] for clip in (slots // self.num_frames).tolist()]
        for box in set(boxes):
            first, *others = slots[[other == box for other in boxes]].tolist()
            self._transform(self.frames[first], frame, box)
            self.frames[others] = self.frames[first]

    def _transform(self, slot: _Pixels, frame: "av.VideoFrame", box: Box | None) -> None:
        """Put the box, or the square in the middle, upright, into (3, size, size)."""
        orientation = frame_orientation(frame)
        height, width = orientation.upright_size(frame.height, frame.width)
        box = box or centre_square(height, width)
        require_inside(box, height, width)
        decoded = orientation.decoded_box(box, frame.height, frame.width)
        graph = self._graph(decoded, frame)
        graph.vpush(frame)
        for channel, plane in zip((1, 2, 0), _planes(graph.vpull()), strict=True):
            slot[channel] = orientation.lay(plane)

    def _graph(self, box: Box, frame: "av.VideoFrame") -> "Graph":
        kind = (frame.height, frame.width, frame.format.name, frame.colorspace, frame.color_range)
        key = (box, *kind)  # the kind may change within a file
        if key not in self._graphs:
            self._graphs[key] = _build_graph(box, frame, self.size)
        return self._graphs[key]


class FramePacker:
    """Turns frames into their pixels, without the padding that decoders leave at each line."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[int, int, str], VideoCodecContext] = {}

    def pack(self, frame: "av.VideoFrame") -> bytes:
        """Return the planes of a frame, one after another."""
        kind = (frame.height, frame.width, frame.format.name)  # it may change within a file
        if kind not in self._contexts:
            self._contexts[kind] = _raw_encoder(*kind)
        return b"".join(bytes(packet) for packet in self._contexts[kind].encode(frame))


def _raw_encoder(height: int, width: int, pixels: str) -> "VideoCodecContext":
    import av

    context = av.CodecContext.create("rawvideo", "w")
    context.height, context.width, context.pix_fmt = height, width, pixels
    context.time_base = Fraction(1)  # no matter
    return context


def frame_orientation(frame: "av.VideoFrame") -> Orientation:
    """Read which way up a frame is."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        matrix = _without_unknown(frame).side_data.get("DISPLAYMATRIX")
    return Orientation.read(None if matrix is None else bytes(matrix))


def _without_unknown(frame: "av.VideoFrame") -> "av.VideoFrame":
    graph = _chain(frame, *(("sidedata", f"delete:type={kind}") for kind in _UNKNOWN))
    graph.vpush(frame)
    return graph.vpull()


def _build_graph(box: Box, frame: "av.VideoFrame", size: int) -> "Graph":
    top, left, height, width = box
    return _chain(
        frame,
        ("crop", f"{width}:{height}:{left}:{top}:exact=1"),
        ("scale", f"{size}:{size}:flags={_scaling(width, height, size)}"),
        # To planes, swscale is twice as fast as to rgb24, and not 1.5 levels too dark.
        ("format", "gbrp"),
    )


def _scaling(width: int, height: int, size: int) -> str:
    # Where nothing is scaled, swscale's shortcut leaves columns of some widths as they were.
    is_safe = (height, width) != (size, size) or size % 16 == 0
    return "bicubic" if is_safe else "bicubic+accurate_rnd"


def _chain(frame: "av.VideoFrame", *filters: tuple[str, str]) -> "Graph":
    """Link filters, for frames of this kind."""
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    source = {
        "video_size": f"{frame.width}x{frame.height}",
        "pix_fmt": frame.format.name,
        "time_base": str(frame.time_base or Fraction(1)),  # a flushed frame has none; no matter
        "colorspace": str(int(frame.colorspace)),
        "range": str(int(frame.color_range)),
    }
    nodes = [graph.add("buffer", **source), *(graph.add(*each) for each in filters)]
    graph.link_nodes(*nodes, graph.add("buffersink"))
    graph.configure()
    return graph


def _planes(frame: "av.VideoFrame") -> list[_Pixels]:
    """View a planar frame's green, blue and red, (height, width) each."""
    planes = [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for plane in frame.planes
    ]
    return [plane[: frame.height, : frame.width] for plane in planes]
