"""Read clips and properties of a video file: seconds go in, uint8 frames come out.

Nothing else in vtlearn decodes video. Times are presentation times as the file gives them, in
seconds: the first frame of a usual file is at 0, that of a file with a late start is later.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.checks import require_inside, require_positive
from vtlearn.media.clips import Clips
from vtlearn.media.framing import Box, Orientation, centre_square, crop_boxes
from vtlearn.media.timeline import Film, Picture, frame_times, mark_shown, runs

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.stream import VideoStream

    _Packet = av.Packet[VideoStream]

__all__ = ["VideoInfo", "VideoReader"]

_Pixels = NDArray[np.uint8]
_PROGRESSIVE = 1  # FFmpeg's AV_FIELD_PROGRESSIVE
_CUT = 1.0  # seconds by which a file may end before it says so, and still be whole


class VideoInfo(NamedTuple):
    """What a video is like.

    Attributes:
        duration: When its last frame ends, in seconds.
        width: Pixels across, as displayed.
        height: Pixels down, as displayed.
        fps: Frames a second, on average.
        rotation: Degrees counter-clockwise that the file asks to be turned by when displayed:
            0, 90, 180 or 270. Frames of :meth:`VideoReader.clips` come turned already.
    """

    duration: float
    width: int
    height: int
    fps: float
    rotation: int


class VideoReader:
    """Read clips out of video files, any number of them in one pass over the file.

    A reader keeps nothing open between calls: it can be pickled, and used after a fork.

    Args:
        num_threads: Threads that FFmpeg decodes with. 1 is right inside a loader's workers, where
            more of them have been seen to hang after a fork.

    Raises:
        ArgumentError: If ``num_threads`` is below 1.

    Example:
        >>> VideoReader().clips("absent.mp4", [0.0], num_frames=2, fps=1, size=8)
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory
    """

    def __init__(self, num_threads: int = 1) -> None:
        require_positive(num_threads=num_threads)
        self.num_threads = num_threads

    def clips(
        self,
        path: str | Path,
        starts: Sequence[float] | NDArray[np.floating[Any]] | Tensor,
        *,
        num_frames: int,
        fps: float,
        size: int,
        crop: Literal["center"] | Sequence[Sequence[int]] | Tensor = "center",
        pad: Literal["edge", "black"] = "edge",
    ) -> Clips:
        """Return what the video shows at ``starts[i] + k / fps``.

        The frame shown at a time is the one with the largest presentation time that is not later
        (to the microsecond); before the first frame it is the first one. Each frame is cropped,
        then scaled (bicubic) and converted to RGB in one step. Pixels are taken to be square.

        Args:
            path: The file.
            starts: When each clip starts, in seconds, in any order; clips may overlap.
            num_frames: Frames of each clip.
            fps: Frames a second that the clips have, whatever the file has.
            size: Height and width of the returned frames, in pixels.
            crop: ``"center"`` is the largest square in the middle; otherwise one box a clip,
                (clips, 4): top, left, height and width in pixels of the displayed video.
            pad: What is shown past the end, that is from the end of the last frame on: the last
                frame ("edge"), or zeros ("black").

        Returns:
            The clips. Frames lost to a decoding error are invalid, up to the next keyframe; so is
            everything past the end of a file that was cut off.

        Raises:
            ArgumentError: If a number makes no sense, or a box leaves the picture.
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        require_positive(num_frames=num_frames, fps=fps, size=size)
        times = frame_times(starts, num_frames, fps)
        order = np.argsort(times, axis=None, kind="stable")
        frames = np.zeros((times.size, 3, size, size), np.uint8)
        valid = np.zeros(times.size, bool)
        wanted = times.ravel()[order].tolist()
        painter = _Painter(size, crop_boxes(crop, len(times)), num_frames)
        with _opened(path, self.num_threads, wanted) as film:
            for run in runs(film, wanted, hold_last=pad == "edge"):
                slots = order[run.first : run.last]
                valid[slots] = run.valid
                if run.frame is not None:
                    painter.fill(frames, slots, run.frame)
        clips = torch.from_numpy(frames).view(*times.shape, 3, size, size)
        return Clips(clips, torch.from_numpy(valid).view(times.shape))

    def probe(self, path: str | Path) -> VideoInfo:
        """Look up what a video is like, and see that its first frame can be decoded.

        Args:
            path: The file.

        Returns:
            Its properties.

        Raises:
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        with _opened(path, self.num_threads, []) as film:
            frame = next((picture.frame for picture in film.play(0.0)), None)
            if frame is None:
                raise film.empty()
            height, width = _orientation(frame).upright_size(frame.height, frame.width)
            turned = round(frame.rotation / 90) * 90 % 360
            return VideoInfo(film.end(), width, height, film.fps, rotation=turned)


@contextmanager
def _opened(path: str | Path, num_threads: int, wanted: Sequence[float]) -> "Iterator[_File]":
    """Open a file and close it, and raise what FFmpeg has to say as an error of ours."""
    import av

    film = _File(str(path), num_threads, wanted)
    try:
        film.open()
        yield film
    except av.FFmpegError as error:
        raise UnreadableVideoError(film.path, error.strerror or str(error)) from error
    finally:
        film.close()


class _File(Film["av.VideoFrame"]):
    """One file: its frames in order of presentation, from the start or from a time on."""

    container: "InputContainer"
    stream: "VideoStream"

    def __init__(self, path: str, num_threads: int, wanted: Sequence[float]) -> None:
        super().__init__()
        self.path = path
        self.num_threads = num_threads
        self.wanted = wanted
        self._is_open = self._is_used = False

    def close(self) -> None:
        """Free what FFmpeg holds."""
        if self._is_open:
            self.container.close()

    def open(self) -> None:
        """Open the file, or open it anew."""
        import av

        self.close()
        options = {"protocol_whitelist": "file"}  # a playlist must not reach for the network
        self.container = av.open(self.path, options=options, metadata_errors="replace")
        self._is_open = True
        covers = av.stream.Disposition.attached_pic
        streams = [s for s in self.container.streams.video if not s.disposition & covers]
        if not streams:
            raise UnreadableVideoError(self.path, "it has no video stream")
        self.stream = streams[0]
        base = self.stream.time_base or Fraction(1, av.time_base)
        self._unit, self._units = base.numerator, base.denominator  # ticks are unit / units seconds
        self.stream.codec_context.thread_count = self.num_threads
        if self.num_threads > 1:
            self.stream.thread_type = "AUTO"

    @property
    def fps(self) -> float:
        """Frames a second; 25 where the file gives no hint."""
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    def restart(self) -> "Iterator[Picture[av.VideoFrame]]":
        """Play from the first picture. Opening the file anew finds it always, a seek does not."""
        if self._is_used:
            self.open()
        self._is_used = True
        return self._pictures(sought=False)

    def seek(self, time: float) -> "Iterator[Picture[av.VideoFrame]]":
        """Play from what FFmpeg takes for the last keyframe before a time."""
        import av

        self._is_used = True
        try:
            self.container.seek(self._ticks(time), stream=self.stream)
        except av.FFmpegError:
            return iter(())
        return self._pictures(sought=True)

    def keyframe_before(self, time: float) -> float | None:
        """Look the last keyframe up in the file's index, which counts in decoding times."""
        index = self.stream.index_entries
        found = index.search_timestamp(self._ticks(time))
        return None if found < 0 else self._seconds(index[found].timestamp)

    def known_until(self) -> float:
        """The last entry of the index; a single one is no index but where the file starts."""
        index = self.stream.index_entries
        return self._seconds(index[-1].timestamp) if len(index) > 1 else 0.0

    def empty(self) -> UnreadableVideoError:
        """The error to raise when no frame came."""
        return UnreadableVideoError(self.path, "no frame can be decoded", "decode")

    def end(self) -> float:
        """When the last frame ends, in seconds, as the file says or else as its packets say."""
        if self.container.duration and not self.stream.duration:
            return self.container.duration / 1e6
        return self._declared_end() or self._scan()

    def _scan(self) -> float:
        self.open()
        packets = [packet for packet in self._packets() if packet is not None and packet.size]
        ends = [p.pts + (p.duration or 0) for p in packets if p.pts is not None]
        return self._seconds(max(ends)) if ends else len(packets) / self.fps

    def _ticks(self, seconds: float) -> int:
        return int(seconds * self._units / self._unit)

    def _seconds(self, ticks: int) -> float:
        return ticks * self._unit / self._units

    def _pictures(self, *, sought: bool) -> "Iterator[Picture[av.VideoFrame]]":
        """Give each frame its times; after a seek and after a loss, go on with a keyframe."""
        await_key, lost, end = sought, False, 0.0
        for frame in self._frames():
            if frame is None or frame.is_corrupt:
                await_key = lost = True
            elif frame.key_frame or not await_key:
                if sought and frame.pts is None:
                    return  # nobody knows where a seek has led
                start = end if frame.pts is None else self._seconds(frame.pts)
                end = start + (self._seconds(frame.duration) or 1 / self.fps)
                yield Picture(frame, start, end, lost)
                await_key = lost = False
        self.cut_off = lost or end + _CUT < self._declared_end()

    def _declared_end(self) -> float:
        ticks = self.stream.duration
        return self._seconds((self.stream.start_time or 0) + ticks) if ticks else 0.0

    def _frames(self) -> "Iterator[av.VideoFrame | None]":
        """Decode; None stands where something could not be decoded."""
        for packet, shown in self._marked_packets():
            self.stream.codec_context.skip_frame = "DEFAULT" if shown else "NONREF"
            frames, intact = self._decode(packet)
            yield from frames if intact else [*frames, None]

    def _decode(self, packet: "_Packet | None") -> "tuple[list[av.VideoFrame], bool]":
        """Decode; at an error, take what came before it out of the decoder and start it anew."""
        import av

        context = self.stream.codec_context
        with suppress(av.FFmpegError):
            if packet is not None and not packet.is_corrupt:
                return context.decode(packet), True
        frames: list[av.VideoFrame] = []
        with suppress(av.FFmpegError):
            frames = context.decode(None)
        context.flush_buffers()
        return frames, False

    def _marked_packets(self) -> "Iterator[tuple[_Packet | None, bool]]":
        """Packets, and whether they are shown: if not, others may still be made from them."""
        context = self.stream.codec_context
        # Only H.264 says of every frame whether it is a reference. Two fields may be two packets.
        skippable = context.name == "h264" and context.field_order == _PROGRESSIVE
        if skippable and context.has_b_frames and self.wanted:
            return mark_shown(self._packets(), self._start, self.wanted)
        return ((packet, True) for packet in self._packets())

    def _start(self, packet: "_Packet | None") -> float | None:
        return None if packet is None or packet.pts is None else self._seconds(packet.pts)

    def _packets(self) -> "Iterator[_Packet | None]":
        """Read the stream to its end, then an empty packet; None if reading fails."""
        import av

        try:
            yield from self.container.demux(self.stream)
        except av.FFmpegError:
            yield None


