"""Read clips and properties of a video file: seconds go in, uint8 frames come out.

Nothing else in vtlearn decodes video. Times are presentation times as the file gives them, in
seconds: the first frame of a usual file is at 0, that of a file with a late start is later.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import BytesIO, FileIO
from itertools import chain
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.checks import require_inside, require_positive
from vtlearn.media.clips import Clips, Source, VideoBytes
from vtlearn.media.framing import Box, Orientation, centre_square, crop_boxes
from vtlearn.media.timeline import Film, Picture, frame_times, mark_shown, runs

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream
    from torch import Tensor

    _Packet = av.Packet[VideoStream]

__all__ = ["VideoInfo", "VideoReader", "ffmpeg_versions", "require_clips"]

_Pixels = NDArray[np.uint8]
_PROGRESSIVE = 1  # FFmpeg's AV_FIELD_PROGRESSIVE
_UNKNOWN = range(28, 32)  # what FFmpeg 8 may say of a frame that PyAV 18 has no name for, as Exif
_MATROSKA = "matroska,webm"  # FFmpeg's name of it
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", _MATROSKA)
_UNSEEKABLE = "mpeg"  # a program stream: seeks lead to other frames than decoding from the start
_BEGINNING = -(2**62)  # ticks; before everything
_CUT = 1.0  # seconds by which a file may end before it says so, and still be whole


_inherited: list["_File"] = []  # what a fork has left us, and is never freed


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

    A reader keeps its last file open, for the next call that wants the same one. It can be pickled
    and used after a fork, which leave that behind, and by several threads at a time.

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
        self._kept: list[_File] = []  # one, or none while it is in use
        require_positive(num_threads=num_threads)
        self.num_threads = num_threads

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what is open."""
        return {"num_threads": self.num_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with nothing open."""
        self.__init__(**state)  # type: ignore[misc]

    def __del__(self) -> None:
        """Close what is open."""
        self.close()

    def close(self) -> None:
        """Close the file that was kept open for the next call, if there is one.

        Example:
            >>> VideoReader().close()
        """
        while (film := self._take()) is not None:
            film.close()

    def clips(
        self,
        source: Source,
        starts: "Sequence[float] | NDArray[np.floating[Any]] | Tensor",
        *,
        num_frames: int,
        fps: float,
        size: int,
        crop: "Literal['center'] | Sequence[Sequence[int]] | Tensor" = "center",
        pad: Literal["edge", "black"] = "edge",
    ) -> Clips:
        """Return what the video shows at ``starts[i] + k / fps``.

        The frame shown at a time is the one with the largest presentation time that is not later
        (to the microsecond); before the first frame it is the first one. Each frame is cropped,
        then scaled (bicubic) and converted to RGB in one step. Pixels are taken to be square.

        Args:
            source: The file, or the bytes of one. A still picture (JPEG, PNG, WebP) is a video of
                one frame. No other file is opened, whatever it names.
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
            everything past the end of a file that was cut off, if the file says how long it was
            (MP4, Matroska, AVI and FLV do, MPEG streams do not). A hole in a Matroska file or an
            MPEG stream, over which FFmpeg goes without a word, cannot be told from a frame that
            stays on: it shows the frame before it.

        Raises:
            ArgumentError: If a number makes no sense, or a box leaves the picture.
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        import torch

        require_clips(num_frames=num_frames, fps=fps, size=size, pad=pad)
        times = frame_times(starts, num_frames, fps)
        boxes = crop_boxes(crop, len(times))
        frames = np.zeros((*times.shape, 3, size, size), np.uint8)
        valid = self.read_into(frames, source, times, boxes, pad)
        return Clips(torch.from_numpy(frames), torch.from_numpy(valid))

    def read_into(
        self,
        frames: _Pixels,
        source: Source,
        times: NDArray[np.float64],
        boxes: Sequence[Box | None],
        pad: Literal["edge", "black"],
    ) -> NDArray[np.bool_]:
        """Do the work of :meth:`clips` where there is no torch, in memory that is there.

        Args:
            frames: (clips, frames, 3, size, size), zeros; what is shown is written here.
            source: The file, or the bytes of one.
            times: (clips, frames), in seconds.
            boxes: One a clip; None for the largest square in the middle.
            pad: What is shown past the end.

        Returns:
            Which frames are valid, (clips, frames).

        Raises:
            ArgumentError: If a box leaves the picture.
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        order = np.argsort(times, axis=None, kind="stable")
        wanted = times.ravel()[order].tolist()
        painter = _Painter(frames, boxes)
        valid = np.zeros(times.size, bool)
        with self._opened(source, wanted) as film:
            for run in runs(film, wanted, hold_last=pad == "edge"):
                slots = order[run.first : run.last]
                valid[slots] = run.valid
                if run.frame is not None:
                    painter.fill(slots, run.frame)
        return valid.reshape(times.shape)

    def probe(self, source: Source) -> VideoInfo:
        """Look up what a video is like, and see that its first frame can be decoded.

        Args:
            source: The file, or the bytes of one.

        Returns:
            Its properties.

        Raises:
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        with self._opened(source, []) as film:
            frame = next((picture.frame for picture in film.play(0.0)), None)
            if frame is None:
                raise film.empty()
            height, width = _orientation(frame).upright_size(frame.height, frame.width)
            turned = round(frame.rotation / 90) * 90 % 360
            return VideoInfo(film.end(), width, height, film.fps, rotation=turned)

    def hash_frames(self, source: Source) -> str:
        """Hash all frames as they are decoded, before anything is scaled or converted.

        Args:
            source: The file, or the bytes of one.

        Returns:
            SHA-256 of the raw pixels of one frame after another, in hexadecimal: what
            ``ffmpeg -i FILE -f hash -`` prints of a file with a constant frame rate.

        Raises:
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        digest = hashlib.sha256()
        packer = _Packer()
        with self._opened(source, []) as film:
            picture = None
            for picture in film.play(0.0):
                digest.update(packer.pack(picture.frame))
            if picture is None:
                raise film.empty()
        return digest.hexdigest()

    @contextmanager
    def _opened(self, source: Source, wanted: Sequence[float]) -> "Iterator[_File]":
        """Open a file, or go on with the one kept; raise what FFmpeg says as an error of ours."""
        import av

        film = self._film(source)
        try:
            film.begin(wanted)
            yield film
        except (av.FFmpegError, OSError) as error:
            film.close()
            raise UnreadableVideoError(film.path, _words(error), "decode") from error
        except BaseException:
            film.close()
            raise
        self._keep(film)

    def _film(self, source: Source) -> "_File":
        identity = _identify(source)
        while (film := self._take()) is not None:
            if film.identity == identity:
                return film
            film.close()
        return _File(source, identity, self.num_threads)

    def _take(self) -> "_File | None":
        try:
            return self._kept.pop()  # in one step, so that no two threads get the same one
        except IndexError:
            return None

    def _keep(self, film: "_File") -> None:
        if film.is_as_new():
            self.close()
            self._kept.append(film)
        else:
            film.close()


def require_clips(*, num_frames: int, fps: float, size: int, pad: str) -> None:
    """Refuse what no clip can be made of, before a decoder meets it.

    Args:
        num_frames: Frames of each clip.
        fps: Frames a second.
        size: Height and width of frames, in pixels.
        pad: What is shown past the end.

    Raises:
        ArgumentError: If a number is not positive, a count is not whole, or ``pad`` is neither
            "edge" nor "black".

    Example:
        >>> require_clips(num_frames=2.5, fps=10, size=224, pad="edge")
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: num_frames must be a whole number, but is 2.5
    """
    require_positive(num_frames=num_frames, fps=fps, size=size)
    for name, count in (("num_frames", num_frames), ("size", size)):
        if not hasattr(count, "__index__"):  # as the whole numbers of numpy and torch have
            message = f"{name} must be a whole number, but is {count}"
            raise ArgumentError(message)
    if pad not in ("edge", "black"):
        message = f'pad must be "edge" or "black", but is {pad!r}'
        raise ArgumentError(message)


def ffmpeg_versions() -> dict[str, str]:
    """Return the versions of FFmpeg's libraries that videos are read with.

    Example:
        >>> sorted(ffmpeg_versions())[:2]
        ['libavcodec', 'libavdevice']
    """
    import av

    return {name: ".".join(map(str, each)) for name, each in av.library_versions.items()}


class _File(Film["av.VideoFrame"]):
    """One file: its frames in order of presentation, from the start or from a time on."""

    container: "InputContainer"
    stream: "VideoStream"

    def __init__(self, source: Source, identity: tuple[object, ...], num_threads: int) -> None:
        super().__init__()
        self.source = source
        self.identity = identity
        self.path = source.name if isinstance(source, VideoBytes) else str(source)
        self.num_threads = num_threads
        self._is_open = self._is_used = self._is_damaged = False
        self._others_end = 0.0  # when the last packet read of another stream ends, in seconds
        self._longest = 0.0  # seconds from a frame that came to the next, at most
        self._first: tuple[int | None, ...] | None = None

    def begin(self, wanted: Sequence[float]) -> None:
        """Prepare for the frames shown at some times; open the file unless it is open."""
        self.wanted = wanted
        self.cut_off = False
        if not self._is_open:
            self.open()

    def is_as_new(self) -> bool:
        """Say whether the file, when it is rewound, reads as it would if it were opened anew."""
        if not self._is_open or self._is_damaged or not self.may_jump:
            return False
        is_indexed = self.container.format.name in _INDEXED
        return is_indexed and self.stream.codec_context.reorder_depth == self._reorder_depth

    def close(self) -> None:
        """Free what FFmpeg holds."""
        if not self._is_open:
            return
        if self._pid == os.getpid():
            self.container.close()
            self._raw.close()
        else:  # the decoder's threads are not in this process, and it would wait for their end
            _inherited.append(self)
        self._is_open = False

    def open(self) -> None:
        """Open the file, or open it anew."""
        import av

        self.close()
        try:
            self._raw = _open_raw(self.source)
        except (OSError, ValueError) as error:  # the latter if a path cannot be one, as with NUL
            raise UnreadableVideoError(self.path, _words(error)) from error
        try:
            self.container = _open_container(self._raw)
        except (av.FFmpegError, OSError) as error:
            reason = _words(error) + _logged(self._raw)
            self._raw.close()
            raise UnreadableVideoError(self.path, reason) from error
        self._pid = os.getpid()
        self._is_open = True
        self._is_used = False
        self._set_stream()

    def _set_stream(self) -> None:
        import av

        covers = av.stream.Disposition.attached_pic
        streams = [s for s in self.container.streams.video if not s.disposition & covers]
        if not streams:
            raise UnreadableVideoError(self.path, "it has no video stream")
        self.stream = streams[0]
        context: VideoCodecContext | None = self.stream.codec_context
        if context is None:
            raise UnreadableVideoError(self.path, "FFmpeg has no decoder for its video stream")
        base = self.stream.time_base or Fraction(1, av.time_base)
        self._unit, self._units = base.numerator, base.denominator  # ticks are unit / units seconds
        self._reorder_depth = context.reorder_depth
        self.may_jump = self.may_jump and self.container.format.name != _UNSEEKABLE
        context.thread_count = self.num_threads
        if self.num_threads > 1:
            self.stream.thread_type = "AUTO"

    @property
    def fps(self) -> float:
        """Frames a second; 25 where the file gives no hint."""
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    def restart(self) -> "Iterator[Picture[av.VideoFrame]]":
        """Play from the first picture, to which a seek may lead, and opening the file anew does."""
        packets = self._rewound() if self._is_used else None
        if packets is None:
            if self._is_used:
                self.open()
            packets = self._from_first()
        return self._pictures(packets, sought=False)

    def _from_first(self) -> "Iterator[_Packet | None]":
        """Read a file just opened, and remember how it begins."""
        self._is_used = True
        packets = self._packets()
        first = next(packets, None)
        self._first = None if first is None else _mark(first)
        return chain([first], packets)

    def _rewound(self) -> "Iterator[_Packet | None] | None":
        """Seek the first packet, if it is known; None if something else is found."""
        import av

        with suppress(av.FFmpegError):
            self.container.seek(_BEGINNING, stream=self.stream)
            packets = self._packets()
            first = next(packets, None)
            if first is not None and self._first == _mark(first):
                return chain([first], packets)
        return None

    def seek(self, time: float) -> "Iterator[Picture[av.VideoFrame]]":
        """Play from what FFmpeg takes for the last keyframe before a time."""
        import av

        self._is_used = True
        try:
            self.container.seek(self._ticks(time), stream=self.stream)
        except av.FFmpegError:
            return iter(())
        return self._pictures(self._packets(), sought=True)

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
        ticks = seconds * self._units / self._unit
        return int(min(max(ticks, _BEGINNING), -_BEGINNING))  # FFmpeg counts in 64 bits

    def _seconds(self, ticks: int) -> float:
        return ticks * self._unit / self._units

    def _pictures(
        self, packets: "Iterator[_Packet | None]", *, sought: bool
    ) -> "Iterator[Picture[av.VideoFrame]]":
        """Give each frame its times; after a seek and after a loss, go on with a keyframe."""
        await_key, lost, start, end = sought, False, inf, 0.0
        for frame in self._frames(packets):
            if frame is None or frame.is_corrupt:
                await_key = lost = self._is_damaged = True
            elif frame.key_frame or not await_key:
                if sought and frame.pts is None:
                    return  # nobody knows where a seek has led
                before, start = start, end if frame.pts is None else self._seconds(frame.pts)
                self._longest = max(self._longest, 0.0 if lost else start - before)
                end = start + (self._seconds(frame.duration) or 1 / self.fps)
                yield Picture(frame, start, end, lost)
                await_key = lost = False
        self.cut_off = lost or self._is_cut(end)

    def _is_cut(self, end: float) -> bool:
        """Say whether the file promises more than the frames that came, which end there."""
        if self.container.format.name != _MATROSKA:
            return end + _CUT < self._declared_end()
        # Matroska does not say how long a frame is shown: the last one perhaps as any other.
        end += max(_CUT, self._longest)
        whole = (self.container.duration or 0) / 1e6  # a tag may be older than what it is about
        tagged = _tagged_end(self.stream.metadata)
        if tagged is None:  # the whole may be that of the sound
            return max(end, self._others_end + _CUT) < whole
        return end < min(tagged, whole)

    def _declared_end(self) -> float:
        ticks = self.stream.duration
        return self._seconds((self.stream.start_time or 0) + ticks) if ticks else 0.0

    def _frames(self, packets: "Iterator[_Packet | None]") -> "Iterator[av.VideoFrame | None]":
        """Decode; None stands where something could not be decoded."""
        for packet, shown in self._marked(packets):
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
        if packet is not None and packet.pts is not None:  # what is later comes after the loss
            frames = [each for each in frames if each.pts is None or each.pts < packet.pts]
        return frames, False

    def _marked(
        self, packets: "Iterator[_Packet | None]"
    ) -> "Iterator[tuple[_Packet | None, bool]]":
        """Say of packets whether they are shown: if not, others may still be made from them."""
        context = self.stream.codec_context
        # Only H.264 says of every frame whether it is a reference. Two fields may be two packets.
        skippable = context.name == "h264" and context.field_order == _PROGRESSIVE
        if skippable and context.has_b_frames and self.wanted:
            return mark_shown(packets, self._start, self.wanted)
        return ((packet, True) for packet in packets)

    def _start(self, packet: "_Packet | None") -> float | None:
        return None if packet is None or packet.pts is None else self._seconds(packet.pts)

    def _packets(self) -> "Iterator[_Packet | None]":
        """Read the stream to its end, then an empty packet; None if reading fails."""
        import av

        try:
            for packet in self.container.demux():
                if packet.stream is self.stream:
                    yield cast("_Packet", packet)
                elif packet.pts is not None and packet.time_base:  # unset, it is None or 0
                    ticks = packet.pts + (packet.duration or 0)
                    self._others_end = max(self._others_end, float(ticks * packet.time_base))
        except (av.FFmpegError, OSError):
            yield None


def _identify(source: Source) -> tuple[object, ...]:
    """Say what makes a source the same file as before, to this process."""
    if isinstance(source, VideoBytes):
        return source.name, id(source.data), os.getpid()  # nobody else has the id while we hold it
    try:
        found = Path(source).stat()
    except (OSError, ValueError):  # opening it will fail too, and say why
        return (object(),)
    return str(source), found.st_ino, found.st_size, found.st_mtime_ns, os.getpid()


def _tagged_end(tags: Mapping[str, str]) -> float | None:
    """When a stream ends, in seconds, as whoever wrote a Matroska file tells."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", tags.get("DURATION", ""))
    if found is None:
        return None
    hours, minutes, seconds = map(float, found.groups())
    return (hours * 60 + minutes) * 60 + seconds


