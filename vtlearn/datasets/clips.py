"""Read clips as a corpus is set to: pixels, drawn and mirrored at random, or stored vectors."""

import math
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.spans import part_middles, stored_vectors
from vtlearn.datasets.sampling.windows import VideoFrames
from vtlearn.errors import FeatureError, UnreadableVideoError
from vtlearn.media.clips import ClipReader, Clips, Source
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.spec import num_vectors
from vtlearn.media.video.reader import VideoInfo, VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader
from vtlearn.padding import valid

__all__ = ["ClipLoader", "clip_reader"]


class TimedClips(NamedTuple):
    """Clips with times of their own.

    Attributes:
        frames: (clips, frames, ...), as :class:`~vtlearn.media.clips.Clips` has them; zeros where
            they do not count.
        readable: Which clips have all the frames that count, (clips,), bool.
        spans: Start and end of what counts of each clip, in seconds.
        frame_length: How many frames of each clip count.
    """

    frames: Tensor
    readable: Tensor
    spans: list[tuple[float, float]]
    frame_length: list[int]

    @classmethod
    def of(cls, clips: Clips, starts: Sequence[float], fps: float) -> Self:
        """Describe clips of one length, all of whose frames count.

        Args:
            clips: The clips.
            starts: When each starts, in seconds.
            fps: Frames per second.
        """
        num_frames = clips.frames.shape[1]
        spans = [(start, start + num_frames / fps) for start in starts]
        # a lost frame would be a black one
        return cls(clips.frames, clips.valid.all(1), spans, [num_frames] * len(starts))


@runtime_checkable
class _PixelReader(Protocol):
    def probe(self, source: Source) -> VideoInfo: ...


