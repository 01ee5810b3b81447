"""Align a video with its transcript: what goes with what, and captions at new times."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from vtlearn.batch import Sample
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.inference.retiming import SPREAD, retime
from vtlearn.inference.vectors import VideoVectors, encode_windows
from vtlearn.inference.windows import read_windows
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.transcripts import read_transcript
from vtlearn.media.features.spec import num_vectors
from vtlearn.storage.progress import count_up

if TYPE_CHECKING:
    from vtlearn.inference.model import Model  # it imports this module

__all__ = ["AlignedCaption", "VideoAlignment", "align"]


class AlignedCaption(NamedTuple):
    """A caption, when it is spoken, and when what it tells of is shown.

    Attributes:
        text: What is said.
        spoken_start: When it begins in the transcript, in seconds of the video.
        spoken_end: When it ends there.
        start: When what it tells of is shown, in seconds of the video.
        end: As long after the start as it is spoken.
        matched: Whether it matches anything that is shown; one that does not keeps its spoken time.
        confidence: How sure the match is, from 0 to 1; 0.5 or more where it matches.
    """

    text: str
    spoken_start: float
    spoken_end: float
    start: float
    end: float
    matched: bool
    confidence: float

    @property
    def shift(self) -> float:
        """By how many seconds the caption was moved; negative where it was said too late."""
        return self.start - self.spoken_start


class VideoAlignment(NamedTuple):
    """How the windows and captions of a video go together.

    Attributes:
        video: The file.
        duration: How long it is, in seconds.
        window_spans: Start and end of each window in seconds of the video, (windows, 2), float64.
        cost: (windows, captions), as the model's head has it; lower is better.
        expected: (windows, captions), between 0 and 1: the probability that the path visits a pair.
        path: The windows and captions of the best hard path, which keeps the order of both,
            (cells, 2), int64.
        captions: The captions in the order of the transcript, with their new times. These need not
            keep the order: what is told of early may be done late.
    """

    video: Path
    duration: float
    window_spans: Tensor
    cost: Tensor
    expected: Tensor
    path: Tensor
    captions: list[AlignedCaption]

    @property
    def spoken(self) -> list[Caption]:
        """The captions as they are spoken."""
        return [Caption(each.spoken_start, each.spoken_end, each.text) for each in self.captions]

    @property
    def retimed(self) -> list[Caption]:
        """The captions at their new times, sorted by their start."""
        moved = (Caption(each.start, each.end, each.text) for each in self.captions)
        return sorted(moved, key=lambda caption: caption.start)


def align(
    model: "Model",
    video: Path | str,
    transcript: Path | str | Sequence[Caption],
    *,
    stride: float = 1.0,
    spread: float | None = SPREAD,
) -> VideoAlignment:
    """Align a video with what is said in it, and move captions to where what they tell of is shown.

    How captions are moved, and when one matches nothing, :func:`~vtlearn.inference.retiming.retime`
    says.

    Args:
        model: Compares clips with texts.
        video: The file.
        transcript: Its transcript, in any format that corpora read; or captions, with finite times.
        stride: Seconds from the start of a window to the start of the next.
        spread: How far captions usually are from what they tell of, in seconds; None: anywhere in
            the video.

    Returns:
        Cost, expected alignment and path of windows and captions, and the captions re-timed. A
        progress bar is shown on a terminal. Windows in which frames are lost are left out.

    Raises:
        UnreadableVideoError: If the video cannot be read.
        TranscriptError: If the transcript cannot be read, or holds no caption.
        ArgumentError: If the model does not compare clips with texts, there are no captions, or an
            argument is out of range.
        EvaluationError: If the model's similarities are not finite numbers.

    Example:
        >>> import vtlearn
        >>> model = vtlearn.load("run.ckpt")  # doctest: +SKIP
        >>> found = align(model, "soup.mp4", "soup.vtt")  # doctest: +SKIP
        >>> [(caption.text, caption.start) for caption in found.captions]  # doctest: +SKIP
        [('now we chop the carrot', 12.4)]
    """
    captions = _read(transcript)
    path = Path(video)
    texts = model.encode_text([caption.text for caption in captions])
    encoded = _encode(model, path, stride)
    duration = model.loader.duration(path)
    times = retime(
        (encoded @ texts.T).double().numpy(),
        encoded.spans.numpy(),
        np.array([caption[:2] for caption in captions], np.float64),
        duration=duration,
        spread=spread,
    )
    # embedding what is embedded changes nothing
    alignment = model.aligner.align(encoded.vectors, texts)
    return VideoAlignment(
        path,
        duration,
        encoded.spans,
        alignment.cost,
        alignment.expected,
        alignment.path.cells[: int(alignment.path.length)],
        [
            AlignedCaption(text, start, end, *new)
            for (start, end, text), new in zip(captions, times, strict=True)
        ],
    )


def _read(transcript: Path | str | Sequence[Caption]) -> Sequence[Caption]:
    if isinstance(transcript, (str, Path)):
        return read_transcript(transcript)
    if not transcript:
        message = "there are no captions to align: give a transcript that has some"
        raise ArgumentError(message)
    return transcript


def _encode(model: "Model", video: Path, stride: float) -> VideoVectors:
    samples: Iterable[Sample] = read_windows(
        model.loader, video, stride=stride, together=model.windows_per_batch
    )
    if sys.stderr.isatty():
        samples = _counted(samples, num_vectors(model.loader.duration(video), 1 / stride))
    encoded = encode_windows(model.learner, model.aligner, samples, video)
    if not len(encoded.spans):
        message = "frames are lost in each of its windows"
        raise UnreadableVideoError(str(video), message, "decode")
    return encoded


def _counted(samples: Iterable[Sample], windows: int) -> Iterator[Sample]:
    with count_up("Encoding windows", windows) as advance:
        for sample in samples:
            yield sample
            advance(len(sample.clips), "")