class _Painter:
    """Crops, scales and converts frames, by one FFmpeg filter graph a box."""

    def __init__(self, size: int, boxes: list[Box | None], num_frames: int) -> None:
        self.size = size
        self.boxes = boxes
        self.num_frames = num_frames
        self._graphs: dict[tuple[Box, int, int, str], Graph] = {}

    def fill(self, frames: _Pixels, slots: NDArray[np.intp], frame: "av.VideoFrame") -> None:
        """Put a frame into those slots of (clips * frames, 3, size, size) that show it."""
        boxes = [self.boxes[clip] for clip in (slots // self.num_frames).tolist()]
        for box in set(boxes):
            frames[slots[[other == box for other in boxes]]] = self._paint(frame, box)

    def _paint(self, frame: "av.VideoFrame", box: Box | None) -> _Pixels:
        """Return the box, or the square in the middle, upright, (3, size, size)."""
        orientation = _orientation(frame)
        height, width = orientation.upright_size(frame.height, frame.width)
        box = box or centre_square(height, width)
        require_inside(box, height, width)
        decoded = orientation.decoded_box(box, frame.height, frame.width)
        graph = self._graph(decoded, frame)
        graph.vpush(frame)
        return orientation.lay(_planes(graph.vpull()))

    def _graph(self, box: Box, frame: "av.VideoFrame") -> "Graph":
        key = (box, frame.height, frame.width, frame.format.name)  # may change within a file
        if key not in self._graphs:
            self._graphs[key] = _build_graph(box, frame, self.size)
        return self._graphs[key]


def _orientation(frame: "av.VideoFrame") -> Orientation:
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return Orientation.read(None if matrix is None else bytes(matrix))


def _build_graph(box: Box, frame: "av.VideoFrame", size: int) -> "Graph":
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    top, left, height, width = box
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        graph.add("crop", f"{width}:{height}:{left}:{top}:exact=1"),
        graph.add("scale", f"{size}:{size}:flags=bicubic"),
        # To planes, swscale is twice as fast as to rgb24, and not 1.5 levels too dark.
        graph.add("format", "gbrp"),
        graph.add("buffersink"),
    )
    graph.configure()
    return graph


def _planes(frame: "av.VideoFrame") -> _Pixels:
    """View a planar frame's green, blue and red as (3, height, width) of red, green and blue."""
    green, blue, red = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        for plane in frame.planes
    )
    return np.stack([red, green, blue])[:, : frame.height, : frame.width]