class ClipLoader:
    """Read clips of one length, rate and size, as a corpus's settings say.

    Nothing is opened before the first clip. A loader can be sent to a worker, and opens there what
    it needs.

    Args:
        reading: The settings.
        reader: What to read by; by default what the settings ask for.

    Example:
        >>> from vtlearn.datasets.reading import ClipSampling, Pixels
        >>> sampling = ClipSampling(num_frames=8, fps=4.0)
        >>> loader = ClipLoader(Reading(sampling=sampling, pixels=Pixels(size=64)))
        >>> loader.read("absent.mp4", [0.0])
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory
    """

    def __init__(self, reading: Reading, reader: ClipReader | None = None) -> None:
        self.reading = reading
        self._given = reader

    def read(self, source: Source, starts: Sequence[float]) -> Clips:
        """Read clips for evaluation: of the centre, not mirrored, and padded as in training.

        Args:
            source: The video.
            starts: When each clip starts, in seconds.

        Returns:
            The clips.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            ArgumentError: If the frames or the size of a clip were left to a video encoder, and
                there is none.
        """
        return self._clips(source, starts, None)

    def draw(self, source: Source, starts: Sequence[float], rng: np.random.Generator) -> Clips:
        """Read clips for training: cropped and mirrored at random, if that was asked for.

        Args:
            source: The video.
            starts: When each clip starts, in seconds.
            rng: Where randomness comes from.

        Returns:
            The clips.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            ArgumentError: As :meth:`read` does.
        """
        boxes = self._boxes(source, len(starts), rng)
        clips = self._clips(source, starts, boxes)
        self._mirror(clips.frames, rng)
        return clips

    def draw_spans(
        self, source: Source, spans: Sequence[tuple[float, float]], rng: np.random.Generator
    ) -> TimedClips:
        """Read clips of given times for training, cropped and mirrored as :meth:`draw` does.

        Args:
            source: The video, which is decoded once, however many of the times overlap.
            spans: When each clip starts and ends, in seconds.
            rng: Where randomness comes from.

        Returns:
            The clips, of the frames that :meth:`read_spans` reads.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            ArgumentError: As :meth:`read` does.
        """
        return self._timed(source, spans, rng)

    def read_spans(self, source: Source, spans: Sequence[tuple[float, float]]) -> TimedClips:
        """Read clips of given times for evaluation: of the centre, and not mirrored.

        Of pixels, a clip is what is on screen in the middles of ``num_frames`` equal parts of its
        time: that is also what "nearest" means at this distance of frames. Of stored features, it
        is the vectors of its time: see
        :func:`~vtlearn.datasets.sampling.spans.stored_vectors`.

        Args:
            source: The video, which is decoded once, however many of the times overlap.
            spans: When each clip starts and ends, in seconds.

        Returns:
            The clips; those of stored vectors with the time of these.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            ArgumentError: As :meth:`read` does.
        """
        return self._timed(source, spans, None)

    def _timed(
        self,
        source: Source,
        spans: Sequence[tuple[float, float]],
        rng: np.random.Generator | None,
    ) -> TimedClips:
        if isinstance(self._reader, FeatureReader):
            return self._vectors(source, spans, self._reader.duration(source))
        return self._pictures(source, spans, rng)

    def duration(self, source: Source) -> float:
        """Return how long a video is, in seconds.

        Args:
            source: The video.

        Raises:
            UnreadableVideoError: If it cannot be read.
        """
        reader = self._reader
        if isinstance(reader, FeatureReader):
            return reader.duration(source)
        return self._probe(source).duration

    def extent(self, source: Source) -> tuple[float, float]:
        """Return when a video's first frame is shown and its last one ends, in seconds.

        Args:
            source: The video.

        Returns:
            The times; without limits where the reader cannot tell.

        Raises:
            UnreadableVideoError: If it cannot be read.
        """
        reader = self._reader
        if isinstance(reader, FeatureReader):
            return reader.extent(source)
        if not isinstance(reader, _PixelReader):
            return -math.inf, math.inf
        info = reader.probe(source)
        return info.first, info.duration

    def rate(self, source: Source) -> float:
        """Return how many frames per second clips of a video have.

        Args:
            source: The video, which is opened only where the rate is its own.

        Raises:
            UnreadableVideoError: If it has to be opened, and cannot be read.
        """
        rate = self.reading.rate
        return self._probe(source).fps if isinstance(rate, str) else rate

    def frames(self, source: Source) -> VideoFrames:
        """Return the frames that windows of a video may begin with.

        Args:
            source: The video.

        Returns:
            Its own frames where clips have its own rate; else as many of the clips' rate as fit.

        Raises:
            UnreadableVideoError: If it cannot be read.
        """
        rate = self.reading.rate
        if isinstance(rate, str):
            info = self._probe(source)
            return VideoFrames(info.frames, info.fps, info.first)
        return VideoFrames(round(self.duration(source) * rate), rate)

    def clip_seconds(self, source: Source) -> float:
        """Return how long a clip of a video is, in seconds, where it has no time of its own.

        Args:
            source: The video.

        Raises:
            UnreadableVideoError: As :meth:`rate` does.
            ArgumentError: As :meth:`read` does.
        """
        return self.reading.clip_shape.num_frames / self.rate(source)

    def _probe(self, source: Source) -> VideoInfo:
        reader = self._reader
        return (reader if isinstance(reader, _PixelReader) else VideoReader()).probe(source)

    @cached_property
    def _reader(self) -> ClipReader:
        return self._given or clip_reader(self.reading.features, self.reading.time_budget)

    def __getstate__(self) -> dict[str, object]:
        """Leave behind what is open."""
        return {"reading": self.reading, "_given": self._given}

    def _vectors(
        self, source: Source, spans: Sequence[tuple[float, float]], duration: float
    ) -> TimedClips:
        fps, most = self.reading.fps, self.reading.clip_shape.num_frames
        stored = num_vectors(duration, fps)
        chosen = [
            stored_vectors(start, end, fps=fps, stored=stored, most=most) for start, end in spans
        ]
        clips = self._clips(source, [vectors.start / fps for vectors in chosen], None)
        length = torch.tensor([len(vectors) for vectors in chosen], dtype=torch.int64)
        rest = ~valid(length, most)
        clips.frames[rest] = 0
        times = [(vectors.start / fps, vectors.stop / fps) for vectors in chosen]
        return TimedClips(clips.frames, (clips.valid | rest).all(1), times, length.tolist())

    def _pictures(
        self,
        source: Source,
        spans: Sequence[tuple[float, float]],
        rng: np.random.Generator | None,
    ) -> TimedClips:
        num_frames, size = self.reading.clip_shape
        boxes = None if rng is None else self._boxes(source, len(spans), rng)
        # Clips of one frame each: the reader's have one distance of frames, these each their own.
        times = [time for start, end in spans for time in part_middles(start, end, num_frames)]
        pictures = self._reader.clips(
            source,
            times,
            num_frames=1,
            fps=1.0,  # which no clip of one frame depends on
            size=size,
            crop="center" if boxes is None else boxes.repeat_interleave(num_frames, 0),
            pad=self.reading.pixels.pad,
        )
        frames = pictures.frames.squeeze(1).unflatten(0, (len(spans), num_frames))
        if rng is not None:
            self._mirror(frames, rng)
        readable = pictures.valid.view(len(spans), num_frames).all(1)
        return TimedClips(frames, readable, list(spans), [num_frames] * len(spans))

    def _mirror(self, clips: Tensor, rng: np.random.Generator) -> None:
        """Mirror some clips where they are; stored vectors never."""
        if not isinstance(self._reader, _PixelReader):
            return
        mirrored = rng.random(len(clips)) < self.reading.pixels.flip
        for clip in mirrored.nonzero()[0]:
            frames = clips[clip].numpy()  # torch's threads cost more than this saves
            frames[:] = frames[..., ::-1].copy()

    def _clips(self, source: Source, starts: Sequence[float], boxes: Tensor | None) -> Clips:
        num_frames, size = self.reading.clip_shape
        return self._reader.clips(
            source,
            starts,
            num_frames=num_frames,
            fps=self.reading.rate,
            size=size,
            crop="center" if boxes is None else boxes,
            pad=self.reading.pixels.pad,
            frame_at=self.reading.frame_at,
        )

    def _boxes(self, source: Source, count: int, rng: np.random.Generator) -> Tensor | None:
        """Draw a square for each clip; None for the centre."""
        pixels, reader = self.reading.pixels, self._reader
        if pixels.crop == "center" or not isinstance(reader, _PixelReader):
            return None
        info = reader.probe(source)
        side = min(info.width, info.height, pixels.crop_pixels or info.height)
        tops = rng.integers(0, info.height - side + 1, count)
        lefts = rng.integers(0, info.width - side + 1, count)
        return torch.tensor(
            [[top, left, side, side] for top, left in zip(tops, lefts, strict=True)]
        )


