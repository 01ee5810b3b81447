"""Which of many videos can be read: looked up in several processes, none of which may hang."""

from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source
from vtlearn.media.video.opening import has_video
from vtlearn.media.video.reader import VideoInfo, VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader
from vtlearn.storage.parallel import in_parallel

__all__ = ["has_picture", "hash_all", "probe", "probe_all", "scan", "scan_all"]

ItemT = TypeVar("ItemT")

_CHUNK = 8  # videos a job: few, since one that hangs holds up those behind it
_LONGEST = 24 * 60 * 60  # seconds of a video that are scanned: a damaged header may promise years
_SCAN_SIZE = 16  # pixels; what a scan looks at is whether there is a frame


def probe_all(
    videos: Iterable[tuple[str, Path]], *, workers: int, time_budget: float | None
) -> Iterator[tuple[str, VideoInfo | UnreadableVideoError]]:
    """Look up what videos are like, and see that the first frame of each can be decoded.

    Args:
        videos: Ids and files; read as they are needed.
        workers: How many processes; 1 is this process itself.
        time_budget: Seconds that a video may take; None lets one that hangs hang for ever.

    Yields:
        The id, and what the video is like or why it cannot be read, in any order.

    Raises:
        ArgumentError: If ``time_budget`` is not positive.
        VTLearnError: If the processes died.

    Example:
        >>> [(video_id, found)] = probe_all([("a", Path("a.mp4"))], workers=1, time_budget=None)
        >>> print(found)
        a.mp4 cannot be read: No such file or directory
    """
    work = partial(_probe, time_budget=time_budget)
    for results in in_parallel(work, _chunks(videos), workers):
        yield from results


def scan_all(
    videos: Iterable[tuple[str, Path, float]], *, workers: int, time_budget: float | None
) -> Iterator[tuple[str, float | UnreadableVideoError]]:
    """Decode videos from end to end, and tell how much of each is lost.

    Args:
        videos: Ids, files and durations in seconds, as :func:`probe_all` finds them.
        workers: As :func:`probe_all` takes it.
        time_budget: Likewise; a whole video has to be decoded within it.

    Yields:
        The id, and how many seconds have no frame, of one looked for each second, or why the video
        cannot be read; in any order.

    Raises:
        ArgumentError: If ``time_budget`` is not positive.
        VTLearnError: If the processes died.
    """
    work = partial(_scan, time_budget=time_budget)
    for results in in_parallel(work, _chunks(videos), workers):
        yield from results


def hash_all(
    videos: Iterable[tuple[str, Path]], *, workers: int, time_budget: float | None
) -> Iterator[tuple[str, str | UnreadableVideoError]]:
    """Decode videos from end to end, and hash their frames.

    Args:
        videos: Ids and files.
        workers: As :func:`probe_all` takes it.
        time_budget: Likewise; a whole video has to be decoded within it.

    Yields:
        The id, and SHA-256 of all frames in hexadecimal (see
        :meth:`~vtlearn.media.video.reader.VideoReader.hash_frames`), or why the video cannot be
        read; in any order.

    Raises:
        ArgumentError: If ``time_budget`` is not positive.
        VTLearnError: If the processes died.
    """
    work = partial(_hash, time_budget=time_budget)
    for results in in_parallel(work, _chunks(videos), workers):
        yield from results


def probe(source: Source, time_budget: float | None) -> VideoInfo | UnreadableVideoError:
    """Look up what one video is like; the reader is kept for the next one.

    Args:
        source: The video.
        time_budget: As :func:`probe_all` takes it.

    Returns:
        What it is like, or why it cannot be read.

    Raises:
        ArgumentError: If ``time_budget`` is not positive.
    """
    try:
        return _reader(time_budget).probe(source)
    except UnreadableVideoError as error:
        return error


def scan(
    source: Source, duration: float, time_budget: float | None
) -> float | UnreadableVideoError:
    """Decode one video from end to end; the reader is kept for the next one.

    Args:
        source: The video.
        duration: How many seconds it lasts.
        time_budget: As :func:`probe_all` takes it.

    Returns:
        How many seconds of its first day have no frame, or why it cannot be read.

    Raises:
        ArgumentError: If ``time_budget`` is not positive.
    """
    frames = max(1, int(min(duration, _LONGEST)))
    try:
        clips = _reader(time_budget).clips(
            source, [0.0], num_frames=frames, fps=1.0, size=_SCAN_SIZE
        )
    except UnreadableVideoError as error:
        return error
    return float(frames - int(clips.valid.sum()))


def has_picture(path: str | Path) -> bool | None:
    """Say whether a file has video, or sound alone. The answer is kept until the file changes.

    Args:
        path: The file.

    Returns:
        None where it cannot be said, since the file cannot be opened.

    Example:
        >>> print(has_picture("absent.mp4"))
        None
    """
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not S_ISREG(status.st_mode):  # opening a pipe may never end
        return None
    return _has_picture(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _has_picture(path: str, *identity: int) -> bool | None:
    del identity
    return has_video(Path(path))


def _probe(
    videos: list[tuple[str, Path]], time_budget: float | None
) -> list[tuple[str, VideoInfo | UnreadableVideoError]]:
    return [(video_id, probe(path, time_budget)) for video_id, path in videos]


def _scan(
    videos: list[tuple[str, Path, float]], time_budget: float | None
) -> list[tuple[str, float | UnreadableVideoError]]:
    return [(video_id, scan(path, seconds, time_budget)) for video_id, path, seconds in videos]


def _hash(
    videos: list[tuple[str, Path]], time_budget: float | None
) -> list[tuple[str, str | UnreadableVideoError]]:
    return [(video_id, _hash_one(path, time_budget)) for video_id, path in videos]


def _hash_one(source: Source, time_budget: float | None) -> str | UnreadableVideoError:
    try:
        return _reader(time_budget).hash_frames(source)
    except UnreadableVideoError as error:
        return error


@cache
def _reader(time_budget: float | None) -> VideoReader | SubprocessVideoReader:
    """One a process: where decoding is watched, it owns a process in its turn."""
    return VideoReader() if time_budget is None else SubprocessVideoReader(time_budget)


def _chunks(items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    left = iter(items)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
