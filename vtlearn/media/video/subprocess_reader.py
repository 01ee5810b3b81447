"""Read videos within a time budget: a decoder that never returns is killed, and reading goes on.

A thread that hangs in C cannot be stopped, so videos are decoded in a process of their own. That
is no ``multiprocessing.Process``, since a loader's workers may not have any.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, UnreadableVideoError, VTLearnError
from vtlearn.media.clips import Clips, FrameAt, Rate, Source, VideoBytes
from vtlearn.media.video.framing import crop_boxes
from vtlearn.media.video.reader import VideoInfo, require_clips
from vtlearn.media.video.subprocess_worker import (
    ClipsRequest,
    HashRequest,
    ProbeRequest,
    SourceMarker,
)
from vtlearn.media.video.timeline import frame_times

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SubprocessVideoReader"]

_Request = ClipsRequest | HashRequest | ProbeRequest
_STARTUP = 120.0  # seconds for a decoding process to start, on a busy machine
_LONGEST = 1e6  # seconds; the system's clocks for waiting do not count much further
_REAP = 4.0  # seconds for the system to end a process that is killed
_HERE = Path(__file__).parent
_PACKAGES = {"vtlearn.media": str(_HERE.parent), "vtlearn.media.video": str(_HERE)}
# The packages' own __init__ would import torch, which takes seconds.
_BOOT = """
import json, sys, types
arguments = json.loads(sys.argv[1])
sys.path[:] = arguments["path"]
for name, folder in arguments["packages"].items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from vtlearn.media.video.subprocess_worker import run_worker
run_worker(*arguments["worker"])
"""
_inherited: list["_Child"] = []  # of the process that this one was forked from


class SubprocessVideoReader:
    """Read videos as ``VideoReader`` does, and give up on one that takes too long.

    Decoding runs in a child process, started at the first call and used for all others. It ends
    with this process, however that ends. A reader can be pickled and used after a fork; each copy
    starts a child of its own.

    Args:
        time_budget: Seconds that a call may take, at most a million. The start of the child does
            not count.
        num_threads: Threads that FFmpeg decodes with.

    Raises:
        ArgumentError: If one of them is not positive, or the budget is too long.

    Example:
        >>> with SubprocessVideoReader(20.0) as reader:
        ...     reader.probe("absent.mp4")
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory
    """

    def __init__(self, time_budget: float, num_threads: int = 1) -> None:
        self._child: _Child | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        require_positive(time_budget=time_budget, num_threads=num_threads)
        if time_budget > _LONGEST:
            message = (
                f"time_budget must be at most {_LONGEST:.0f} s, but is {time_budget}; "
                "without a budget, read with VideoReader"
            )
            raise ArgumentError(message)
        self.time_budget = time_budget
        self.num_threads = num_threads

    def __getstate__(self) -> dict[str, Any]:
        """Leave the child behind."""
        return {"time_budget": self.time_budget, "num_threads": self.num_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start without a child."""
        self.__init__(**state)  # type: ignore[misc]

    def __enter__(self) -> "SubprocessVideoReader":
        """Use it for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the child."""
        self.close()

    def __del__(self) -> None:
        """End the child."""
        self.close()

    def close(self) -> None:
        """End the child process, if there is one; the next call starts another.

        Example:
            >>> SubprocessVideoReader(20.0).close()
        """
        self._leave_inherited()
        with self._lock:
            self._end_child()

    def clips(
        self,
        source: Source,
        starts: "Sequence[float] | NDArray[np.floating[Any]] | Tensor",
        *,
        num_frames: int,
        fps: Rate,
        size: int,
        crop: "Literal['center'] | Sequence[Sequence[int]] | Tensor" = "center",
        pad: Literal["edge", "black"] = "edge",
        frame_at: FrameAt = "screen",
    ) -> Clips:
        """Return what the video shows at ``starts[i] + k / fps``.

        Args:
            source: The file, or the bytes of one.
            starts: When each clip starts, in seconds, in any order.
            num_frames: Frames of each clip.
            fps: Frames per second that the clips have; or "native" for those of the file.
            size: Height and width of the returned frames, in pixels.
            crop: The square in the middle, or one box a clip.
            pad: What is shown past the end.
            frame_at: Which frame is taken of a time.

        Returns:
            What :meth:`VideoReader.clips <vtlearn.media.video.reader.VideoReader.clips>` returns.

        Raises:
            ArgumentError: If a number makes no sense, or a box leaves the picture.
            UnreadableVideoError: If the file cannot be read, the decoder dies of it, or the time
                budget is used up.
            VTLearnError: If the child process does not start.
        """
        import torch

        require_clips(num_frames=num_frames, fps=fps, size=size, pad=pad, frame_at=frame_at)
        if isinstance(fps, str):
            fps, frame_at = self.probe(source).fps, "nearest"
        times = frame_times(starts, num_frames, fps, frame_at)
        request = ClipsRequest(source, times, size, crop_boxes(crop, len(times)), pad)
        count = times.size * 3 * size * size
        with _memory(count) as memory:
            valid = self._ask(source, request, memory.fileno())
            # Not shared: a fork of this process may write to its copy, as it may to any tensor.
            frames = torch.from_file(
                f"/dev/fd/{memory.fileno()}", shared=False, size=max(1, count), dtype=torch.uint8
            )
        shaped = frames[:count].view(*times.shape, 3, size, size)
        return Clips(shaped, torch.from_numpy(valid))

    def probe(self, source: Source) -> VideoInfo:
        """Look up what a video is like, and see that its first frame can be decoded.

        Args:
            source: The file, or the bytes of one.

        Returns:
            Its properties.

        Raises:
            UnreadableVideoError: If the file cannot be read, the decoder dies of it, or the time
                budget is used up.
            VTLearnError: If the child process does not start.
        """
        info: VideoInfo = self._ask(source, ProbeRequest(source))
        return info

    def hash_frames(self, source: Source) -> str:
        """Hash all frames as they are decoded, before anything is scaled or converted.

        Args:
            source: The file, or the bytes of one.

        Returns:
            SHA-256 in hexadecimal, as :meth:`VideoReader.hash_frames
            <vtlearn.media.video.reader.VideoReader.hash_frames>` returns it.

        Raises:
            UnreadableVideoError: If the file cannot be read, the decoder dies of it, or the time
                budget is used up.
            VTLearnError: If the child process does not start.
        """
        digest: str = self._ask(source, HashRequest(source))
        return digest

    def _ask(self, source: Source, request: _Request, memory: int | None = None) -> Any:
        """Have a request answered, in time; end a child that did not."""
        name = source.name if isinstance(source, VideoBytes) else str(source)
        self._leave_inherited()
        with self._lock:
            child = self._living_child()
            try:
                answer = child.ask(request, memory, self.time_budget)
            except TimeoutError as error:
                reason = f"decoding took longer than its time budget of {self.time_budget:g} s"
                raise UnreadableVideoError(name, reason, "time") from error
            except (EOFError, ConnectionError) as error:
                reason = f"the process that decoded it died ({child.end()})"
                raise UnreadableVideoError(name, reason, "decode") from error
            finally:
                if not child.is_idle:  # what it may still say would be taken for a later answer
                    self._end_child()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _living_child(self) -> "_Child":
        """Return the child; another one if it died while idle, of which no video is to blame."""
        if self._child is not None and self._child.process.poll() is not None:
            self._end_child()
        if self._child is None:
            self._child = _Child(self.time_budget, self.num_threads)
        return self._child

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

    def _leave_inherited(self) -> None:
        """Forget what belongs to the process that this one was forked from."""
        if self._pid == os.getpid():
            return
        if self._child is not None:
            self._child.connection.close()
            _inherited.append(self._child)
        self._child = None
        self._lock = threading.Lock()
        self._pid = os.getpid()


