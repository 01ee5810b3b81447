"""What is found out about a file before its frames are read, once in a process."""

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.clock import (
    PacketSurvey,
    first_packets,
    lacks_order,
    may_lack_order,
    spread,
    survey_packets,
)
from vtlearn.media.video.completeness import is_continued
from vtlearn.media.video.opening import (
    AVI,
    BEGINNING,
    MATROSKA,
    MP4,
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

_UNTIMED = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS
_PALETTE = "pal8"  # pixels that mean nothing without the palette, which is sent once


class Survey(NamedTuple):
    """What a file is like.

    Attributes:
        can_seek: Whether seeks lead where decoding from the start does.
        packets: What all packets tell; None where an index can be trusted.
        lacks_order: Whether packets do not say when their frames are shown.
        delay: Seconds that an AVI file's first frame is late by its own times.
    """

    can_seek: bool
    packets: PacketSurvey | None = None
    lacks_order: bool = False
    delay: float = 0.0


_FOUND: Recent[tuple[object, ...], Survey] = Recent(10_000)


def survey(
    source: Source,
    identity: tuple[object, ...],
    container: "InputContainer",
    stream: "VideoStream",
    *,
    is_indexed: bool,
) -> Survey:
    """Read as much of a file as it takes; where there is no index, all of it, once.

    Args:
        source: The file, or the bytes of one.
        identity: What makes a source the same file as before.
        container: The file, of which nothing is read.
        stream: Its stream.
        is_indexed: What :func:`has_index` said of it.
    """
    if isinstance(source, VideoBytes):  # others may have the name of these
        return _look(source, container, stream, is_indexed=is_indexed)
    found = _FOUND.get(identity)
    if found is None:
        found = _look(source, container, stream, is_indexed=is_indexed)
        _FOUND.put(identity, found)
    return found


def has_index(source: Source, container: "InputContainer", stream: "VideoStream") -> bool:
    """Say whether a file's index shows that its clock does not go back; have it read.

    Args:
        source: The file, or the bytes of one.
        container: It, just opened; a Matroska file without an index is anywhere afterwards.
        stream: Its stream.
    """
    name = container.format.name
    if name == MATROSKA:
        return _has_cues(container, stream) and not is_continued(source)
    # In MP4, a frame comes so much after the one before; in AVI, frames are counted.
    return name == AVI or (name == MP4 and stream.frames > 0)


def _has_cues(container: "InputContainer", stream: "VideoStream") -> bool:
    """Have a Matroska file's index read, and say whether it is in order, from the first frame on.

    A file whose clock begins below 0 has frames before the first that can be sought.
    """
    import av

    first = found = None
    with suppress(av.FFmpegError, OSError):
        first = next(read_packets(container, stream), None)
        container.seek(BEGINNING, stream=stream)
        found = next(read_packets(container, stream), None)
        container.seek(BEGINNING, stream=stream)
    if first is None or found is None or first.pos != found.pos:
        return False
    places = [entry.pos for entry in stream.index_entries]  # sorted by time
    return len(places) > 1 and places == sorted(places)


def _look(
    source: Source, container: "InputContainer", stream: "VideoStream", *, is_indexed: bool
) -> Survey:
    name, context = container.format.name, stream.codec_context
    is_seekable = name != PROGRAM_STREAM and context.pix_fmt != _PALETTE
    if name == MP4 and is_indexed:
        is_seekable = is_seekable and _rises(stream)
    found = Survey(is_seekable)
    if container.format.flags & _UNTIMED:
        return found
    if not is_indexed:
        with open_again(source, stream) as file:
            packets = survey_packets(*file, float(stream.time_base or 0))
        found = found._replace(can_seek=found.can_seek and packets.is_steady, packets=packets)
    if context.reorder_depth and name not in (PROGRAM_STREAM, TRANSPORT_STREAM):
        return _with_order(found, source, container, stream)
    return found


def _rises(stream: "VideoStream") -> bool:
    """Say whether an index is in temporal order, by which it is searched.

    Where an edit list joins several parts of a file, each begins with what is decoded before it.
    """
    times = [entry.timestamp for entry in stream.index_entries]
    return times == sorted(times)


def _with_order(
    found: Survey, source: Source, container: "InputContainer", stream: "VideoStream"
) -> Survey:
    """Look whether packets say when frames are shown, where that is not when they come."""
    with open_again(source, stream) as file:
        packets = first_packets(read_packets(*file))
    if may_lack_order(packets):
        places = spread(stream, None if found.packets is None else found.packets.end)
        with open_again(source, stream) as file:
            is_lacking = lacks_order(*file, places)
        return found._replace(can_seek=found.can_seek and not is_lacking, lacks_order=is_lacking)
    if packets and container.format.name == AVI:  # whose clock counts what is decoded
        shown = min(packet.pts for packet in packets if packet.pts is not None)
        delay = float((shown - (packets[0].dts or 0)) * (stream.time_base or 0))
        return found._replace(delay=delay)
    return found
