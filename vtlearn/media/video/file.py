"""Decode one video file: its frames in order of presentation, from the start or from a time on.

PyAV leaves exact seeking and damage to its users. torchcodec and decord do not, but the one needs
an FFmpeg that is installed beside it, and the other is not maintained any more.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from io import BytesIO, FileIO
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any, cast

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.timeline import FrameSource, TimedFrame, mark_shown

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    _Packet = av.Packet[VideoStream]

__all__: list[str] = []

_PROGRESSIVE = 1  # FFmpeg's AV_FIELD_PROGRESSIVE
_MATROSKA = "matroska,webm"  # FFmpeg's name of it
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", _MATROSKA)
_UNSEEKABLE = "mpeg"  # a program stream: seeks lead to other frames than decoding from the start
_BEGINNING = -(2**62)  # ticks; before everything
_CUT = 1.0  # seconds by which a file may end before it says so, and still be whole
_PRIMING = 0.1  # seconds before 0 that sound starts at most, where a coder needs a run-up

_inherited: list["VideoFile"] = []  # what a fork has left us, and is never freed


class VideoFile(FrameSource["av.VideoFrame"]):
    """One file: its frames in order of presentation, from the start or from a time on.

    Seconds count from when the file starts, which is when the first of its streams does: as for
    players, and for ``ffmpeg -ss``. The clock of a recording of live television may say any time
    then. Video that starts later than the sound beside it stays late.
    """

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
        if not self._is_open or self._is_damaged or not self.can_seek:
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
            raise UnreadableVideoError(self.path, error_text(error)) from error
        try:
            self.container = _open_container(self._raw)
        except (av.FFmpegError, OSError) as error:
            reason = error_text(error) + _logged(self._raw)
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
        self._origin = _start_time(self.container, self.stream)
        self._reorder_depth = context.reorder_depth
        self.can_seek = self.can_seek and self.container.format.name != _UNSEEKABLE
        context.thread_count = self.num_threads
        if self.num_threads > 1:
            self.stream.thread_type = "AUTO"

    @property
    def fps(self) -> float:
        """Frames a second; 25 where the file gives no hint."""
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    def restart(self) -> "Iterator[TimedFrame[av.VideoFrame]]":
        """Decode from the first frame, to which a seek may lead, and opening the file anew does."""
        packets = self._rewound() if self._is_used else None
        if packets is None:
            if self._is_used:
                self.open()
            packets = self._from_first()
        return self._timed_frames(packets, sought=False)

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

    def seek_keyframe(self, time: float) -> "Iterator[TimedFrame[av.VideoFrame]]":
        """Decode from what FFmpeg takes for the last keyframe before a time."""
        import av

        self._is_used = True
        try:
            self.container.seek(self._ticks(time), stream=self.stream)
        except av.FFmpegError:
            return iter(())
        return self._timed_frames(self._packets(), sought=True)

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
            return self.container.duration / 1e6 - self._origin
        return self._declared_end() or self._scan()

    def length(self, first: float) -> float:
        """How long its frames last together, in seconds, if the first appears then."""
        if self.stream.duration:  # of AVI, whose first frame may appear later than it says
            return self._seconds(self.stream.duration)
        tagged = _tagged_end(self.stream.metadata)  # where the end may be that of the sound
        end = self.end()
        return (end if tagged is None else min(tagged, end)) - first

    def _scan(self) -> float:
        self.open()
        packets = [packet for packet in self._packets() if packet is not None and packet.size]
        ends = [p.pts + (p.duration or 0) for p in packets if p.pts is not None]
        return self._seconds(max(ends)) if ends else len(packets) / self.fps

    def _ticks(self, seconds: float) -> int:
        ticks = (seconds + self._origin) * self._units / self._unit
        return int(min(max(ticks, _BEGINNING), -_BEGINNING))  # FFmpeg counts in 64 bits

    def _seconds(self, ticks: int) -> float:
        """When a clock of the stream shows that, in seconds from the start of the file."""
        return ticks * self._unit / self._units - self._origin

    def _timed_frames(
        self, packets: "Iterator[_Packet | None]", *, sought: bool
    ) -> "Iterator[TimedFrame[av.VideoFrame]]":
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
                end = start + (frame.duration * self._unit / self._units or 1 / self.fps)
                yield TimedFrame(frame, start, end, lost)
                await_key = lost = False
        self.cut_off = lost or self._is_cut(end)

    def _is_cut(self, end: float) -> bool:
        """Say whether the file promises more than the frames that came, which end there."""
        if self.container.format.name != _MATROSKA:
            return end + _CUT < self._declared_end()
        # Matroska does not say how long a frame is shown: the last one perhaps as any other.
        end += max(_CUT, self._longest)
        # A tag may be older than what it is about.
        whole = (self.container.duration or 0) / 1e6 - self._origin
        tagged = _tagged_end(self.stream.metadata)
        if tagged is None:  # the whole may be that of the sound
            return max(end, self._others_end + _CUT) < whole
        return end < min(tagged - self._origin, whole)

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
                    end = float(ticks * packet.time_base) - self._origin
                    self._others_end = max(self._others_end, end)
        except (av.FFmpegError, OSError):
            yield None


def _start_time(container: "InputContainer", stream: "VideoStream") -> float:
    """When a file starts by its own clock, in seconds; 0 where it has none."""
    if container.start_time is None:
        return 0.0
    start = container.start_time / 1e6  # to the microsecond; a stream tells exactly
    found = [s.start_time * s.time_base for s in container.streams if s.start_time and s.time_base]
    start = next((float(one) for one in found if abs(one - start) <= 1e-6), start)
    # Opus beside video that starts at 0 starts some milliseconds before, with unheard samples.
    is_priming = -_PRIMING < start < 0 and (stream.start_time or 0) >= 0
    return 0.0 if is_priming else start


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


def error_text(error: Exception) -> str:
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
