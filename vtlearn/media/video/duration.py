"""When a video ends: what its file states, held against its index and its packets."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from vtlearn.media.clips import Source
from vtlearn.media.video.clock import PacketSurvey
from vtlearn.media.video.opening import (
    MATROSKA,
    MP4,
    PROGRAM_STREAM,
    TRANSPORT_STREAM,
    open_again,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__: list[str] = []

_ESTIMATED = (
    TRANSPORT_STREAM,
    PROGRAM_STREAM,
)  # states nothing: FFmpeg looks at a file's first and last times
_NEAR = 1.0  # seconds by which what is stated may be off, since an index rounds


class DeclaredEnd:
    """When a file says that it ends, unless its packets or its index know better.

    A part of a file that was cut off is not known to them: it is believed to have been there.

    Args:
        source: The file, or the bytes of one.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tail: float | None = None  # by the file's clock; below 0 where it cannot be read

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
            return found if found and is_estimate else max(stated, found)
        if len(stream.index_entries) < 2:
            return stated
        if is_matroska:
            return self._matroska(stream, stated, origin)
        return _by_count(container, stream, stated, origin)

    def _matroska(self, stream: "VideoStream", stated: float, origin: float) -> float:
        """Hold against the index, which has keyframes alone, and what follows the last one."""
        keyframe = stream.index_entries[-1].timestamp
        if stated + origin >= keyframe * float(stream.time_base or 0):
            return stated  # more than there is: FFmpeg's index may be of what is left after a cut
        if self._tail is None:
            with open_again(self._source, stream) as (container, again):
                container.seek(keyframe, stream=again)
                self._tail = _end_of_packets(container, again)
        return max(stated, self._tail - origin)


def _by_count(
    container: "InputContainer", stream: "VideoStream", stated: float, origin: float
) -> float:
    """Hold against an index of all frames, which counts in decoding times."""
    index, tick = stream.index_entries, float(stream.time_base or 0)
    count, first = len(index), index[0].timestamp
    span = (index[-1].timestamp - first) * count / (count - 1)
    end = ((stream.start_time or 0) + span) * tick - origin
    is_complete = container.format.name == MP4 and count == stream.frames
    is_shorter = end < stated and not is_complete  # a file that was cut off
    return stated if abs(end - stated) < _NEAR or is_shorter else end


def _end_of_packets(container: "InputContainer", stream: "VideoStream") -> float:
    """When the last packet of a stream ends, by the file's clock; -1 if none comes."""
    import av

    end = -1.0
    with suppress(av.FFmpegError, OSError):
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
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
