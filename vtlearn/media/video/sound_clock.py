"""The clock of a file, by which its sound is heard: where it goes back, as the picture's goes on.

A recording that was interrupted starts its clock again. The picture goes on where it ended, and so
does the sound that belongs to it: by itself it would go on where sound ended, which may be earlier
or later, and may be two interruptions ago where a part has no sound.
"""

from collections import deque
from collections.abc import Iterator
from itertools import count
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from vtlearn.media.video.clock import ContinuousClock

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.video.stream import VideoStream

    _Packet = av.Packet[AudioStream]

__all__: list[str] = []

_JITTER = 0.1  # seconds by which sound may go back without a new clock
_APART = 10.0  # seconds from the next picture, from which on sound has a clock of its own
_CLOSELY = 1.0  # seconds from one packet of sound to the next, where none is lost; they are shorter
_KEPT = 1000  # packets of the picture that are remembered, where there is no sound
_WAITING = 10_000  # packets that wait for the next picture, at most: some megabytes


class _Picture(NamedTuple):
    place: int  # in the file
    time: float  # seconds, as the file has it
    shift: float  # seconds that are added to it


class SoundClock:
    """Gives packets of sound the times of the file's clock.

    Sound is of the clock of the picture before it in the file, or of the one after it: where these
    differ, of that of the sound that it follows closely, or else of the picture with the closer
    time. So it waits for the next picture.

    Args:
        tick: Seconds of a tick of the picture's clock, or of the sound's where it is alone.
        is_alone: Whether there is no picture: sound goes on where it ended then.
        by_position: Whether places in the file tell in which order packets come. In MPEG streams a
            packet is told once the next of its stream has begun, which is late where one is rare.
    """

    def __init__(self, tick: float, *, is_alone: bool, by_position: bool) -> None:
        self._clock = ContinuousClock(tick)
        self._is_alone = is_alone
        self._by_position = by_position
        self._numbers = count()
        self._pictures: deque[_Picture] = deque(maxlen=_KEPT)
        self._waiting: deque[tuple[int, _Packet]] = deque()
        self._shift = self._own = 0.0  # seconds that sound is moved by: the picture's, and more
        self._place_before = -1  # of the last packet of sound
        self._time_before = self._last = -inf  # when it starts, as the file has it and here
        self._end = 0.0  # when all sound so far has ended

    def add_picture(self, packet: "av.Packet[VideoStream]") -> None:
        """Take the next packet of the picture.

        Args:
            packet: It; its times are changed.
        """
        place, before, time = self._place(packet), _ticks(packet), _time(packet)
        self._clock.adjust(packet)
        after = _ticks(packet)
        if time is not None and before is not None and after is not None and packet.time_base:
            shift = float((after - before) * packet.time_base)
            self._pictures.append(_Picture(place, time, shift))

    def add_sound(self, packet: "_Packet") -> None:
        """Take the next packet of sound.

        Args:
            packet: It.
        """
        if self._is_alone:
            self._clock.adjust(packet)
        self._waiting.append((self._place(packet), packet))

    def ready(self, *, is_end: bool = False) -> "Iterator[_Packet]":
        """Yield the sound whose picture has come, with the times of the file's clock.

        Args:
            is_end: Whether no picture comes any more.
        """
        while self._waiting:
            place, packet = self._waiting[0]
            has_next = bool(self._pictures) and self._pictures[-1].place > place
            is_ready = has_next or is_end or self._is_alone or len(self._waiting) > _WAITING
            if not is_ready:
                return
            self._waiting.popleft()
            while len(self._pictures) > 1 and self._pictures[1].place <= place:
                self._pictures.popleft()
            if not self._is_alone:
                self._move(packet)
            self._place_before = place
            yield packet

    def _move(self, packet: "_Packet") -> None:
        """Change the times of a packet, which the first two pictures are beside."""
        time = _time(packet)
        if time is None or not packet.time_base:
            return
        pictures = list(self._pictures)[:2]
        if 0 <= time - self._time_before <= _CLOSELY:
            pictures = [one for one in pictures if one.shift == self._shift] or pictures
        nearest = min(pictures, key=lambda one: abs(one.time - time), default=None)
        new = [abs(one.time - time) for one in pictures if one.place > self._place_before]
        if nearest is not None and nearest.shift != self._shift:
            self._shift, self._own = nearest.shift, 0.0
        start = time + self._shift + self._own
        if start + _JITTER < self._last and min(new, default=inf) > _APART:
            self._own += self._end - start
            start = self._end
        self._time_before, self._last = time, start
        self._end = max(self._end, start + float((packet.duration or 0) * packet.time_base))
        ticks = round((start - time) / float(packet.time_base))
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks

    def _place(self, packet: "av.Packet[VideoStream] | _Packet") -> int:
        number = next(self._numbers)
        return packet.pos if self._by_position and packet.pos is not None else number


def _time(packet: "av.Packet[VideoStream] | _Packet") -> float | None:
    """Return when a packet is decoded, or else shown, in seconds."""
    ticks = _ticks(packet)
    return None if ticks is None or not packet.time_base else float(ticks * packet.time_base)


def _ticks(packet: "av.Packet[VideoStream] | _Packet") -> int | None:
    return packet.pts if packet.dts is None else packet.dts
