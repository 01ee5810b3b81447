"""Open a video file by FFmpeg, which opens no other file, and put its errors into words."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, FileIO
from typing import TYPE_CHECKING, Any, cast

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__: list[str] = []

MATROSKA, MP4 = "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"  # FFmpeg's names of them
AVI, FLV, ASF, TRANSPORT_STREAM, PROGRAM_STREAM = "avi", "flv", "asf", "mpegts", "mpeg"
BEGINNING = -(2**62)  # ticks; before everything


def open_raw(source: Source) -> BytesIO | FileIO:
    """Open the file, or the bytes of one, for FFmpeg to read from Python.

    Args:
        source: The video.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        ValueError: If a path cannot be one.
    """
    if isinstance(source, VideoBytes):
        return BytesIO(source.data)
    raw = FileIO(source)
    raw.name = ""  # FFmpeg takes "%d.jpg" for a pattern and goes looking for such files
    return raw


def open_container(raw: BytesIO | FileIO) -> "InputContainer":
    """Have FFmpeg read from Python: so it opens nothing itself, whatever a playlist names.

    Args:
        raw: The file.

    Raises:
        FFmpegError: If it is not a video.
    """
    import av

    options = {"protocol_whitelist": "none"}
    tags = _tag_decoding(av.__version__)
    container: InputContainer = av.open(raw, "r", options=options, **tags)
    return container


def open_named(source: Source, path: str) -> "tuple[BytesIO | FileIO, InputContainer]":
    """Open a video, or say what is wrong with it.

    Args:
        source: The file, or the bytes of one.
        path: What an error calls it.

    Returns:
        What FFmpeg reads from, and the video; the caller closes both, the video first.

    Raises:
        UnreadableVideoError: If there is no such file, or it is not a video.
    """
    import av

    try:
        raw = open_raw(source)
    except (OSError, ValueError) as error:  # the latter if a path cannot be one, as with NUL
        raise UnreadableVideoError(path, error_text(error)) from error
    try:
        return raw, open_container(raw)
    except (av.FFmpegError, OSError) as error:
        reason = error_text(error) + logged(raw)
        raw.close()
        raise UnreadableVideoError(path, reason) from error


def best_stream(container: "InputContainer") -> "VideoStream | None":
    """Choose the stream to be watched, as FFmpeg's av_find_best_stream, torchcodec and decord do.

    That is the one which the file marks as its default, else one of many frames before one of few,
    then that of the highest bit rate. Cover art never is, even if a file has nothing else; and
    what cannot be decoded is not, where something else can.

    Args:
        container: A file just opened.

    Returns:
        The stream; None where there is none but of cover art.
    """
    from av.stream import Disposition

    cover = Disposition.attached_pic
    streams = [one for one in container.streams.video if not one.disposition & cover]
    found = [one for one in streams if _has_decoder(one)] or streams
    best = container.streams.best("video")
    if best is not None and any(one.index == best.index for one in found):
        return cast("VideoStream", best)
    is_default = Disposition.default
    return max(found, key=lambda one: bool(one.disposition & is_default), default=None)


def has_video(source: Source) -> bool | None:
    """Say whether a file has a stream to be watched; None if it cannot be opened.

    Args:
        source: The file, or the bytes of one.
    """
    import av

    try:
        with open_raw(source) as raw, open_container(raw) as container:
            return best_stream(container) is not None
    except (av.FFmpegError, OSError):
        return None


def _has_decoder(stream: "VideoStream") -> bool:
    context: VideoCodecContext | None = stream.codec_context  # PyAV's own types forget the None
    return context is not None


@contextmanager
def open_again(
    source: Source, stream: "VideoStream"
) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """Open a file once more, beside what is read of it.

    Args:
        source: The video.
        stream: Its stream that is read already.

    Yields:
        What is opened, and the same stream of it.

    Raises:
        FFmpegError: If that fails now.
        OSError: Likewise.
    """
    with open_raw(source) as raw, open_container(raw) as container:
        yield container, cast("VideoStream", container.streams[stream.index])


def read_packets(
    container: "InputContainer", *streams: "VideoStream | AudioStream"
) -> "Iterator[av.Packet[Any]]":
    """Read packets to the end of a file, and then an empty one of each stream.

    Args:
        container: The file.
        *streams: Of which; all by default.

    Yields:
        The packets.

    Raises:
        FFmpegError: If reading fails.
        OSError: Likewise.
    """
    # At the end PyAV looks up each stream there is by then, and knows those of the beginning: one
    # may have come since, as in FLV and MPEG-TS. Empty packets of those before it are out by then.
    with suppress(IndexError):
        yield from container.demux(*streams)


def _tag_decoding(version: str) -> dict[str, Any]:
    """Have PyAV 18 take tags that are not UTF-8, as PyAV 19 does without being asked."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def error_text(error: Exception) -> str:
    """Return what FFmpeg or the system says.

    Args:
        error: What was raised.
    """
    return getattr(error, "strerror", None) or str(error)


def logged(raw: BytesIO | FileIO) -> str:
    """Try to open a file once more, and return what FFmpeg logs, which says more than an error.

    Args:
        raw: The file.
    """
    import av
    import av.logging as log

    level, skips = log.get_level(), log.get_skip_repeated()
    log.set_skip_repeated(False)  # the file before may have been broken in the same way
    log.set_level(log.ERROR)
    try:
        with log.Capture() as lines, suppress(av.FFmpegError, OSError):
            raw.seek(0)
            open_container(raw).close()
    finally:
        log.set_level(level)
        log.set_skip_repeated(skips)
    said = "; ".join(dict.fromkeys(message.strip() for _, _, message in lines))
    return f" ({said})" if said else ""