def duration_or(loader: ClipLoader, path: Path, unreadable: float | None) -> float:
    """Return how long a video is, to lay windows over it before it is read.

    Args:
        loader: What will read it; one for all videos opens a feature store once.
        path: Its file.
        unreadable: What to take where that cannot be told; why is said when it is read. None for
            an error.

    Returns:
        Seconds.

    Raises:
        UnreadableVideoError: If that cannot be told, and nothing is given to take.
    """
    try:
        return loader.duration(path)
    except UnreadableVideoError:
        if unreadable is None:
            raise
        return unreadable


def require_stored(features: Path, ids: Collection[str]) -> None:
    """Refuse a feature store that lacks videos of a corpus.

    Args:
        features: The store.
        ids: The videos; one of which the store says why it has no features is not missing.

    Raises:
        FeatureError: If it lacks any.
    """
    store = FeatureReader(features)
    known = {*store.ids, *store.unreadable}
    missing = [video_id for video_id in ids if video_id not in known]
    if missing:
        message = (
            f"{features} has no features of {len(missing)} of {len(ids)} videos (first: "
            f"{missing[0]}); write a store of the whole corpus with `vtlearn predict`"
        )
        raise FeatureError(message)


def clip_reader(features: Path | None = None, time_budget: float | None = None) -> ClipReader:
    """Choose what clips are read by.

    Args:
        features: A feature store to look vectors up in; None to decode pixels.
        time_budget: Seconds that the clips of one video may take to decode; where given, decoding
            runs in a process that can be killed.

    Returns:
        The reader.
    """
    if features is not None:
        return FeatureReader(features)
    return VideoReader() if time_budget is None else SubprocessVideoReader(time_budget)
