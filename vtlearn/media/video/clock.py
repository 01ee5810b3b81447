"""What the packets of a stream tell of its clock, before anything is decoded.

A seek leads to where decoding from the start leads only if the clock never goes back, the packets
say when their frames are shown, and whatever the decoder needs comes with each keyframe.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from vtlearn.media.video.opening import read_packets

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

    _Packet = av.Packet[Any]  # of video, or of sound

__all__: list[str] = []

_FIRST = 32  # packets; twice as far as H.264 and H.265 may decode ahead of presentation
_PARTS = 4  # of a stream, at whose beginnings is looked
_PRIMING = 0.1  # seconds before 0 that sound starts at most, where a coder needs a run-up
_JITTER = 0.1  # seconds by which decoding times may go back without a new clock, as in FFmpeg
LEAP = 30.0  # seconds between frames over which another part of a file may begin
_HALF_TURN = 2**32 / 90_000  # seconds; half of what clocks of MPEG count to


class ContinuousClock:
    """Continues a clock that starts again, as a recording's that was interrupted, where it was.

    It goes back then; or far ahead, where FFmpeg takes it for a clock of MPEG that has counted to
    its end.

    Args:
        tick: Seconds of a tick.
    """

    def __init__(self, tick: float) -> None:
        self._jitter = _JITTER / tick
        self._turn = _HALF_TURN / tick
        self._offset = 0
        self._decoded: int | None = None  # the last packet's time
        self.end: int | None = None  # when all frames so far have ended

    def adjust(self, packet: "_Packet") -> None:
        """Change the times of the next packet, if the clock has started again."""
        dts, pts = packet.dts, packet.pts
        if dts is not None and self._decoded is not None and self.end is not None:
            if not -self._jitter <= dts - self._decoded <= self._turn:
                self._offset = self.end - (dts if pts is None else pts)
            self._decoded = dts
        elif dts is not None:
            self._decoded = dts
        if self._offset:
            packet.dts = None if dts is None else dts + self._offset
            packet.pts = None if pts is None else pts + self._offset
        if packet.pts is not None:
            end = packet.pts + (packet.duration or 0)
            self.end = end if self.end is None else max(self.end, end)


class PacketSurvey(NamedTuple):
    """What all packets of a stream tell.

    Attributes:
        is_steady: Whether none goes back in time or far ahead, or carries what is sent only once.
        end: When all frames have ended, in ticks; None where no packet has a time.
        until: Where in the file the last packet of any stream begins, in bytes.
        leaps: When packets are shown, in ticks, that come long after the one before, while there is
            nothing of other streams either.
    """

    is_steady: bool
    end: int | None
    until: int
    leaps: tuple[int, ...]


def survey_packets(container: "InputContainer", stream: "VideoStream", tick: float) -> PacketSurvey:
    """Read a stream to its end without decoding, as far as that goes.

    Args:
        container: A file just opened.
        stream: Its stream.
        tick: Seconds of a tick.
    """
    import av

    clock = ContinuousClock(tick)
    is_steady = is_first = True
    decoded: int | None = None
    until = 0
    gaps: list[tuple[float, int]] = []  # the end of one packet in seconds, the next one in ticks
    heard: set[int] = set()  # thirds of a leap in which there is something of other streams
    with suppress(av.FFmpegError, OSError):  # what reading the frames meets as well
        for packet in read_packets(container):
            until = max(until, packet.pos or 0)
            if packet.stream is not stream and packet.dts is not None and packet.time_base:
                heard.add(_third(packet.dts * float(packet.time_base)))
            if packet.stream is not stream or not packet.size:
                continue
            sent_once = not is_first and _brings_state(packet)
            dts = packet.dts
            step = 0 if dts is None or decoded is None else dts - decoded
            is_steady = is_steady and not sent_once and 0 <= step * tick <= _HALF_TURN
            decoded, is_first = dts, False
            before = clock.end
            clock.adjust(packet)
            pts = packet.pts
            if before is not None and pts is not None and (pts - before) * tick > LEAP:
                gaps.append((before * tick, pts))
    # Other streams do not tell when they are played once a clock has started again.
    leaps = [
        pts
        for end, pts in gaps
        if not is_steady or not heard.issuperset(range(_third(end) + 1, _third(pts * tick)))
    ]
    return PacketSurvey(is_steady, clock.end, until, tuple(leaps))


def _third(seconds: float) -> int:
    """Number the thirds of a leap, from when a clock shows 0."""
    return math.floor(3 * seconds / LEAP)


def start_time(container: "InputContainer", stream: "VideoStream | AudioStream") -> float:
    """Return when a file starts by its own clock, in seconds; 0 where it has none.

    Args:
        container: The file.
        stream: The stream that is watched, or heard where there is none.
    """
    if not container.start_time:  # None where there is no clock
        return 0.0
    start = container.start_time / 1e6  # to the microsecond; a stream tells exactly
    found = [s.start_time * s.time_base for s in container.streams if s.start_time and s.time_base]
    start = next((float(one) for one in found if abs(one - start) <= 1e-6), start)
    # Opus beside video that starts at 0 starts some milliseconds before, with unheard samples.
    is_priming = -_PRIMING < start < 0 and (stream.start_time or 0) >= 0
    return 0.0 if is_priming else start


def _brings_state(packet: "_Packet") -> bool:
    """Say whether a demuxer tells a decoder with this packet what it tells it only once."""
    return any(
        (
            packet.has_sidedata("palette"),
            packet.has_sidedata("new_extradata"),
            packet.has_sidedata("param_change"),
        )
    )


def first_packets(packets: "Iterable[_Packet | None]") -> "list[_Packet]":
    """Take the first packets of a stream, enough to see that frames are reordered."""
    return [one for one in islice(packets, _FIRST) if one is not None and one.size]


def may_lack_order(packets: "list[_Packet]") -> bool:
    """Say whether packets of a stream with B-frames have no times of presentation of their own.

    Args:
        packets: The first of the stream, in decoding order: times of presentation that rise from
            one to the next are those of decoding, or else no B-frame is among them.
    """
    times = [packet.pts for packet in packets]
    return all(b is None or a is None or a < b for a, b in pairwise(times))


def lacks_order(container: "InputContainer", stream: "VideoStream", places: Sequence[int]) -> bool:
    """Decode some frames, and say whether their times may not be in the order they come in.

    Where packets are damaged, that is not seen: it is taken for so, unless packets elsewhere show
    that they say when their frames are shown.

    Args:
        container: A file just opened.
        stream: Its stream.
        places: Where to look besides its start, in ticks: B-frames may not be everywhere.
    """
    import av

    is_seen = True
    for place in (None, *places):
        times: list[int] | None = None
        with suppress(av.FFmpegError, OSError):
            if place is not None:
                container.seek(place, stream=stream)
            packets = first_packets(read_packets(container, stream))
            if not may_lack_order(packets):
                return False  # the packets of B-frames say when these are shown
            times = _decoded_times(packets)
        if times is None:
            is_seen = False
        elif any(b < a for a, b in pairwise(times)):
            return True
    return not is_seen


def _decoded_times(packets: "list[_Packet]") -> list[int] | None:
    """Decode packets, and return when their frames are shown; None where one of them is damaged."""
    frames = [frame for packet in packets for frame in packet.decode()]
    if any(packet.is_corrupt for packet in packets) or any(frame.is_corrupt for frame in frames):
        return None
    return [frame.pts for frame in frames if frame.pts is not None]


def spread(stream: "VideoStream", end: int | None) -> list[int]:
    """Return some places of a stream, in ticks: by its index, or else up to its end.

    Args:
        stream: The stream.
        end: When all its frames have ended; None where it has an index.
    """
    index, start = stream.index_entries, stream.start_time or 0
    if len(index) > 1:
        return [index[len(index) * part // _PARTS].timestamp for part in range(1, _PARTS)]
    if end is None:
        return []
    return [start + (end - start) * part // _PARTS for part in range(1, _PARTS)]
