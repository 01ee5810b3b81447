"""Draw narrations: captions of a video and clips, of the time they are said or overlapping it."""

import logging
from collections.abc import Sequence
from itertools import chain, compress
from typing import NamedTuple

import numpy as np
import torch

from vtlearn.batch import Sample
from vtlearn.datasets.clips import ClipLoader, TimedClips
from vtlearn.datasets.sampling.overlap import OverlapSampling, draw_pairs, run_span
from vtlearn.datasets.sampling.spans import (
    clip_start,
    moment_start,
    nearest_captions,
    pad_span,
    sample_consecutive,
)
from vtlearn.errors import LostClipsError, OutsideCaptionsError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.extent import captions_within
from vtlearn.media.clips import Source
from vtlearn.media.features.spec import num_vectors

__all__ = ["NarrationReader"]

_LOG = logging.getLogger(__name__)


class _Said(NamedTuple):
    """What is said of a clip: the text and its candidates, and when the text is spoken."""

    texts: list[str]
    span: tuple[float, float]


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
        self._reported: set[str] = set()

    def read(
        self, video_id: str, source: Source, captions: Sequence[Caption], rng: np.random.Generator
    ) -> Sample:
        """Draw a narration.

        Args:
            video_id: What the video is called.
            source: The video.
            captions: All its captions in the order of time, one at least. Those that are said
                before the first frame or after the last one are left out, which is logged.
            rng: Where randomness comes from.

        Returns:
            ``num_clips`` clips, or as many as the video has captions and can be read, with
            ``candidates`` texts each; with ``overlap`` its ``num_clips``, or as many as can be
            read, of one text each.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            OutsideCaptionsError: If none of its captions is said while it shows anything.
            LostClipsError: If it can, but none of the clips that were drawn has a frame.
        """
        captions = self._within(video_id, source, captions)
        reading = self._loader.reading
        if reading.overlap is not None:
            return self._overlapping(video_id, source, captions, reading.overlap, rng)
        sampling = reading.sampling
        chosen = list(sample_consecutive(len(captions), sampling.num_clips, rng))
        if sampling.repeat_last:
            chosen += chosen[-1:] * (sampling.num_clips - len(chosen))
        drawn = self._drawn(source, [captions[index] for index in chosen], rng)
        spans = [(caption.start, caption.end) for caption in captions]
        said = [
            _Said(
                [captions[n].text for n in nearest_captions(spans, index, sampling.candidates)],
                spans[index],
            )
            for index in chosen
        ]
        return _readable(video_id, drawn, said, sampling.candidates)

    def _within(
        self, video_id: str, source: Source, captions: Sequence[Caption]
    ) -> Sequence[Caption]:
        """Leave out captions of which the video shows nothing, and say so once."""
        start, end = self._loader.extent(source)
        kept = captions_within(captions, start, end)
        left_out = len(captions) - len(kept)
        if captions and not kept:
            raise OutsideCaptionsError(video_id, len(captions), start, end)
        if left_out and video_id not in self._reported:
            self._reported.add(video_id)
            _LOG.warning(
                "left out %d of %d captions of %s: its frames are from %.1f to %.1f s",
                *(left_out, len(captions), video_id, start, end),
            )
        return kept

    def _overlapping(
        self,
        video_id: str,
        source: Source,
        captions: Sequence[Caption],
        overlap: OverlapSampling,
        rng: np.random.Generator,
    ) -> Sample:
        """Read clips of whole seconds, each with a run of captions that is said around it."""
        duration = self._loader.duration(source)
        pairs = draw_pairs(captions, num_vectors(duration, 1.0), overlap, rng)
        # the last second may be no whole one
        windows = [(float(one.start), min(one.stop, duration)) for _, one in pairs]
        drawn = self._loader.draw_spans(source, windows, rng)
        spans = [(caption.start, caption.end) for caption in captions]
        said = [
            _Said([" ".join(captions[index].text for index in run)], run_span(spans, run))
            for run, _ in pairs
        ]
        return _readable(video_id, drawn, said, candidates=1)

    def _drawn(
        self, source: Source, captions: Sequence[Caption], rng: np.random.Generator
    ) -> TimedClips:
        """Read a clip of each caption."""
        reading = self._loader.reading
        if reading.sampling.whole:
            return self._loader.draw_spans(source, [self._span(one) for one in captions], rng)
        seconds = self._loader.clip_seconds(source)
        starts = [self._start(caption, seconds, rng) for caption in captions]
        rate = self._loader.rate(source)
        return TimedClips.of(self._loader.draw(source, starts, rng), starts, rate)

    def _span(self, caption: Caption) -> tuple[float, float]:
        return pad_span(caption.start, caption.end, self._loader.reading.sampling.min_seconds)

    def _start(self, caption: Caption, seconds: float, rng: np.random.Generator) -> float:
        """Choose when the clip of a caption starts, which lasts so many seconds."""
        floor = self._loader.reading.sampling.floor_seconds
        if caption.start == caption.end:  # a moment, such as HTM-AA's: its clip contains it
            return moment_start(caption.start, seconds, rng, floor_seconds=floor)
        start, end = self._span(caption)
        return clip_start(start, end, seconds, rng, floor_seconds=floor)


def _readable(video_id: str, drawn: TimedClips, said: Sequence[_Said], candidates: int) -> Sample:
    """Make a sample of the clips that can be read, each with what is said of it."""
    kept = drawn.readable.tolist()
    if not any(kept):
        raise LostClipsError(video_id, [start for start, _ in drawn.spans])
    said = list(compress(said, kept))
    return Sample(
        video_id,
        drawn.frames if all(kept) else drawn.frames[drawn.readable],
        torch.tensor(list(compress(drawn.spans, kept)), dtype=torch.float64),
        torch.tensor(list(compress(drawn.frame_length, kept)), dtype=torch.int64),
        texts=list(chain.from_iterable(one.texts for one in said)),
        text_spans=torch.tensor([one.span for one in said], dtype=torch.float64),
        text_ids=[],
        candidates=candidates,
    )
