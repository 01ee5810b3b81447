"""Read clips and properties of a video file: seconds go in, uint8 frames come out.

Nothing else in vtlearn decodes video. Times are in seconds from the start of the file, which is
when the first of its streams starts, whatever its clock says then: as for ``ffmpeg -ss`` and
players. Of a file that has sound from the start, the first frame may be later than at 0.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.clips import Clips, FrameAt, Rate, Source, VideoBytes
from vtlearn.media.video.file import VideoFile
from vtlearn.media.video.framing import Box, crop_boxes
from vtlearn.media.video.opening import error_text
from vtlearn.media.video.pictures import PictureFile, is_picture
from vtlearn.media.video.recent import Recent
from vtlearn.media.video.timeline import frame_times, time_ranges
from vtlearn.media.video.transform import FramePacker, FrameTransform, frame_orientation

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["VideoInfo", "VideoReader", "ffmpeg_versions"]

_Pixels = NDArray[np.uint8]

_LOG = logging.getLogger(__name__)
_LOGGED: Recent[str, bool] = Recent(10_000)  # files of which was said why frames are invalid


class VideoInfo(NamedTuple):
    """What a video is like.

    Attributes:
        duration: When its last frame ends, in seconds from the start of the file.
        width: Pixels across, as displayed.
        height: Pixels down, as displayed.
        fps: Frames a second, on average.
        rotation: Degrees counter-clockwise that the file asks to be turned by when displayed:
            0, 90, 180 or 270; 0 for a picture. Frames of :meth:`VideoReader.clips` come turned
            already.
        first: When its first frame is shown, in seconds from the start of the file: 0 unless there
            is sound before it, or it is H.264 in AVI, where it is one or two frames late.
        frames: How many frames it has, as the file says.
        clock: What the file's own clock says at its start, in seconds: 0 for most files.
    """

    duration: float
    width: int
    height: int
    fps: float
    rotation: int
    first: float
    frames: int
    clock: float


class VideoReader:
    """Read clips out of video files, any number of them in one pass over the file.

    A reader keeps its last file open, for the next call that wants the same one. It can be pickled
    and used after a fork, which leave that behind, and by several threads at a time.

    Args:
        num_threads: Threads that FFmpeg decodes with. 1 is right inside a loader's workers, where
            more of them have been seen to hang after a fork.

    Raises:
        ArgumentError: If ``num_threads`` is below 1.

    Example:
        >>> VideoReader().clips("absent.mp4", [0.0], num_frames=2, fps=1, size=8)
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory
    """

    def __init__(self, num_threads: int = 1) -> None:
        self._kept: list[VideoFile | PictureFile] = []  # one, or none while it is in use
        require_positive(num_threads=num_threads)
        self.num_threads = num_threads

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what is open."""
        return {"num_threads": self.num_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with nothing open."""
        self.__init__(**state)  # type: ignore[misc]

    def __del__(self) -> None:
        """Close what is open."""
        self.close()

    def close(self) -> None:
        """Close the file that was kept open for the next call, if there is one.

        Example:
            >>> VideoReader().close()
        """
        while (file := self._take()) is not None:
            file.close()

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

        The frame shown at a time is the one with the largest presentation time that is not later
        (to the microsecond); before the first frame it is the first one. Each frame is cropped,
        then scaled (bicubic) and converted to RGB in one step. Pixels are taken to be square.

        Args:
            source: The file, or the bytes of one. A still picture (JPEG, PNG, WebP, GIF) is a video
                of one frame: what is transparent is white, an animated WebP is its first frame, and
                what was cut off cannot be read. Of several video streams it is the one marked as
                default, or else the first of those with most frames; cover art is none. No other
                file is opened, whatever it names.
            starts: When each clip starts, in seconds from the start of the file, in any order;
                clips may overlap.
            num_frames: Frames of each clip.
            fps: Frames per second that the clips have, whatever the file has; or "native" for
                the average rate of the file. Frame k is then what is shown at
                ``starts[i] + (k + 0.5) / rate``, whatever ``frame_at`` is: from the start of a
                frame on, these are consecutive frames, also where the file rounds their times, as
                Matroska does to milliseconds.
            size: Height and width of the returned frames, in pixels.
            crop: ``"center"`` is the largest square in the middle; otherwise one box a clip,
                (clips, 4): top, left, height and width in pixels of the displayed video.
            pad: What is shown past the end, that is from the end of the last frame on: the last
                frame ("edge"), or zeros ("black").
            frame_at: "screen" is the frame shown at a time, as above. "nearest" is the one that
                FFmpeg's ``fps`` filter gives after a seek to the clip's start: the last frame that
                starts before ``starts[i] + (k + 0.5) / fps``. It is later than the one on screen,
                by half of 1 / fps on average; the end is half of 1 / fps earlier as well. Where the
                filter has no such frame because the first one after the seek starts too late, this
                is the one before it.

        Returns:
            The clips. Frames lost to a decoding error are invalid, up to the next keyframe; so is
            everything past the end of a file that was cut off, if the file says how long it was
            (MP4, Matroska, AVI and FLV do, MPEG streams do not). A hole in a Matroska file or an
            MPEG stream, over which FFmpeg goes without a word, cannot be told from a frame that
            stays on: it shows the frame before it. Where a clock starts again in the middle, the
            video goes on from there, as FFmpeg plays it. Where packets do not say when their frames
            are shown (H.264 in AVI), frames are counted from the first; what follows a lost one is
            invalid.

        Raises:
            ArgumentError: If a number makes no sense, or a box leaves the picture.
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        import torch

        require_clips(num_frames=num_frames, fps=fps, size=size, pad=pad, frame_at=frame_at)
        if isinstance(fps, str):
            fps, frame_at = self._native_rate(source), "nearest"
        times = frame_times(starts, num_frames, fps, frame_at)
        boxes = crop_boxes(crop, len(times))
        frames = np.zeros((*times.shape, 3, size, size), np.uint8)
        valid = self.read_into(frames, source, times, boxes, pad)
        return Clips(torch.from_numpy(frames), torch.from_numpy(valid))

    def read_into(
        self,
        frames: _Pixels,
        source: Source,
        times: NDArray[np.float64],
        boxes: Sequence[Box | None],
        pad: Literal["edge", "black"],
    ) -> NDArray[np.bool_]:
        """Do the work of :meth:`clips` where there is no torch, in memory that is there.

        Args:
            frames: (clips, frames, 3, size, size), zeros; what is shown is written here.
            source: The file, or the bytes of one.
            times: (clips, frames), in seconds.
            boxes: One a clip; None for the largest square in the middle.
            pad: What is shown past the end.

        Returns:
            Which frames are valid, (clips, frames).

        Raises:
            ArgumentError: If a box leaves the picture.
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        order = np.argsort(times, axis=None, kind="stable")
        wanted = times.ravel()[order].tolist()
        transform = FrameTransform(frames, boxes)
        valid = np.zeros(times.size, bool)
        with self._opened(source) as file:
            for shown in time_ranges(file, wanted, hold_last=pad == "edge"):
                slots = order[shown.first : shown.last]
                valid[slots] = shown.valid
                if shown.frame is not None:
                    transform.fill(slots, shown.frame)
            if not valid.all():
                _log_losses(file)
        return valid.reshape(times.shape)

    def probe(self, source: Source) -> VideoInfo:
        """Look up what a video is like, and see that its first frame can be decoded.

        Args:
            source: The file, or the bytes of one.

        Returns:
            Its properties.

        Raises:
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        with self._opened(source) as file:
            timed = next(file.decode_from(0.0), None)
            if timed is None:
                raise file.empty()
            frame = timed.frame
            height, width = frame_orientation(frame).upright_size(frame.height, frame.width)
            turned = round(frame.rotation / 90) * 90 % 360
            frames = max(1, round(file.length(timed.start) * file.fps))
            end, first = file.end(), max(0.0, timed.start)
            return VideoInfo(end, width, height, file.fps, turned, first, frames, file.clock)

    def _native_rate(self, source: Source) -> float:
        """Return the average frame rate of a file, of which nothing is decoded."""
        with self._opened(source) as file:
            return file.fps

    def hash_frames(self, source: Source) -> str:
        """Hash all frames as they are decoded, before anything is scaled or converted.

        Args:
            source: The file, or the bytes of one.

        Returns:
            SHA-256 of the raw pixels of one frame after another, in hexadecimal: what
            ``ffmpeg -i FILE -f hash -`` prints of a file with a constant frame rate.

        Raises:
            UnreadableVideoError: If the file cannot be opened, has no video, or yields no frame.
        """
        digest = hashlib.sha256()
        packer = FramePacker()
        with self._opened(source) as file:
            timed = None
            for timed in file.decode_from(0.0):
                digest.update(packer.pack(timed.frame))
            if timed is None:
                raise file.empty()
        return digest.hexdigest()

    @contextmanager
    def _opened(self, source: Source) -> Iterator[VideoFile | PictureFile]:
        """Open a file, or reuse the one kept; raise what FFmpeg says as our own error."""
        import av

        file = self._file(source)
        try:
            file.begin()
            yield file
        except (av.FFmpegError, OSError) as error:
            file.close()
            raise UnreadableVideoError(file.path, error_text(error), "decode") from error
        except BaseException:
            file.close()
            raise
        self._keep(file)

    def _file(self, source: Source) -> VideoFile | PictureFile:
        identity = _identify(source)
        while (file := self._take()) is not None:
            if file.identity == identity:
                return file
            file.close()
        if is_picture(source):
            return PictureFile(source, identity)
        return VideoFile(source, identity, self.num_threads)

    def _take(self) -> VideoFile | PictureFile | None:
        try:
            return self._kept.pop()  # in one step, so that no two threads get the same one
        except IndexError:
            return None

    def _keep(self, file: VideoFile | PictureFile) -> None:
        if file.is_as_new():
            self.close()
            self._kept.append(file)
        else:
            file.close()


def require_clips(*, num_frames: int, fps: Rate, size: int, pad: str, frame_at: str) -> None:
    """Refuse what no clip can be made of, before a decoder meets it.

    Args:
        num_frames: Frames of each clip.
        fps: Frames per second, or "native".
        size: Height and width of frames, in pixels.
        pad: What is shown past the end.
        frame_at: Which frame is taken of a time.

    Raises:
        ArgumentError: If a number is not positive, a count is not whole, ``fps`` is another word,
            ``pad`` is neither "edge" nor "black", or ``frame_at`` neither "screen" nor "nearest".

    Example:
        >>> require_clips(num_frames=2.5, fps=10, size=224, pad="edge", frame_at="screen")
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: num_frames must be a whole number, but is 2.5
    """
    require_positive(num_frames=num_frames, size=size)
    if not isinstance(fps, str):
        require_positive(fps=fps)
    elif fps not in ("native",):
        message = f'fps must be a number or "native", but is {fps!r}'
        raise ArgumentError(message)
    for name, count in (("num_frames", num_frames), ("size", size)):
        if not hasattr(count, "__index__"):  # as the whole numbers of numpy and torch have
            message = f"{name} must be a whole number, but is {count}"
            raise ArgumentError(message)
    if pad not in ("edge", "black"):
        message = f'pad must be "edge" or "black", but is {pad!r}'
        raise ArgumentError(message)
    if frame_at not in ("screen", "nearest"):
        message = f'frame_at must be "screen" or "nearest", but is {frame_at!r}'
        raise ArgumentError(message)


def ffmpeg_versions() -> dict[str, str]:
    """Return the versions of FFmpeg's libraries that videos are read with.

    Example:
        >>> sorted(ffmpeg_versions())[:2]
        ['libavcodec', 'libavdevice']
    """
    import av

    return {name: ".".join(map(str, each)) for name, each in av.library_versions.items()}


def _log_losses(file: VideoFile | PictureFile) -> None:
    """Say why frames of a file are invalid, once for each file."""
    if file.losses and _LOGGED.get(file.path) is None:
        _LOGGED.put(file.path, True)
        _LOG.warning(
            "%s: some frames are invalid: %s", file.path, "; ".join(dict.fromkeys(file.losses))
        )


def _identify(source: Source) -> tuple[object, ...]:
    """Say what makes a source the same file as before, to this process."""
    if isinstance(source, VideoBytes):
        return source.name, id(source.data), os.getpid()  # its own as long as it is held
    try:
        found = Path(source).stat()
    except (OSError, ValueError):  # opening it will fail too, and say why
        return (object(),)
    return str(source), found.st_ino, found.st_size, found.st_mtime_ns, os.getpid()
