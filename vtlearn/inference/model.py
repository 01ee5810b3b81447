"""A trained model, ready to be used on videos and texts."""

import hashlib
import json
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import torch
from torch import Tensor

from vtlearn.checks import require_positive
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import Reading
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner
from vtlearn.inference.alignment import VideoAlignment, align
from vtlearn.inference.captioning import write_captions
from vtlearn.inference.index import SearchIndex
from vtlearn.inference.reading import reading_of
from vtlearn.inference.retiming import SPREAD
from vtlearn.inference.saving import model_configs, save_learner
from vtlearn.inference.search import Hit, search
from vtlearn.inference.vectors import VideoVectors, encode_spans, encode_windows
from vtlearn.inference.windows import Span, read_spans, read_windows
from vtlearn.learner import VideoTextLearner
from vtlearn.media.captions.caption import Caption
from vtlearn.parameters import weights_sha256
from vtlearn.storage.progress import count_up

__all__ = ["Model"]


class Model:
    """A trained model, ready to be used on videos and texts: what :func:`vtlearn.load` gives.

    Nothing here needs a datamodule or a Trainer. Clips are read as those that the model was trained
    on, and encoded some at a time, without gradients.

    Args:
        learner: The model; it is put into evaluation mode.
        name: What errors call it: its file, folder or name.
        reading: How clips are read; None for what the learner's checkpoint says.
        windows_per_batch: Windows that are in memory at once.

    Attributes:
        learner: As given: ``learner.head``, ``learner.video_encoder`` and so on.
        name: As given.
        windows_per_batch: As given.

    Raises:
        ArgumentError: If ``windows_per_batch`` is not positive.

    Example:
        >>> from vtlearn.datasets.reading import ClipSampling, Pixels
        >>> from vtlearn.encoders.text import TinyText
        >>> from vtlearn.encoders.video import TinyVideo
        >>> from vtlearn.heads import S2DTW
        >>> learner = VideoTextLearner(TinyVideo(dim=8), TinyText(dim=8), S2DTW())
        >>> learner.text_encoder.build(["chop the carrot", "stir the soup"])
        >>> model = Model(learner, reading=Reading(sampling=ClipSampling(fps=4.0)))
        >>> model.encode_text(["chop the carrot"]).shape
        torch.Size([1, 8])
    """

    def __init__(
        self,
        learner: VideoTextLearner,
        name: str = "the model",
        *,
        reading: Reading | None = None,
        windows_per_batch: int = 16,
    ) -> None:
        require_positive(windows_per_batch=windows_per_batch)
        self.learner = learner.eval()
        self.name = name
        self.windows_per_batch = windows_per_batch
        self._given = reading

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.learner.device

    @cached_property
    def reading(self) -> Reading:
        """How clips are read: frames, frames per second, size.

        Raises:
            ArgumentError: If that is not known, or the model reads stored features.
        """
        encoder = self.learner.video_encoder
        if self._given is not None:
            return self._given.completed(encoder.num_frames, encoder.size)
        return reading_of(self.learner.clips, encoder, self.name)

    @cached_property
    def loader(self) -> ClipLoader:
        """What reads the model's clips.

        Raises:
            ArgumentError: As :attr:`reading` does.
        """
        return ClipLoader(self.reading)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of weights, words and configuration: what was made with another model differs.

        A checkpoint and a folder that was saved of it have the same.
        """
        weights = weights_sha256(self.learner.state_dict())
        parts = json.dumps([model_configs(self.learner), weights], sort_keys=True)
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def aligner(self) -> Aligner:
        """The head that compares clips with texts.

        Raises:
            ArgumentError: If there is none: the model writes captions, say.
        """
        aligner = self.learner.head.aligner
        if aligner is None:
            message = (
                f"{self.name} is a model with the head {type(self.learner.head).__name__}, which "
                "compares no clips with texts: that takes an aligner, such as S2DTW"
            )
            raise ArgumentError(message)
        return aligner

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Turn texts into vectors.

        Args:
            texts: One string per text.

        Returns:
            (texts, dim), float32 or wider, on the CPU.

        Raises:
            ArgumentError: If the model compares no texts, or these are not a list of strings.
        """
        return self.learner.encode_text(texts).cpu()

    @overload
    def encode_video(
        self, video: Path | str, spans: Sequence[Span] | None = None, *, stride: float = 1.0
    ) -> VideoVectors: ...

    @overload
    def encode_video(
        self, video: list[Path] | list[str], spans: None = None, *, stride: float = 1.0
    ) -> list[VideoVectors]: ...

    def encode_video(
        self,
        video: Path | str | list[Path] | list[str],
        spans: Sequence[Span] | None = None,
        *,
        stride: float = 1.0,
    ) -> VideoVectors | list[VideoVectors]:
        """Turn a video, or several, into vectors.

        Args:
            video: A file; or a list of files, with a progress bar on a terminal.
            spans: Seconds of one file, (start, end) each, to get one vector for each: the mean of
                the windows side by side in it, or the one window about its middle. None for windows
                over the whole video, each that starts before it ends.
            stride: Seconds from the start of a window to the start of the next.

        Returns:
            A vector per window or span, with seconds. Windows in which frames are lost are left
            out.

        Raises:
            UnreadableVideoError: If a file cannot be read.
            LostClipsError: If a span has no window that can be read.
            ArgumentError: If a span is not one or lies outside the video, spans are given with
                several files, or the model does not compare clips with texts.
        """
        if isinstance(video, (str, Path)):
            return self._encode(Path(video), spans, stride)
        if spans is not None:
            message = "spans are of one video: give its path alone, not in a list"
            raise ArgumentError(message)
        found = []
        with count_up("Encoding", len(video), show=sys.stderr.isatty()) as advance:
            for path in video:
                found.append(self._encode(Path(path), None, stride))
                advance(1, Path(path).name)
        return found

    def align(
        self,
        video: Path | str,
        transcript: Path | str | Sequence[Caption],
        *,
        stride: float = 1.0,
        spread: float | None = SPREAD,
    ) -> VideoAlignment:
        """Align a video with its transcript, and move captions to where they are shown.

        Args:
            video: The file.
            transcript: The file of its transcript, in any format that corpora read; or captions.
            stride: Seconds from the start of a window to the start of the next.
            spread: How far captions usually are from what they tell of, in seconds; None: anywhere
                in the video.

        Returns:
            What goes with what, and each caption with its new time, as
            :func:`~vtlearn.inference.alignment.align` says.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            TranscriptError: If the transcript cannot be read, or holds no caption.
            ArgumentError: If the model does not compare clips with texts, there are no captions, or
                an argument is out of range.
        """
        return align(self, video, transcript, stride=stride, spread=spread)

    def caption(
        self,
        video: Path | str,
        spans: Sequence[Span] | None = None,
        *,
        stride: float | None = None,
    ) -> list[Caption]:
        """Write what a video shows.

        Args:
            video: The file.
            spans: Seconds, (start, end) each, to get a text for each: of the window about its
                middle. None for windows over the whole video.
            stride: Seconds from the start of a window to the start of the next; None for windows
                side by side, of 4 seconds where the model's clips have no length of their own.

        Returns:
            A text per window or span, with seconds.

        Raises:
            UnreadableVideoError: If the file cannot be read.
            LostClipsError: If a span has no window that can be read.
            ArgumentError: If a span is not one, or the model does not write.
        """
        path, together = Path(video), self.windows_per_batch
        if spans is None:
            windows = read_windows(self.loader, path, stride=stride, together=together)
            return list(write_captions(self.learner, windows, self.name))
        pieces = read_spans(self.loader, path, spans, together=together, one_each=True)
        written = write_captions(self.learner, (sample for sample, _ in pieces), self.name)
        pairs = zip(spans, written, strict=True)
        return [Caption(start, end, caption.text) for (start, end), caption in pairs]

    @overload
    def search(  # type: ignore[overload-overlap] # a string is a sequence of strings as well
        self, query: str, index: SearchIndex, top: int = 10, *, apart: float | None = None
    ) -> list[Hit]: ...

    @overload
    def search(
        self, query: Sequence[str], index: SearchIndex, top: int = 10, *, apart: float | None = None
    ) -> list[list[Hit]]: ...

    def search(
        self,
        query: str | Sequence[str],
        index: SearchIndex,
        top: int = 10,
        *,
        apart: float | None = None,
    ) -> list[Hit] | list[list[Hit]]:
        """Find the moments of a folder's videos that fit a sentence best.

        Args:
            query: A sentence, or several.
            index: The videos: ``SearchIndex.open(model, folder)``.
            top: How many hits there may be.
            apart: Seconds between two hits of one video, at least; None for a window's length.

        Returns:
            Hits, the best first, each of another moment; of several queries a list of hits each.

        Raises:
            ArgumentError: If the index was made by another model, or the model compares no texts.
        """
        return search(self, query, index, top=top, apart=apart)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the model into a folder that :func:`vtlearn.load` and ``--model`` open.

        It holds ``model.safetensors``, ``config.json`` (how the model is built, and how its clips
        are read) and ``vocabulary.json``: what ``vtlearn convert`` writes, and all there is to be
        uploaded to the Hugging Face hub.

        Args:
            folder: Where to; it must be new or empty.

        Raises:
            ArgumentError: If something is in the folder already.
        """
        save_learner(self.learner, Path(folder), {"saved_from": Path(self.name).name})

    def _encode(self, path: Path, spans: Sequence[Span] | None, stride: float) -> VideoVectors:
        model, together = (self.learner, self.aligner), self.windows_per_batch
        if spans is None:
            windows = read_windows(self.loader, path, stride=stride, together=together)
            return encode_windows(*model, windows, path)
        pieces = read_spans(self.loader, path, spans, together=together)
        return encode_spans(*model, pieces, list(spans), path)
