"""Items that a protocol scores, read from their videos: clips, or whole videos, as windows."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from vtlearn.batch import Sample, Unreadable
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.datasets.sampling.windows import FrameWindows, TimedWindows, WholeSegment
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.errors import EvaluationError, UnreadableVideoError
from vtlearn.media.features.spec import num_vectors
from vtlearn.padding import valid

__all__ = ["EvaluationItem", "EvaluationItems"]

_MOST_WINDOWS = 16  # of a part
_ROUNDING = 1e-6  # of a vector, by which a product with the rate may miss a whole number


class EvaluationItem(NamedTuple):
    """One clip or video that a protocol scores; a corpus lists them.

    Attributes:
        id: The item's id.
        source: Its video: the file; or, as a string, its id where features are read.
        starts: When its windows start, in seconds; or how they are spread over a segment; or the
            segment that is one window as a whole.
        texts: Texts that belong to it.
        text_ids: Their ids.
        text_spans: Start and end of each text in seconds; None where they are unknown.
    """

    id: str
    source: Path | str
    starts: Sequence[float] | UniformWindows | FrameWindows | WholeSegment
    texts: Sequence[str]
    text_ids: Sequence[str]
    text_spans: Sequence[tuple[float, float]] | None = None


class EvaluationItems(Dataset[Sample | Unreadable]):
    """Read items' windows; a video that cannot be read is an error or a record, never zeros.

    Where features are read, a segment is one window: its own vectors, floor(start) to ceil(end) in
    those of the store, at most as many as a clip has, however many windows were asked for,
    unless there are to be so many of ``each``. One that begins after the video has ended cannot be
    read. What a window shows past the last vector is padding, which ``frame_length`` leaves out. Of
    pixels it is the last frame, and counts; only
    :class:`~vtlearn.datasets.sampling.windows.TimedWindows` end with the video there as well. A
    :class:`~vtlearn.datasets.sampling.windows.WholeSegment` is read as ``sampling.whole`` reads a
    clip in training.

    An item of more than 16 windows comes in parts of at most 16, so that a video of any length is
    read, moved and encoded in little memory. Each part is an index of its own, the parts of an item
    follow each other, and the first of them has the item's texts.

    Args:
        items: What to read.
        reading: How: the frames of a window, their rate and size.
        max_unreadable: 0 to raise at once where a video cannot be read. Otherwise it gives a record
            for each of its parts; the evaluator counts the videos.

    Attributes:
        part_counts: How many parts each item comes in.

    Example:
        >>> long = EvaluationItem("v", Path("v.mp4"), [float(s) for s in range(40)], [], [])
        >>> short = EvaluationItem("w", Path("w.mp4"), [0.0], [], [])
        >>> items = EvaluationItems([long, short], Reading())
        >>> items.part_counts, len(items)
        ([3, 1], 4)
    """

    def __init__(
        self, items: Sequence[EvaluationItem], reading: Reading, max_unreadable: int = 0
    ) -> None:
        self.items = items
        self.max_unreadable = max_unreadable
        self._stored = reading.features is not None
        self.part_counts = [max(1, -(-self._count(item) // _MOST_WINDOWS)) for item in items]
        self._ends = np.cumsum(self.part_counts, dtype=np.int64)
        self._loader = ClipLoader(reading)
        self._unreadable: dict[str, Unreadable] = {}

    def __len__(self) -> int:
        """Return how many parts there are of all items together."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Sample | Unreadable:
        """Read a part of an item.

        Args:
            index: Which one, among the parts of all items.

        Returns:
            Its windows (windows, frames, 3, size, size) and, with the first part, the item's texts;
            or why the item cannot be read, which its other parts then need not try again.

        Raises:
            EvaluationError: If its video, or a window of it, cannot be read and all have to be.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(self._ends.searchsorted(index, side="right"))
        item, count = self.items[number], self.part_counts[number]
        part = index - int(self._ends[number]) + count
        read = partial(self._read, item, (part, count))
        result = read_or_record(item.id, read, self._unreadable)
        if isinstance(result, Sample) or self.max_unreadable:
            return result
        message = (
            f"{result.describe()}. A figure without it could not be compared with any other: fix "
            "the file, or set data.init_args.max_unreadable, the number of videos that may be "
            "missing"
        )
        raise EvaluationError(message)

    def sample(self, item: EvaluationItem) -> Sample:
        """Read a whole item at once, however long it is.

        Args:
            item: One of ``items``, or another.

        Returns:
            All its windows and texts.

        Raises:
            UnreadableVideoError: If its video, or a window of it, cannot be read.
        """
        return self._read(item, (0, 1))

    def _count(self, item: EvaluationItem) -> int:
        if isinstance(item.starts, WholeSegment):
            return 1
        if isinstance(item.starts, (UniformWindows, FrameWindows)):
            return 1 if self._one_of_stored(item.starts) else item.starts.count
        return len(item.starts)

    def _one_of_stored(self, windows: UniformWindows | FrameWindows) -> bool:
        each = isinstance(windows, UniformWindows) and windows.each
        return self._stored and not each

    def _starts(
        self, item: EvaluationItem, starts: Sequence[float] | UniformWindows | FrameWindows
    ) -> Sequence[float]:
        if isinstance(starts, FrameWindows):
            frames = self._loader.frames(item.source)
            return starts.starts(frames, self._loader.reading.clip_shape.num_frames)
        if not isinstance(starts, UniformWindows):
            return starts
        duration = self._duration(item.source, starts)
        return starts.starts(duration, self._loader.clip_seconds(item.source))

    def _duration(self, source: Path | str, segment: UniformWindows | WholeSegment) -> float:
        """Return how long a video is, in which a segment has to begin."""
        duration = self._loader.duration(source)
        if segment.start >= duration:
            reason = (
                f"the segment from {segment.start} s to {segment.end} s begins after it ends, at "
                f"{duration:g} s: another copy was annotated"
            )
            raise UnreadableVideoError(str(source), reason, "decode")
        return duration

    def _read_whole(self, item: EvaluationItem, segment: WholeSegment) -> Sample:
        """Read a segment as one window."""
        duration = self._duration(item.source, segment)
        end = duration if segment.end is None else segment.end
        clips = self._loader.read_spans(item.source, [(segment.start, end)])
        if not clips.readable.all():
            reason = f"frames of the segment from {segment.start} s to {end} s are lost"
            raise UnreadableVideoError(str(item.source), reason, "decode")
        sample = Sample.of(
            item.id,
            clips.frames,
            [segment.start],
            self._loader.rate(item.source),
            texts=item.texts,
            text_spans=item.text_spans,
            text_ids=item.text_ids,
            frame_length=clips.frame_length,
        )
        return sample._replace(clip_spans=torch.tensor(clips.spans, dtype=torch.float64))

    def _read_segment(self, item: EvaluationItem, segment: UniformWindows | FrameWindows) -> Sample:
        """Read the stored vectors of a segment."""
        fps, most = self._loader.reading.fps, self._loader.reading.clip_shape.num_frames
        seconds = self._loader.duration(item.source)
        end = seconds if segment.end is None else segment.end
        first = math.floor(segment.start * fps + _ROUNDING)
        stored = num_vectors(seconds, fps)
        if first >= stored:
            reason = (
                f"the segment from {segment.start} s to {end} s begins after its features end, at "
                f"{seconds} s"
            )
            raise UnreadableVideoError(str(item.source), reason, "decode")
        # past the end of the video there are no vectors
        last = min(stored, math.ceil(end * fps - _ROUNDING))
        length = max(1, min(most, last - first))
        clips = self._loader.read(item.source, [first / fps])
        if not clips.valid[0, :length].all():
            reason = f"vectors of the segment from {segment.start} s to {end} s are lost"
            raise UnreadableVideoError(str(item.source), reason, "decode")
        return Sample.of(
            item.id,
            clips.frames,
            [first / fps],
            fps,
            texts=item.texts,
            text_spans=item.text_spans,
            text_ids=item.text_ids,
            frame_length=[length],
        )

    def _frame_lengths(
        self, item: EvaluationItem, windows: Sequence[float], fps: float
    ) -> list[int]:
        """Return how many frames of each window count: none past the last vector of a store."""
        frames = self._loader.reading.clip_shape.num_frames
        lengths = [frames] * len(windows)
        if isinstance(windows, TimedWindows):
            lengths = windows.frame_lengths(fps, frames, stored=self._stored)
        if not self._stored:
            return lengths
        stored = TimedWindows(windows, self._loader.duration(item.source))
        left = stored.frame_lengths(fps, frames, stored=True)
        return [min(pair) for pair in zip(lengths, left, strict=True)]

    def _read(self, item: EvaluationItem, part: tuple[int, int]) -> Sample:
        if isinstance(item.starts, WholeSegment):
            return self._read_whole(item, item.starts)
        if isinstance(item.starts, (UniformWindows, FrameWindows)) and self._one_of_stored(
            item.starts
        ):
            return self._read_segment(item, item.starts)
        number, count = part
        windows = self._starts(item, item.starts)
        first = number * _MOST_WINDOWS
        own = slice(first, first + _MOST_WINDOWS if count > 1 else None)
        starts = windows[own]
        rate = self._loader.rate(item.source)
        lengths = self._frame_lengths(item, starts, rate)
        clips = self._loader.read(item.source, starts)
        padding = ~valid(torch.tensor(lengths, dtype=torch.int64), clips.valid.shape[1])
        complete = (clips.valid | padding).all(1)
        lost = [start for start, whole in zip(starts, complete.tolist(), strict=True) if not whole]
        if lost:
            where = f"{len(lost)} of its {len(starts)} windows from {starts[0]} s to {starts[-1]} s"
            reason = f"frames of {where} are lost, the first at {lost[0]} s"
            raise UnreadableVideoError(str(item.source), reason, "decode")
        if number > 0:
            item = item._replace(texts=[], text_ids=[], text_spans=None)
        return Sample.of(
            item.id,
            clips.frames,
            starts,
            rate,
            texts=item.texts,
            text_spans=item.text_spans,
            text_ids=item.text_ids,
            part=part,
            frame_length=lengths,
        )
