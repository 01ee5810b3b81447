"""Draw narrations: a run of a video's captions, each with a clip from the time it is said."""

from collections.abc import Sequence
from itertools import compress

import numpy as np

from vtlearn.batch import Sample
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.sampling.spans import (
    clip_start,
    moment_start,
    nearest_captions,
    pad_span,
    sample_consecutive,
)
from vtlearn.errors import LostClipsError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.clips import Source

__all__ = ["NarrationReader"]


class NarrationReader:
    """Draw a narration from any video, wherever its captions and its pixels come from.

    Args:
        loader: Reads its clips; its settings say what is drawn.

    Example:
        >>> from vtlearn.datasets.reading import Pixels, Reading
        >>> reading = Reading(pixels=Pixels(size=64)).completed(num_frames=8, size=64)
        >>> reader = NarrationReader(ClipLoader(reading))
        >>> reader.read("id", "absent.mp4", [Caption(0, 4, "chop")], np.random.default_rng(0))
        Traceback (most recent call last):
            ...
        vtlearn.errors.UnreadableVideoError: absent.mp4 cannot be read: No such file or directory

    Source:
        VT-TWINS draws eight consecutive captions; MIL-NCE one caption with its nearest as
        candidates. Both released loaders cut times to whole seconds; here they stay float, unless
        ``floor_seconds`` is set.
    """

    def __init__(self, loader: ClipLoader) -> None:
        self._loader = loader

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
        sampling = self._loader.reading.sampling
        chosen = list(sample_consecutive(len(captions), sampling.num_clips, rng))
        if sampling.repeat_last:
            chosen += chosen[-1:] * (sampling.num_clips - len(chosen))
        starts = [self._start(captions[index], rng) for index in chosen]
        clips = self._loader.draw(source, starts, rng)
        readable = clips.valid.all(1)  # a lost frame would be a black one
        if not readable.any():
            raise LostClipsError(video_id, starts)
        spans = [(caption.start, caption.end) for caption in captions]
        chosen = list(compress(chosen, readable.tolist()))
        near = [nearest_captions(spans, index, sampling.candidates) for index in chosen]
        return Sample.of(
            video_id,
            clips.frames if readable.all() else clips.frames[readable],
            list(compress(starts, readable.tolist())),
            self._loader.reading.fps,
            texts=[captions[index].text for indices in near for index in indices],
            text_spans=[spans[index] for index in chosen],
            candidates=sampling.candidates,
        )

    def _start(self, caption: Caption, rng: np.random.Generator) -> float:
        reading = self._loader.reading
        floor = reading.sampling.floor_seconds
        if caption.start == caption.end:  # a moment, such as HTM-AA's: its clip contains it
            return moment_start(caption.start, reading.clip_seconds, rng, floor_seconds=floor)
        start, end = pad_span(caption.start, caption.end, reading.sampling.min_seconds)
        return clip_start(start, end, reading.clip_seconds, rng, floor_seconds=floor)
