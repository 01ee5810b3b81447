"""What is captioned of a video: windows of equal length, those of a transcript, or scenes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.index import CaptionIndex
from vtlearn.media.clips import ClipReader

__all__ = ["Windows"]

_SCENE_FPS = 8.0  # frames per second that are compared
_SCENE_SIZE = 32  # their height and width in pixels
_SCENE_FRAMES = 512  # that are held at once
_SHORTEST_SCENE = 1.0  # seconds; a flash does not make one
_ROUNDING = 1e-6  # seconds


class Span(NamedTuple):
    """A stretch of a video.

    Attributes:
        start: Seconds from the start of the video.
        end: Likewise, after ``start``.
    """

    start: float
    end: float


class Windows(ABC):
    """Lays windows over a video.

    Attributes:
        reads_frames: Whether a video has to be decoded for that.
    """

    reads_frames = False

    @abstractmethod
    def __str__(self) -> str:
        """Return what they are, as it is given at the command line."""

    @abstractmethod
    def spans(self, video_id: str, path: str, duration: float, reader: ClipReader) -> list[Span]:
        """Lay windows over a video.

        Args:
            video_id: Its id.
            path: Its file.
            duration: How long it is, in seconds.
            reader: Reads its frames, where these decide.

        Returns:
            The windows in temporal order; there may be none.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            TranscriptError: If its transcript is damaged.
        """


class FixedWindows(Windows):
    """Windows of one length, side by side.

    Args:
        seconds: How long one is; the last of a video may be shorter, by up to a half.

    Raises:
        ArgumentError: If that is not positive.

    Example:
        >>> from vtlearn.media.video.reader import VideoReader
        >>> FixedWindows(2.0).spans("v", "v.mp4", 5.5, VideoReader())
        [Span(start=0.0, end=2.0), Span(start=2.0, end=4.0), Span(start=4.0, end=5.5)]
    """

    def __init__(self, seconds: float) -> None:
        require_positive(seconds=seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        """Return ``fixed:SECONDS``."""
        return f"fixed:{self.seconds:g}"

    @override
    def spans(self, video_id: str, path: str, duration: float, reader: ClipReader) -> list[Span]:
        count = max(1, math.floor(duration / self.seconds + 0.5))
        ends = [*((number + 1) * self.seconds for number in range(count - 1)), duration]
        ends[-1] = min(duration, count * self.seconds)
        return [Span(n * self.seconds, end) for n, end in enumerate(ends)]


class SpokenWindows(Windows):
    """The times of what is said in a video, one window per caption.

    What ends after the video is cut there; captions that last no time, or start after it, have no
    window.

    Args:
        captions: Those of the corpus.
        keys: What a video is called among them, by its id; videos without captions are left out.
    """

    def __init__(self, captions: CaptionIndex, keys: dict[str, str]) -> None:
        self._captions, self._keys = captions, keys

    def __str__(self) -> str:
        """Return ``asr:NAME``, and a hash of the captions' times: other ones are other windows."""
        captions = self._captions
        times = captions.spans_sha256[:12]
        return f"asr:{captions.source} ({captions.num_captions} captions, their times {times})"

    @override
    def spans(self, video_id: str, path: str, duration: float, reader: ClipReader) -> list[Span]:
        key = self._keys.get(video_id)
        said = [] if key is None else self._captions[key]
        cut = [Span(caption.start, min(caption.end, duration)) for caption in said]
        return [span for span in cut if span.end - span.start > _ROUNDING]


class Scenes(Windows):
    """What lies between the cuts of a video.

    A cut is where two frames, an eighth of a second apart, differ: the mean absolute difference of
    their grey levels at 32 x 32 pixels, from 0 to 1, is above a threshold. Cuts less than a second
    after another, or before the end, are not taken.

    Args:
        threshold: How much they differ, between 0 and 1; 0.1 to 0.3 find the cuts of most films.

    Raises:
        ArgumentError: If it is not between 0 and 1.
    """

    reads_frames = True

    def __init__(self, threshold: float) -> None:
        if not 0 < threshold < 1:
            message = f"the threshold of scenes has to be between 0 and 1, but is {threshold}"
            raise ArgumentError(message)
        self.threshold = threshold

    def __str__(self) -> str:
        """Return ``scenes:THRESHOLD``."""
        return f"scenes:{self.threshold:g}"

    @override
    def spans(self, video_id: str, path: str, duration: float, reader: ClipReader) -> list[Span]:
        cuts = [0.0]
        for time in self._cuts(path, duration, reader):
            if time - cuts[-1] >= _SHORTEST_SCENE and duration - time >= _SHORTEST_SCENE:
                cuts.append(time)
        return [Span(*span) for span in zip(cuts, [*cuts[1:], duration], strict=True)]

    def _cuts(self, path: str, duration: float, reader: ClipReader) -> list[float]:
        """Compare frames with the ones before them, so many at a time as memory should hold."""
        found: list[float] = []
        total = max(1, math.ceil(duration * _SCENE_FPS))
        last: NDArray[np.float64] | None = None
        for first in range(0, total, _SCENE_FRAMES):
            count = min(_SCENE_FRAMES, total - first)
            clips = reader.clips(
                path, [first / _SCENE_FPS], num_frames=count, fps=_SCENE_FPS, size=_SCENE_SIZE
            )
            for number in clips.valid[0].nonzero().flatten().tolist():  # lost ones tell nothing
                grey = clips.frames[0, number].double().mean(0).numpy() / 255
                if last is not None and float(np.abs(grey - last).mean()) > self.threshold:
                    found.append((first + number) / _SCENE_FPS)
                last = grey
        return found


def frame_times(spans: Sequence[Span], frames: int) -> list[float]:
    """Return when the frames of windows are shown: in the middle of equal shares of each.

    Args:
        spans: The windows.
        frames: How many frames each has.

    Returns:
        Seconds, window by window: at 1/6, 3/6 and 5/6 of a window with three frames.

    Example:
        >>> frame_times([Span(0.0, 6.0), Span(6.0, 12.0)], 3)
        [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    """
    shares = [(2 * number + 1) / (2 * frames) for number in range(frames)]
    return [span.start + share * (span.end - span.start) for span in spans for share in shares]


def parse_windows(text: str) -> FixedWindows | Scenes | Path:
    """Read ``fixed:SECONDS``, ``scenes:THRESHOLD`` or ``asr:FOLDER``.

    Args:
        text: As it stands at the command line.

    Returns:
        The windows; of ``asr`` the folder, whose captions have to be matched with videos.

    Raises:
        ArgumentError: If it is something else.

    Example:
        >>> str(parse_windows("fixed:2"))
        'fixed:2'
    """
    kind, _, value = text.partition(":")
    if kind == "asr" and value:
        return Path(value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if kind == "fixed" and number > 0 and math.isfinite(number):
        return FixedWindows(number)
    if kind == "scenes" and not math.isnan(number):
        return Scenes(number)
    message = (
        f"windows: expected fixed:SECONDS, asr:FOLDER or scenes:THRESHOLD, got {text!r}; fixed:2 "
        "are windows of two seconds"
    )
    raise ArgumentError(message)
