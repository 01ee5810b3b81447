"""Draw narrations: a run of a video's captions, each with a clip from the time it is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from vtlearn.batch import Sample
from vtlearn.datasets.sampling.spans import (
    clip_start,
    nearest_captions,
    pad_span,
    sample_consecutive,
)
from vtlearn.errors import ArgumentError, LostClipsError
from vtlearn.media.captions.transcripts import Caption
from vtlearn.media.clips import ClipReader, Source
from vtlearn.media.video.reader import VideoInfo

__all__ = ["ClipSampling", "NarrationReader"]


@dataclass(frozen=True)
class ClipSampling:
    """How the clips of a narration are drawn from a video and its captions.

    Args:
        num_clips: Consecutive captions a narration has, one clip each; 1 for single clips
            (MIL-NCE).
        candidates: Captions a clip has: its own first, then the nearest others in time.
        num_frames: Frames a clip has; stored vectors, where features are read.
        fps: Frames a second it is sampled at.
        size: Height and width in pixels it is scaled to; the vectors' width, for features.
        min_seconds: A caption shorter than this is widened on both sides before a start is drawn.
        repeat_last: Where a video has fewer captions, repeat the last one for as many clips.
        crop: The centre square, or a square at a random place, drawn for each clip.
        crop_pixels: Side of the random square in source pixels; None for the video's shorter side.
        flip: Probability that a clip is mirrored; 0 where stored features are read.
        pad: What a clip shows past the end of its video: the last frame, or black.

    Raises:
        ArgumentError: If a number is outside its range, or a word is none of those.

    Example:
        >>> ClipSampling(num_frames=8, fps=4.0).clip_seconds
        2.0
    """

    num_clips: int = 8
    candidates: int = 1
    num_frames: int = 32
    fps: float = 10.0
    size: int = 224
    min_seconds: float = 0.0
    repeat_last: bool = False
    crop: Literal["center", "random"] = "center"
    crop_pixels: int | None = None
    flip: float = 0.5
    pad: Literal["edge", "black"] = "edge"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        names = ("num_clips", "candidates", "num_frames", "fps", "size")
        wrong = {name: getattr(self, name) for name in names if getattr(self, name) <= 0}
        if wrong:
            message = f"clips cannot be drawn with {wrong}: each has to be positive"
            raise ArgumentError(message)
        if not 0 <= self.flip <= 1 or self.min_seconds < 0 or (self.crop_pixels or 1) < 1:
            message = (
                f"clips cannot be drawn with flip={self.flip}, a probability, "
                f"min_seconds={self.min_seconds}, 0 or more, and "
                f"crop_pixels={self.crop_pixels}, 1 or more"
            )
            raise ArgumentError(message)
        if self.crop not in ("center", "random") or self.pad not in ("edge", "black"):
            message = f"crop={self.crop!r} is center or random, pad={self.pad!r} edge or black"
            raise ArgumentError(message)

    @property
    def clip_seconds(self) -> float:
        """How long a clip lasts."""
        return self.num_frames / self.fps


@runtime_checkable
class _PixelReader(Protocol):
    def probe(self, source: Source) -> VideoInfo: ...


class NarrationReader:
    """Draw a narration from any video, wherever its captions and its pixels come from.

    Args:
        sampling: How clips are drawn.
        reader: Decodes pixels, or looks up stored features in their place.

    Raises:
        ArgumentError: If clips are to be mirrored or cropped at random, and no pixels are read.

    Example:
        >>> from vtlearn.media.video.reader import VideoReader
        >>> reader = NarrationReader(ClipSampling(), VideoReader())
        >>> reader.read("id", "absent.mp4", [Caption(0, 4, "chop")], np.random.default_rng(0))
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory

    Source of the two samplings: VT-TWINS draws eight consecutive captions; MIL-NCE one caption with
    its nearest as candidates. Both published loaders cut times to whole seconds; here they stay
    float.
    """

    def __init__(self, sampling: ClipSampling, reader: ClipReader) -> None:
        if not isinstance(reader, _PixelReader) and (sampling.flip or sampling.crop == "random"):
            message = (
                f"stored features can be neither mirrored nor cropped: flip={sampling.flip} and "
                f"crop={sampling.crop!r} have to be 0 and center where features are read"
            )
            raise ArgumentError(message)
        self.sampling = sampling
        self._reader = reader

    def read(
        self, video_id: str, source: Source, captions: Sequence[Caption], rng: np.random.Generator
    ) -> Sample:
        """Draw a narration.

        Args:
            video_id: What the video is called.
            source: The video.
            captions: All its captions in the order of time, one at least.
            rng: Where randomness comes from.

        Returns:
            ``num_clips`` clips, or as many as the video has captions and can be read, with
            ``candidates`` texts each.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            LostClipsError: If it can, but none of the clips that were drawn has a frame.
        """
        sampling = self.sampling
        chosen = list(sample_consecutive(len(captions), sampling.num_clips, rng))
        if sampling.repeat_last:
            chosen += chosen[-1:] * (sampling.num_clips - len(chosen))
        starts = [self._start(captions[index], rng) for index in chosen]
        clips, readable = self._clips(source, starts, rng)
        if not any(readable):
            raise LostClipsError(video_id, starts)
        spans = [(caption.start, caption.end) for caption in captions]
        chosen = list(compress(chosen, readable))
        near = [nearest_captions(spans, index, sampling.candidates) for index in chosen]
        return Sample.of(
            video_id,
            clips,
            list(compress(starts, readable)),
            sampling.fps,
            texts=[captions[index].text for indices in near for index in indices],
            text_spans=[spans[index] for index in chosen],
            candidates=sampling.candidates,
        )

    def _start(self, caption: Caption, rng: np.random.Generator) -> float:
        least = self.sampling.min_seconds
        if caption.start == caption.end:  # a moment, such as HTM-AA's: the clip lies around it
            least = max(least, self.sampling.clip_seconds)
        start, end = pad_span(caption.start, caption.end, least)
        return clip_start(start, end, self.sampling.clip_seconds, rng)

    def _clips(
        self, source: Source, starts: list[float], rng: np.random.Generator
    ) -> tuple[Tensor, list[bool]]:
        """Read one clip a start; return the readable ones, and which they are."""
        sampling = self.sampling
        boxes = self._boxes(source, len(starts), rng)
        mirrored = rng.random(len(starts)) < sampling.flip
        clips = self._reader.clips(
            source,
            starts,
            num_frames=sampling.num_frames,
            fps=sampling.fps,
            size=sampling.size,
            crop="center" if boxes is None else boxes,
            pad=sampling.pad,
        )
        frames = clips.frames
        for clip in mirrored.nonzero()[0]:
            pixels = frames[clip].numpy()  # torch's threads cost more than this saves
            pixels[:] = pixels[..., ::-1].copy()
        readable = clips.valid.all(1)  # a lost frame would be a black one
        return (frames if readable.all() else frames[readable]), readable.tolist()

    def _boxes(self, source: Source, count: int, rng: np.random.Generator) -> Tensor | None:
        if self.sampling.crop == "center" or not isinstance(self._reader, _PixelReader):
            return None
        info = self._reader.probe(source)
        side = min(info.width, info.height, self.sampling.crop_pixels or info.height)
        tops = rng.integers(0, info.height - side + 1, count)
        lefts = rng.integers(0, info.width - side + 1, count)
        return torch.tensor(
            [[top, left, side, side] for top, left in zip(tops, lefts, strict=True)]
        )
