"""Decode videos for another process, which may kill this one: ``subprocess_reader``'s other half.

Nothing here imports torch, whose import takes longer than the decoding of many videos.
"""

import faulthandler
import mmap
import os
import signal
import threading
import time
from enum import Enum
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.media.clips import Source
from vtlearn.media.video.framing import Box
from vtlearn.media.video.reader import VideoInfo, VideoReader

__all__: list[str] = []

_GRACE = 5.0  # seconds after the budget, for the other process to kill this one itself
_POLL_INTERVAL = 1.0  # seconds between two looks whether the other process is alive


class SourceMarker(Enum):
    """Stands for a source that was sent already: nothing that a user might pass for one."""

    SAME_SOURCE = "the source of the request before"


class ClipsRequest(NamedTuple):
    """Ask for clips; what memory they go to is sent after this, as a file descriptor.

    Attributes:
        source: The file, or the bytes of one, unless they are held.
        times: (clips, frames), in seconds.
        size: Height and width of frames.
        boxes: One a clip; None for the square in the middle.
        pad: What is shown past the end.
    """

    source: Source | SourceMarker
    times: NDArray[np.float64]
    size: int
    boxes: list[Box | None]
    pad: Literal["edge", "black"]


class ProbeRequest(NamedTuple):
    """Ask what a video is like.

    Attributes:
        source: The file, or the bytes of one, unless they are held.
    """

    source: Source | SourceMarker


class HashRequest(NamedTuple):
    """Ask for the hash of all frames.

    Attributes:
        source: The file, or the bytes of one, unless they are held.
    """

    source: Source | SourceMarker


def run_worker(handle: int, parent: int, time_budget: float, num_threads: int) -> None:
    """Answer requests until no more can be sent.

    Args:
        handle: The file descriptor of our end of a socket.
        parent: The process that sends requests; this one does not outlive it.
        time_budget: Seconds a request may take, after which the parent kills this process; should
            the parent be gone as well, the process ends itself.
        num_threads: Threads that FFmpeg decodes with.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    connection: Connection[Any, Any] = Connection(handle)
    reader = VideoReader(num_threads)
    source: Source = ""
    connection.send(None)  # ready
    with Path(os.devnull).open("w") as nowhere:
        while True:
            try:
                request = connection.recv()
            except (EOFError, ConnectionError):
                return
            # Needs no lock of Python's, so it ends what will never give that back.
            faulthandler.dump_traceback_later(time_budget + _GRACE, exit=True, file=nowhere)
            source = source if request.source is SourceMarker.SAME_SOURCE else request.source
            connection.send(_answer(connection, reader, request, source))
            faulthandler.cancel_dump_traceback_later()


def _answer(
    connection: "Connection[Any, Any]",
    reader: VideoReader,
    request: ClipsRequest | HashRequest | ProbeRequest,
    source: Source,
) -> VideoInfo | NDArray[np.bool_] | str | Exception:
    try:
        if isinstance(request, ProbeRequest):
            return reader.probe(source)
        if isinstance(request, HashRequest):
            return reader.hash_frames(source)
        return _read(recv_handle(connection), reader, request, source)
    except Exception as error:  # noqa: BLE001 - raised again where it was asked for
        return error


def _read(
    memory: int, reader: VideoReader, request: ClipsRequest, source: Source
) -> NDArray[np.bool_]:
    """Write frames to memory that is shared, and return which are valid."""
    shape = (*request.times.shape, 3, request.size, request.size)
    try:
        mapped = mmap.mmap(memory, 0)
    finally:
        os.close(memory)
    frames = np.frombuffer(mapped, np.uint8, count=int(np.prod(shape))).reshape(shape)
    return reader.read_into(frames, source, request.times, request.boxes, request.pad)


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL)
    os._exit(1)
