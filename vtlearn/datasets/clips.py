"""Read clips as a corpus is set to: pixels, drawn and mirrored at random, or stored vectors."""

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from vtlearn.datasets.reading import Reading
from vtlearn.errors import FeatureError, UnreadableVideoError
from vtlearn.media.clips import ClipReader, Clips, Source
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.video.reader import VideoInfo, VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

__all__ = ["ClipLoader", "clip_reader"]


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
        pixels = self.reading.pixels
        boxes = self._boxes(source, len(starts), rng)
        clips = self._clips(source, starts, boxes)
        if isinstance(self._reader, _PixelReader):
            mirrored = rng.random(len(starts)) < pixels.flip
            for clip in mirrored.nonzero()[0]:
                frames = clips.frames[clip].numpy()  # torch's threads cost more than this saves
                frames[:] = frames[..., ::-1].copy()
        return clips

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
        return (
            (reader if isinstance(reader, _PixelReader) else VideoReader()).probe(source).duration
        )

    @cached_property
    def _reader(self) -> ClipReader:
        return self._given or clip_reader(self.reading.features, self.reading.time_budget)

    def __getstate__(self) -> dict[str, object]:
        """Leave behind what is open."""
        return {"reading": self.reading, "_given": self._given}

    def _clips(self, source: Source, starts: Sequence[float], boxes: Tensor | None) -> Clips:
        num_frames, size = self.reading.clip_shape
        return self._reader.clips(
            source,
            starts,
            num_frames=num_frames,
            fps=self.reading.fps,
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
