"""Whole videos with the steps of their tasks: what step supervision is trained on."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from typing_extensions import override

from vtlearn.batch import Sample
from vtlearn.datasets.captioned import CaptionedClip, SegmentCorpus
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import Reading, refuse_clips_of_captions
from vtlearn.datasets.sampling.windows import half_stride, overlapping_windows
from vtlearn.errors import ArgumentError, LostClipsError
from vtlearn.padding import valid

__all__ = ["StepCorpus"]


class StepCorpus(SegmentCorpus):
    """Annotated videos: a sample is a whole video, in windows that overlap by half, and its steps.

    Windows are as long as a clip and cover the video; of the last, as many frames count as the
    video has. The texts are the video's segments in temporal order, and then the steps of its task
    that it does not show, whose times are NaN.

    Args:
        clips: The segments of all videos in any order, with an end and one text each.
        steps: For each video all steps of its task; where it is of several tasks, of all of them.
        reading: How they are read. A sample is a whole video, whatever ``sampling.num_clips`` is.

    Raises:
        ArgumentError: If a segment has no end, or more or fewer texts; a video has no steps; or
            ``reading`` asks for what only single segments have.

    Example:
        >>> from pathlib import Path
        >>> path, text_ids = Path("v.mp4"), ("v_0",)
        >>> segment = CaptionedClip("v_0", "v", path, 3.0, 9.0, ("add ham",), text_ids)
        >>> corpus = StepCorpus([segment], {"v": ["add ham", "fry eggs"]}, Reading())
        >>> list(corpus.ids), list(corpus.texts())
        (['v'], ['add ham', 'fry eggs'])
    """

    def __init__(
        self,
        clips: Sequence[CaptionedClip],
        steps: Mapping[str, Sequence[str]],
        reading: Reading,
    ) -> None:
        super().__init__(clips, reading)
        option = "train_on=windows"
        refuse_clips_of_captions(reading.sampling, option, "trains on whole videos")
        if reading.overlap is not None:
            message = f"overlap draws some clips of a video, and {option} reads all: leave one out"
            raise ArgumentError(message)
        missing = [one for one in self.ids if not steps.get(one)]
        if missing:
            message = (
                f"{len(missing)} of {len(self.ids)} videos have no steps of a task (first: "
                f"{missing[0]}); give all of them"
            )
            raise ArgumentError(message)
        self._steps = [tuple(steps[one]) for one in self.ids]
        self._loader = ClipLoader(reading)

    @override
    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Read a whole video: windows of which frames are lost are left out.

        Args:
            index: The video's place in ``ids``.
            rng: Where randomness comes from: crops and mirrored pictures.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            LostClipsError: If no window of it can be.
        """
        reading, source = self.reading, self.source(index)
        seconds, num_frames = reading.clip_seconds, reading.clip_shape.num_frames
        duration = self._loader.duration(source)
        windows = overlapping_windows(duration, seconds, half_stride(seconds))
        stored = reading.features is not None
        lengths = windows.frame_lengths(reading.fps, num_frames, stored=stored)
        clips = self._loader.draw(source, windows, rng)
        beyond = ~valid(torch.tensor(lengths), num_frames)
        readable = (clips.valid | beyond).all(1)
        if not readable.any():
            raise LostClipsError(self.ids[index], list(windows))
        kept = readable.nonzero().squeeze(1).tolist()
        segments, others = self._captions[index], self._others(index)
        return Sample.of(
            self.ids[index],
            clips.frames if len(kept) == len(windows) else clips.frames[readable],
            [windows[window] for window in kept],
            reading.fps,
            texts=[*(segment.text for segment in segments), *others],
            text_spans=[
                *((segment.start, segment.end) for segment in segments),
                *[(float("nan"), float("nan"))] * len(others),
            ],
            frame_length=[lengths[window] for window in kept],
        )

    @override
    def texts(self) -> Iterator[str]:
        """Yield the texts of every sample, in the order of ``ids``."""
        for index in range(len(self)):
            yield from (segment.text for segment in self._captions[index])
            yield from self._others(index)

    def _others(self, index: int) -> list[str]:
        """Return the steps of a video's task that it does not show."""
        shown = {segment.text for segment in self._captions[index]}
        return [step for step in dict.fromkeys(self._steps[index]) if step not in shown]