def _mark(packet: "_Packet") -> tuple[int | None, ...]:
    return packet.pos, packet.size, packet.pts, packet.dts


def _open_raw(source: Source) -> BytesIO | FileIO:
    if isinstance(source, VideoBytes):
        return BytesIO(source.data)
    raw = FileIO(source)
    raw.name = ""  # FFmpeg takes "%d.jpg" for a pattern and goes looking for such files
    return raw


def _open_container(raw: BytesIO | FileIO) -> "InputContainer":
    """Have FFmpeg read from Python: so it opens nothing itself, whatever a playlist names."""
    import av

    options = {"protocol_whitelist": "none"}
    tags = _tag_decoding(av.__version__)
    container: InputContainer = av.open(raw, "r", options=options, **tags)
    return container


def _tag_decoding(version: str) -> dict[str, Any]:
    """Have PyAV 18 take tags that are not UTF-8, as PyAV 19 does without being asked."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def _words(error: Exception) -> str:
    """Return what FFmpeg or the system says."""
    return getattr(error, "strerror", None) or str(error)


def _logged(raw: BytesIO | FileIO) -> str:
    """Try to open a file once more, and return what FFmpeg logs, which says more than an error."""
    import av
    import av.logging as log

    level, skips = log.get_level(), log.get_skip_repeated()
    log.set_skip_repeated(False)  # the file before may have been broken in the same way
    log.set_level(log.ERROR)
    try:
        with log.Capture() as lines, suppress(av.FFmpegError, OSError):
            raw.seek(0)
            _open_container(raw).close()
    finally:
        log.set_level(level)
        log.set_skip_repeated(skips)
    said = "; ".join(dict.fromkeys(message.strip() for _, _, message in lines))
    return f" ({said})" if said else ""


class _Painter:
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
            self._paint(self.frames[first], frame, box)
            self.frames[others] = self.frames[first]

    def _paint(self, slot: _Pixels, frame: "av.VideoFrame", box: Box | None) -> None:
        """Put the box, or the square in the middle, upright, into (3, size, size)."""
        orientation = _orientation(frame)
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


class _Packer:
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


def _orientation(frame: "av.VideoFrame") -> Orientation:
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