class _Child:
    """A decoding process, and our end of the socket between us.

    Attributes:
        is_idle: Whether it waits for a request.
    """

    def __init__(self, time_budget: float, num_threads: int) -> None:
        ours, theirs = socket.socketpair()
        worker = (theirs.fileno(), os.getpid(), time_budget, num_threads)
        arguments = json.dumps({"path": sys.path, "packages": _PACKAGES, "worker": worker})
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - nothing of it comes from a user
                [sys.executable, "-c", _BOOT, arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self.is_idle = False
        self._held: Source | SourceMarker = SourceMarker.SAME_SOURCE
        try:
            self._receive(time.monotonic() + _STARTUP)
        except (TimeoutError, EOFError, ConnectionError) as error:
            message = (
                f"the process that decodes videos did not start ({self.end()}); "
                "see above for what it wrote, or set no time budget"
            )
            raise VTLearnError(message) from error

    def ask(self, request: _Request, memory: int | None, time_budget: float) -> Any:
        """Send a request, and memory for what is large, and return the answer."""
        self.is_idle = False
        deadline = time.monotonic() + time_budget
        try:
            with self._killed_after(time_budget):  # sending waits for a child that reads nothing
                self._send(request, memory)
            return self._receive(deadline)
        except (EOFError, ConnectionError) as error:
            if time.monotonic() >= deadline:
                raise TimeoutError from error
            raise

    def end(self) -> str:
        """Kill the process, and say how it ended: by itself, perhaps."""
        self.connection.close()
        self.process.kill()
        try:
            code = self.process.wait(_REAP)
        except subprocess.TimeoutExpired:  # it hangs in the system, which will end it some day
            return "not yet ended"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _send(self, request: _Request, memory: int | None) -> None:
        is_held = _is_same(request.source, self._held)
        self.connection.send(
            request._replace(source=SourceMarker.SAME_SOURCE) if is_held else request
        )
        self._held = request.source
        if memory is not None:
            send_handle(self.connection, memory, self.process.pid)

    def _receive(self, deadline: float) -> Any:
        if not self.connection.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        answer = self.connection.recv()
        self.is_idle = True
        return answer


def _is_same(source: Source | SourceMarker, held: Source | SourceMarker) -> bool:
    """Say whether the bytes of a video were sent already."""
    if isinstance(source, VideoBytes) and isinstance(held, VideoBytes):
        return source.name == held.name and source.data is held.data
    return False


@contextmanager
def _memory(size: int) -> Iterator[BinaryIO]:
    """Provide memory that two processes can share, zeros; it has no name that could be left."""
    with ExitStack() as stack:
        if hasattr(os, "memfd_create"):
            memory: BinaryIO = stack.enter_context(os.fdopen(os.memfd_create("clips"), "r+b"))
        else:
            memory = stack.enter_context(tempfile.TemporaryFile())
        memory.truncate(max(1, size))
        yield memory
