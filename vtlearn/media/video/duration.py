"""When a video ends: what its file states, held against its index and its packets."""

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.clock import PacketSurvey
from vtlearn.media.video.completeness import is_whole
from vtlearn.media.video.opening import (
    AVI,
    MATROSKA,
    PROGRAM_STREAM,
    TRANSPORT_STREAM,
    open_again,
    read_packets,
)
from vtlearn.media.video.recent import Recent

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__: list[str] = []

_ESTIMATED = (
    TRANSPORT_STREAM,
    PROGRAM_STREAM,
)  # states nothing: FFmpeg looks at a file's first and last times
_REST = 65_536  # bytes after the last packet, where an index may be
_NEAR = 1.0  # seconds by which what is stated may be off, since an index rounds

_TAILS: Recent[tuple[object, ...], float] = Recent(10_000)


class DeclaredEnd:
    """When a file says that it ends, unless its packets or its index know better.

    A part of a file that was cut off is not known to them: it is believed to have been there.

    Args:
        source: The file, or the bytes of one.
        identity: What makes a source the same file as before.
    """

    def __init__(self, source: Source, identity: tuple[object, ...]) -> None:
        self._source = source
        self._identity = identity
        # When its packets end, by the file's clock; below 0 where they cannot be read.
        self._tail = None if isinstance(source, VideoBytes) else _TAILS.get(identity)

    def seconds(
        self,
        container: "InputContainer",
        stream: "VideoStream",
        origin: float,
        surveyed: PacketSurvey | None,
    ) -> float:
        """Return it in seconds from the start of the file; 0 where nothing is stated.

        Args:
            container: The file.
            stream: Its stream.
            origin: When the file starts, by its own clock.
            surveyed: What its packets tell; None where its index can be trusted.
        """
        tick = float(stream.time_base or 0)
        stated = 0.0
        if stream.duration:
            stated = ((stream.start_time or 0) + stream.duration) * tick - origin
        elif container.duration:
            stated = container.duration / 1e6 - origin
        is_matroska = container.format.name == MATROSKA
        tagged = tagged_end(stream.metadata) if is_matroska else None
        if tagged is not None:  # what is stated may be the end of the sound
            stated = min(tagged - origin, stated)
        if surveyed is not None:
            found = 0.0 if surveyed.end is None else surveyed.end * tick - origin
            is_estimate = container.format.name in _ESTIMATED
            if found and (is_estimate or self._is_read(container, surveyed)):
                return found
            return max(stated, found)
        if len(stream.index_entries) < 2:
            return stated
        if is_matroska:
            return self._matroska(stream, stated, origin)
        if container.format.name == AVI:
            is_complete = is_whole(self._source, AVI)
        else:
            is_complete = len(stream.index_entries) == stream.frames
        return self._by_frames(stream, stated, origin, is_complete=is_complete)

    def _is_read(self, container: "InputContainer", surveyed: PacketSurvey) -> bool:
        """Say whether all of a file is there and was read, so that nothing follows."""
        is_read = container.size - surveyed.until < _REST
        return is_read and is_whole(self._source, container.format.name)

    def _by_frames(
        self, stream: "VideoStream", stated: float, origin: float, *, is_complete: bool
    ) -> float:
        """Hold against an index of all frames, which counts in decoding times."""
        index, tick = stream.index_entries, float(stream.time_base or 0)
        count = len(index)
        shown = (entry for entry in reversed(index) if not entry.is_discard)  # by the edit list
        last = next(shown, index[-1]).timestamp * tick - origin
        is_longer = stated > last + _NEAR
        if last <= stated and not (is_longer and is_complete):
            return stated
        tail = self._tail_of(stream) - origin  # the last frame may be shown for longer than others
        if tail > last:
            return tail
        # The end was cut off. The index tells how long a frame lasts on average.
        mean = (index[-1].timestamp - index[0].timestamp) / (count - 1) * tick
        return min(stated, last + mean) if is_longer else last + mean

    def _matroska(self, stream: "VideoStream", stated: float, origin: float) -> float:
        """Hold against the index, which has keyframes alone, and what follows the last one."""
        tick, index = float(stream.time_base or 0), stream.index_entries
        keyframes = [entry.timestamp for entry in index]
        last = keyframes[-1] * tick - origin
        longest = max(b - a for a, b in pairwise(keyframes)) * tick
        if last <= stated <= last + longest + _NEAR:
            return stated
        tail = self._tail_of(stream) - origin
        if stated < last:
            return max(stated, tail)
        # FFmpeg's index may be of what is left after a cut: then what is stated was there once.
        return tail if tail > last and is_whole(self._source, MATROSKA) else stated

    def _tail_of(self, stream: "VideoStream") -> float:
        """When what follows the last keyframe ends, by the file's clock; -1 if nothing comes."""
        if self._tail is None:
            with open_again(self._source, stream) as (container, again):
                self._tail = _end_of_packets(container, again, stream.index_entries[-1].timestamp)
            if not isinstance(self._source, VideoBytes):
                _TAILS.put(self._identity, self._tail)
        return self._tail


def _end_of_packets(container: "InputContainer", stream: "VideoStream", place: int) -> float:
    """When the last packet after a place ends, by the file's clock; -1 if none comes."""
    import av

    end = -1.0
    is_decoding = container.format.name == AVI  # whose clock counts what is decoded
    with suppress(av.FFmpegError, OSError):
        container.seek(place, stream=stream)
        for packet in read_packets(container, stream):
            time = packet.dts if is_decoding or packet.pts is None else packet.pts
            if packet.size and time is not None and packet.time_base and not packet.is_discard:
                end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
    return end


def tagged_end(tags: Mapping[str, str]) -> float | None:
    """Return when a stream ends, in seconds, as the writer of a Matroska file noted.

    Args:
        tags: The stream's.

    Returns:
        None where it was not noted.

    Example:
        >>> tagged_end({"DURATION": "00:01:02.500000000"})
        62.5
    """
    found = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", tags.get("DURATION", ""))
    if found is None:
        return None
    hours, minutes, seconds = map(float, found.groups())
    return (hours * 60 + minutes) * 60 + seconds
