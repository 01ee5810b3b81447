"""Clips of one video, some at a time: windows at a fixed distance, or those of given spans."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from vtlearn.batch import Sample
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.sampling.spans import sliding_windows, uniform_windows
from vtlearn.errors import ArgumentError, LostClipsError

__all__: list[str] = []

Span = tuple[float, float]
"""When something starts and ends, in seconds of the video."""

_SECONDS = 4.0  # of a window, where clips have no length of their own


def read_windows(
    loader: ClipLoader, video: Path, *, stride: float | None, together: int
) -> Iterator[Sample]:
    """Read windows over a whole video: each that starts before it ends.

    Args:
        loader: Reads the model's clips.
        video: The file.
        stride: Seconds from the start of a window to the start of the next; None for windows side
            by side.
        together: How many windows are read at once.

    Yields:
        Consecutive windows as samples without texts; one that lost frames is left out.

    Raises:
        UnreadableVideoError: If the video cannot be read.
        ArgumentError: If ``stride`` is not positive.
    """
    if loader.reading.sampling.whole:  # its clips were captions' whole time, of any length
        seconds = _SECONDS if stride is None else stride
    else:
        seconds = loader.clip_seconds(video)
    step = seconds if stride is None else stride
    starts = sliding_windows(loader.duration(video), seconds, stride=step, partial=True)
    windows = [(start, start + seconds) for start in starts]
    for first in range(0, len(windows), together):
        yield _read(loader, video, windows[first : first + together])


def read_spans(
    loader: ClipLoader,
    video: Path,
    spans: Sequence[Span],
    *,
    together: int,
    one_each: bool = False,
) -> Iterator[tuple[Sample, list[int]]]:
    """Read windows of given spans: one about the middle of a short one, more side by side.

    Args:
        loader: Reads the model's clips.
        video: The file.
        spans: When each starts and ends, in seconds.
        together: How many windows are read at once.
        one_each: Whether to read the one window about the middle of long spans as well.

    Yields:
        Windows as samples without texts, and which span each belongs to.

    Raises:
        UnreadableVideoError: If the video cannot be read.
        LostClipsError: If no window of a span has all its frames.
        ArgumentError: If a span is not one, or lies outside the video.
    """
    first, last = loader.extent(video)
    for start, end in spans:
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            message = f"expected spans of (start, end) in seconds, start first, got {(start, end)}"
            raise ArgumentError(message)
        if end <= first or start >= last:
            message = f"the span {(start, end)} is outside {video}, which shows {first} to {last} s"
            raise ArgumentError(message)
    windows = [
        (number, window)
        for number, span in enumerate(spans)
        for window in _within(loader, video, span, one_each=one_each)
    ]
    found: set[int] = set()
    for begin in range(0, len(windows), together):
        some = windows[begin : begin + together]
        sample = _read(loader, video, [window for _, window in some])
        kept = {tuple(window) for window in sample.clip_spans.tolist()}
        owners = [number for number, window in some if window in kept]
        found.update(owners)
        yield sample, owners
    lost = [spans[number][0] for number in range(len(spans)) if number not in found]
    if lost:
        raise LostClipsError(str(video), lost)


def _within(loader: ClipLoader, video: Path, span: Span, *, one_each: bool) -> list[Span]:
    """Lay windows over a span: as many as cover it, or one about its middle."""
    if loader.reading.sampling.whole:
        return [span]
    start, end = span
    seconds = loader.clip_seconds(video)
    count = 1 if one_each else math.ceil((end - start) / seconds - 1e-9)
    starts = [max(0.0, (start + end - seconds) / 2)]
    if count > 1:
        starts = uniform_windows(start, end, seconds, count, margin=0.0)
    return [(begin, begin + seconds) for begin in starts]


def _read(loader: ClipLoader, video: Path, windows: Sequence[Span]) -> Sample:
    """Read windows, less those that lost frames."""
    starts = [start for start, _ in windows]
    if loader.reading.sampling.whole:
        timed = loader.read_spans(video, windows)
        frames, readable = timed.frames, timed.readable
    else:
        clips = loader.read(video, starts)
        frames, readable = clips.frames, clips.valid.all(1)
    spans = torch.tensor(windows, dtype=torch.float64).reshape(-1, 2)
    if not readable.all():
        frames, spans = frames[readable], spans[readable]
    return Sample.of(video.stem, frames, spans[:, 0].tolist(), fps=1.0)._replace(clip_spans=spans)
