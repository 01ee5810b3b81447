"""Decode one video file: its frames in order of presentation, from the start or from a time on.

PyAV leaves exact seeking and damage to its users. torchcodec and decord do not, but the one needs
an FFmpeg that is installed beside it, and the other is not maintained any more.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.clock import LEAP, ContinuousClock, PacketSurvey, start_time
from vtlearn.media.video.duration import DeclaredEnd, tagged_end
from vtlearn.media.video.opening import (
    AVI,
    BEGINNING,
    FLV,
    MATROSKA,
    MP4,
    PROGRAM_STREAM,
    TRANSPORT_STREAM,
    best_stream,
    open_named,
    read_packets,
)
from vtlearn.media.video.survey import has_index, survey
from vtlearn.media.video.timeline import FrameSource, TimedFrame

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    _Packet = av.Packet[VideoStream]

__all__: list[str] = []

_PROGRESSIVE = 1  # FFmpeg's AV_FIELD_PROGRESSIVE
_INTRA = 1  # FFmpeg's AV_PICTURE_TYPE_I
_INDEXED = (MP4, MATROSKA)
_MPEG = (TRANSPORT_STREAM, PROGRAM_STREAM)  # which may be joined, or miss a part
_EARLY = 1.0  # seconds by which a frame may be shown before one that is decoded before it
_CUT = 1.0  # seconds by which a file may end before it says so, and still be whole

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
        self._is_surveyed = self._lacks_order = False
        self._surveyed: PacketSurvey | None = None  # of a file without an index to trust
        self._declared = DeclaredEnd(source, identity)
        self._delay = 0.0  # seconds that an AVI file's first frame is late by its own times
        self.losses: list[str] = []  # why frames are invalid, since frames were last prepared for

    def begin(self) -> None:
        """Prepare to read frames; open the file unless it is open."""
        self.cut_off = False
        self.losses = []
        if not self._is_open:
            self.open()
        if not self._is_surveyed:
            self._survey()
            self._is_surveyed = True

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
        self.close()
        self._raw, self.container = open_named(self.source, self.path)
        self._pid = os.getpid()
        self._is_open = True
        self._is_used = False
        self._set_stream()

    def _set_stream(self) -> None:
        import av

        stream = best_stream(self.container)
        if stream is None:
            raise UnreadableVideoError(self.path, "it has no video stream")
        self.stream = stream
        context: VideoCodecContext | None = self.stream.codec_context
        if context is None:
            raise UnreadableVideoError(self.path, "FFmpeg has no decoder for its video stream")
        base = self.stream.time_base or Fraction(1, av.time_base)
        self._unit, self._units = base.numerator, base.denominator  # ticks are unit / units seconds
        self._origin = start_time(self.container, self.stream) + self._delay
        self._reorder_depth = context.reorder_depth
        context.thread_count = self.num_threads
        if self.num_threads > 1:
            self.stream.thread_type = "AUTO"

    def _survey(self) -> None:
        """Find out whether seeks lead where decoding from the start does, and what times mean."""
        is_indexed = has_index(self.source, self.container, self.stream)
        if self.container.format.name == MATROSKA and not is_indexed:
            self.open()  # looking for an index may have led anywhere
        found = survey(
            self.source, self.identity, self.container, self.stream, is_indexed=is_indexed
        )
        self.can_seek, self._surveyed, self._lacks_order, self._delay = found
        self._origin += self._delay

    @property
    def fps(self) -> float:
        """Frames a second; 25 where the file gives no hint."""
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    @property
    def clock(self) -> float:
        """What the file's own clock says at its start, in seconds."""
        return self._origin

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
            self.container.seek(BEGINNING, stream=self.stream)
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
        return self._declared_end() or self._scan()

    def length(self, first: float) -> float:
        """How long its frames last together, in seconds, if the first appears then."""
        if self.container.format.name == AVI:  # whose first frame may appear later than it says
            first = self._seconds(self.stream.start_time or 0) + self._delay
        return self.end() - first

    def _scan(self) -> float:
        self.open()
        packets = [packet for packet in self._packets() if packet is not None and packet.size]
        ends = [p.pts + (p.duration or 0) for p in packets if p.pts is not None]
        return self._seconds(max(ends)) if ends else len(packets) / self.fps

    def _ticks(self, seconds: float) -> int:
        ticks = (seconds + self._origin) * self._units / self._unit
        return int(min(max(ticks, BEGINNING), -BEGINNING))  # FFmpeg counts in 64 bits

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
                if not self.losses:
                    self._note_loss(None if start == inf else end)
                await_key = lost = self._is_damaged = True
                if self._lacks_order:
                    break  # frames are counted, and it is unknown how many are lost
            elif not await_key or self._is_key(frame):
                if start == inf and frame.pts is None:
                    if sought:
                        return  # it is not known where the seek has led
                    if self.container.format.name == MATROSKA:
                        continue  # it is before the start: FFmpeg gives negative times to none
                before, start = start, end if frame.pts is None else self._seconds(frame.pts)
                if self._is_leap(before, start):
                    lost = True
                    self.losses.append(f"the clock leaps from {end:.2f} s to {start:.2f} s")
                self._longest = max(self._longest, 0.0 if lost else start - before)
                end = start + self._duration(frame)
                yield TimedFrame(frame, start, end, lost)
                await_key = lost = False
        self.cut_off = lost or self._is_cut(end)
        self._note_end(end, self._declared_end())

    def _is_leap(self, before: float, start: float) -> bool:
        """Say whether there may have been others between two frames, for all that is known."""
        if self._surveyed is None or self.container.format.name not in _MPEG:
            return False
        leaps = map(self._seconds, self._surveyed.leaps)
        return start - before > LEAP and any(before < leap < start + _EARLY for leap in leaps)

    def _note_loss(self, time: float | None) -> None:
        """Note why frames from a time on are invalid."""
        place = "" if time is None else f" at {time:.2f} s"
        until = "up to the next keyframe"
        if self._lacks_order:
            until = "to the end, since it does not say when each is shown, and they are counted"
        self.losses.append(f"a frame{place} cannot be decoded, and what follows is lost {until}")

    def _note_end(self, end: float, whole: float) -> None:
        """Note why frames past the end are invalid, if they are."""
        if not self.cut_off or self._lacks_order:
            return
        stated = f", of {whole:.2f} s that it states" if whole > end else ""
        self.losses.append(f"there is none after {end:.2f} s{stated}")

    def _duration(self, frame: "av.VideoFrame") -> float:
        """How long a frame is shown, in seconds, if another does not come before."""
        if self.container.format.name == FLV:  # which does not say: a guess, another after a seek
            return 1 / self.fps
        return frame.duration * self._unit / self._units or 1 / self.fps

    def _is_key(self, frame: "av.VideoFrame") -> bool:
        """Say whether decoding may begin with a frame.

        Where H.264 is refreshed bit by bit instead of by keyframes, a frame of which the last part
        has come is called one, though the rest of it is made from frames before.
        """
        if not frame.key_frame:
            return False
        context = self.stream.codec_context
        is_plain = context.name == "h264" and context.field_order == _PROGRESSIVE
        return not is_plain or frame.pict_type == _INTRA

    def _is_cut(self, end: float) -> bool:
        """Say whether the file promises more than the frames that came, which end there."""
        if self.container.format.name != MATROSKA:
            return end + _CUT < self._declared_end()
        # Matroska does not say how long a frame is shown: the last one perhaps as any other.
        end += max(_CUT, self._longest)
        whole = self._declared_end()  # a tag may be older than what it is about
        tagged = tagged_end(self.stream.metadata)
        if tagged is None:  # the whole may be that of the sound
            return max(end, self._others_end + _CUT) < whole
        return end < min(tagged - self._origin, whole)

    def _declared_end(self) -> float:
        origin = self._origin - self._delay  # the times of an AVI file end as if none were late
        return self._declared.seconds(self.container, self.stream, origin, self._surveyed)

    def _frames(self, packets: "Iterator[_Packet | None]") -> "Iterator[av.VideoFrame | None]":
        """Decode; None stands where something could not be decoded."""
        decoded: deque[int | None] = deque()
        for packet in packets:  # all of them: damage in one that is skipped would go unnoticed
            if packet is not None and packet.size:
                decoded.append(packet.dts)
            frames, intact = self._decode(packet)
            if self._lacks_order:  # they come in the order in which they are shown
                for frame in frames:
                    frame.pts = decoded.popleft() if decoded else None
                # A decoder that gets no keyframe first keeps silent about what it leaves out.
                held = self.stream.codec_context.reorder_depth + self.num_threads - 1
                intact = intact and len(decoded) <= held
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
        if self._lacks_order:  # the frame that is lost might have come before these
            return [], False
        if packet is not None and packet.pts is not None:  # what is later comes after the loss
            frames = [each for each in frames if each.pts is None or each.pts < packet.pts]
        return frames, False

    def _packets(self) -> "Iterator[_Packet | None]":
        """Read the stream to its end, then an empty packet; None if reading fails."""
        import av

        clock = ContinuousClock(self._unit / self._units)
        # In a table of all frames, times go back where what is decoded before a part is listed.
        has_table = self.container.format.name == MP4 and self._surveyed is None
        try:
            for packet in read_packets(self.container):
                if packet.stream is self.stream:
                    if not has_table:
                        clock.adjust(packet)
                    yield packet
                elif packet.pts is not None and packet.time_base:  # unset, it is None or 0
                    ticks = packet.pts + (packet.duration or 0)
                    end = float(ticks * packet.time_base) - self._origin
                    self._others_end = max(self._others_end, end)
        except (av.FFmpegError, OSError):
            yield None


def _mark(packet: "_Packet") -> tuple[int | None, ...]:
    return packet.pos, packet.size, packet.pts, packet.dts
