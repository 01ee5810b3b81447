"""Batch types: from a dataset to a batch, from an encoder to a head.

All that is read is samples: some clips of one video and some texts about it. Axes are named batch
B, clips N, texts M, candidates K, frames T, tokens L, dim D. A batch is a NamedTuple because a
loader pins it without being told how; it is ragged, and a mask is a length: valid entries first.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, TranscriptError, UnreadableVideoError
from vtlearn.unicode import escape_bytes

__all__ = [
    "Batch",
    "Encoded",
    "EncodedBatch",
    "Features",
    "Own",
    "Rows",
    "Sample",
    "Unreadable",
    "collate",
]


class Unreadable(NamedTuple):
    """A video that cannot be read, in training, evaluation and prediction alike.

    Attributes:
        id: The sample's id.
        path: The video's file, which several samples may have; empty of unreadable captions.
        stage: How far reading came: ``open``, ``decode``, ``time`` or ``captions``.
        reason: Why, in the decoder's words.
    """

    id: str
    path: str
    stage: str
    reason: str

    @classmethod
    def of(cls, sample_id: str, error: UnreadableVideoError | TranscriptError) -> Self:
        """Describe what happened to a sample's video, or to its captions."""
        is_video = isinstance(error, UnreadableVideoError)
        path, reason, stage = error.args if is_video else ("", error, "captions")
        return cls(sample_id, *(escape_bytes(str(each)) for each in (path, stage, reason)))

    def describe(self) -> str:
        """Say what cannot be read, and why."""
        return f"{self.path} cannot be read: {self.reason}" if self.path else self.reason


class Sample(NamedTuple):
    """Some clips of one video and some texts about it.

    Clips and texts may differ in number, and either may be none. In temporal order of the texts
    where clip i belongs to text i, else each in its own.

    Attributes:
        id: The sample's id.
        clips: (clips, frames, 3, height, width) uint8, or (clips, frames, dim) stored vectors.
        clip_spans: Start and end of each clip in seconds of the video, (clips, 2), float64: start
            and start + frame_length / frames per second.
        frame_length: How many frames of each clip count, (clips,), int64: all of them, unless a
            clip has a length of its own.
        texts: Strings, ``candidates`` in a row for each text; the first of them is the text itself.
        text_spans: Start and end of each text in seconds, (texts, 2), float64; NaN where unknown.
        text_ids: An id for each text; none in training.
        candidates: Strings per text.
        part: Which part of the video this is, and of how many; part 0 alone has the texts.
    """

    id: str
    clips: Tensor
    clip_spans: Tensor
    frame_length: Tensor
    texts: list[str]
    text_spans: Tensor
    text_ids: list[str]
    candidates: int = 1
    part: tuple[int, int] = (0, 1)

    @classmethod
    def of(
        cls,
        sample_id: str,
        clips: Tensor,
        starts: Sequence[float],
        fps: float,
        *,
        texts: Sequence[str] = (),
        text_spans: Sequence[tuple[float, float]] | None = None,
        text_ids: Sequence[str] = (),
        candidates: int = 1,
        part: tuple[int, int] = (0, 1),
        frame_length: Sequence[int] | None = None,
    ) -> Self:
        """Make a sample of clips.

        Args:
            sample_id: The sample's id.
            clips: (clips, frames, ...).
            starts: When each clip starts, in seconds.
            fps: Frames per second.
            texts: Strings, ``candidates`` in a row for each text.
            text_spans: Start and end of each text in seconds; None where they are unknown.
            text_ids: An id for each text.
            candidates: Strings per text.
            part: Which part of the video this is, and of how many.
            frame_length: How many frames of each clip count; None: all.

        Example:
            >>> clips = torch.zeros(2, 8, 3, 64, 64, dtype=torch.uint8)
            >>> Sample.of("v", clips, [0.0, 1.5], fps=4.0, texts=["chop"]).clip_spans
            tensor([[0.0000, 2.0000],
                    [1.5000, 3.5000]], dtype=torch.float64)
        """
        length = torch.tensor(frame_length or [clips.shape[1]] * len(clips), dtype=torch.int64)
        begin = torch.tensor(starts, dtype=torch.float64)
        spans = [(float("nan"),) * 2] * (len(texts) // candidates)
        return cls(
            sample_id,
            clips,
            torch.stack([begin, begin + length.double() / fps], 1),
            length,
            list(texts),
            torch.tensor(text_spans or spans, dtype=torch.float64).reshape(-1, 2),
            list(text_ids),
            candidates,
            part,
        )


class Batch(NamedTuple):
    """Samples, their clips and texts concatenated.

    Attributes:
        ids: The samples' ids, B of them.
        clips: (sum of clips, frames, ...).
        clip_spans: (sum of clips, 2), seconds, float64.
        frame_length: (sum of clips,), int64.
        texts: (sum of texts) x candidates strings.
        text_spans: (sum of texts, 2), seconds, float64; NaN where unknown.
        text_ids: An id for each text; none in training.
        num_clips: How many clips each sample has, B of them.
        num_texts: How many texts each sample has, B of them.
        candidates: Strings per text.
        parts: Which part of its video each sample is, and of how many, B of them.
        unreadable: What should be here and cannot be read.
    """

    ids: list[str]
    clips: Tensor
    clip_spans: Tensor
    frame_length: Tensor
    texts: list[str]
    text_spans: Tensor
    text_ids: list[str]
    num_clips: tuple[int, ...]
    num_texts: tuple[int, ...]
    candidates: int
    parts: tuple[tuple[int, int], ...]
    unreadable: list[Unreadable]

    def to(self, device: torch.device | str) -> Self:
        """Stay on the CPU, whatever Lightning asks for.

        Clips go to the device when they are encoded, so many at a time as fit; times and lengths
        are read where they are.

        Args:
            device: Not used.
        """
        del device
        return self


class Encoded(NamedTuple):
    """An encoder's answer, one row per clip or text.

    Attributes:
        pooled: One vector per item, (items, dim), as the encoder computed it: never normalised.
        tokens: The sequence it was pooled from, where the encoder has one: of video (items, frames,
            places, width), of text (items, words, width).
        token_length: How many frames or words of each item are valid, (items,), int64; None: all.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    token_length: Tensor | None = None


class Features(NamedTuple):
    """One vector per clip or text, of every sample of the global batch, padded at the end.

    Attributes:
        pooled: (batch, clips, dim), or (batch, texts, candidates, dim); candidate 0 is the text
            itself. Of width 0 where the head does not need it.
        length: How many clips or texts of each sample are valid, (batch,), int64.
    """

    pooled: Tensor
    length: Tensor


class Own(NamedTuple):
    """What never leaves the process it was computed in: tokens, strings and ids of its samples.

    Attributes:
        ids: The samples' ids.
        video_tokens: (own, clips, frames, places, width), where the head needs them.
        video_token_length: How many frames of each clip are valid, (own, clips), int64.
        text_tokens: (own, texts, candidates, words, width), where the head needs them.
        text_token_length: How many words of each string are valid, (own, texts, candidates), int64.
        texts: For each sample its strings, ``candidates`` in a row for each text.
        text_ids: For each sample its texts' ids; none in training.
    """

    ids: list[str]
    video_tokens: Tensor | None
    video_token_length: Tensor | None
    text_tokens: Tensor | None
    text_token_length: Tensor | None
    texts: list[list[str]]
    text_ids: list[list[str]]


class Rows(NamedTuple):
    """Which samples of the global batch this process owns, and what its randomness comes from.

    Attributes:
        start: The first sample that this process owns.
        size: How many it owns.
        world_size: How many processes share the batch.
        seed: The same on every process, another for every step. What is drawn for sample i,
            position n comes from (seed, stream, i, n), so that any number of processes draws alike.
        step: How many optimiser steps the training has taken.
    """

    start: int
    size: int
    world_size: int = 1
    seed: int = 0
    step: int = 0

    @property
    def slice(self) -> slice:
        """The samples as an index."""
        return slice(self.start, self.start + self.size)


class EncodedBatch(NamedTuple):
    """What a head is given: the features of the whole batch over all processes.

    Attributes:
        video: One vector per clip.
        text: One vector per candidate of each text.
        clip_spans: Start and end of each clip in seconds, (batch, clips, 2), float64, on the CPU;
            NaN where padded.
        text_spans: The same of each text, (batch, texts, 2); NaN where unknown or padded.
        own: Tokens and strings of this process's samples; None for a batch of plain tensors.
    """

    video: Features
    text: Features
    clip_spans: Tensor
    text_spans: Tensor
    own: Own | None = None

    @classmethod
    def of(
        cls,
        video: Tensor,
        text: Tensor,
        *,
        video_length: Tensor | None = None,
        text_length: Tensor | None = None,
        clip_spans: Tensor | None = None,
        text_spans: Tensor | None = None,
        own: Own | None = None,
    ) -> Self:
        """Make a batch of plain tensors, to use a head without a learner.

        Args:
            video: (batch, clips, dim).
            text: (batch, texts, dim), or (batch, texts, candidates, dim).
            video_length: How many clips are valid, (batch,); None: all.
            text_length: How many texts are valid, (batch,); None: all.
            clip_spans: (batch, clips, 2), seconds; None: unknown.
            text_spans: (batch, texts, 2), seconds; None: unknown.
            own: Tokens and strings, for heads that need them.

        Raises:
            ArgumentError: If a shape is another.

        Example:
            >>> batch = EncodedBatch.of(torch.randn(2, 3, 8), torch.randn(2, 4, 8))
            >>> batch.text.pooled.shape, batch.text.length
            (torch.Size([2, 4, 1, 8]), tensor([4, 4]))
        """
        if video.ndim != 3 or text.ndim not in (3, 4) or len(video) != len(text):
            message = (
                f"video is {tuple(video.shape)} and text {tuple(text.shape)}; they have to be "
                "(batch, clips, dim) and (batch, texts, dim) or (batch, texts, candidates, dim)"
            )
            raise ArgumentError(message)
        text = text if text.ndim == 4 else text[:, :, None]
        return cls(
            Features(video, _all_of(video) if video_length is None else video_length),
            Features(text, _all_of(text) if text_length is None else text_length),
            _unknown(video) if clip_spans is None else clip_spans,
            _unknown(text) if text_spans is None else text_spans,
            own,
        )

    def local(self, rows: Rows) -> Self:
        """Take this process's samples out of the global batch.

        Args:
            rows: Which they are.

        Returns:
            The same fields, of own samples alone.
        """
        mine = rows.slice
        return self._replace(
            video=Features(*(x[mine] for x in self.video)),
            text=Features(*(x[mine] for x in self.text)),
            clip_spans=self.clip_spans[mine],
            text_spans=self.text_spans[mine],
        )

    def all_rows(self) -> Rows:
        """Return the rows of a batch that one process owns as a whole."""
        return Rows(0, len(self.video.length))


def collate(samples: Sequence[Sample | Unreadable]) -> Batch:
    """Concatenate the clips and texts of samples.

    Args:
        samples: Samples whose clips have one shape, and records of those that cannot be read; none
            for a process that has nothing left to do.

    Returns:
        The batch.

    Raises:
        ArgumentError: If samples with texts have different numbers of candidates, or clips have
            different shapes.
    """
    readable = [sample for sample in samples if isinstance(sample, Sample)]
    candidates = {sample.candidates for sample in readable if sample.texts}
    if len(candidates) > 1:
        message = (
            f"samples of one batch have {sorted(candidates)} candidates per text; it has to be one "
            "number"
        )
        raise ArgumentError(message)
    _require_one_shape(readable)
    nothing = torch.empty(0, 2, dtype=torch.float64)
    return Batch(
        ids=[sample.id for sample in readable],
        clips=torch.cat([sample.clips for sample in readable]) if readable else torch.empty(0),
        clip_spans=torch.cat([nothing, *(sample.clip_spans for sample in readable)]),
        frame_length=torch.cat(
            [torch.empty(0, dtype=torch.int64), *(sample.frame_length for sample in readable)]
        ),
        texts=[text for sample in readable for text in sample.texts],
        text_spans=torch.cat([nothing, *(sample.text_spans for sample in readable)]),
        text_ids=[text_id for sample in readable for text_id in sample.text_ids],
        num_clips=tuple(len(sample.clips) for sample in readable),
        num_texts=tuple(len(sample.texts) // sample.candidates for sample in readable),
        candidates=max(candidates, default=1),
        parts=tuple(sample.part for sample in readable),
        unreadable=[sample for sample in samples if isinstance(sample, Unreadable)],
    )


def _require_one_shape(samples: Sequence[Sample]) -> None:
    ids = {tuple(sample.clips.shape[1:]): sample.id for sample in samples}
    if len(ids) > 1:
        (one, first), (other, second), *_ = ids.items()
        message = (
            f"clips of {first} are {one}, those of {second} {other}; all clips of a batch need one "
            "shape"
        )
        raise ArgumentError(message)


def _all_of(x: Tensor) -> Tensor:
    return torch.full((len(x),), x.shape[1], device=x.device)


def _unknown(x: Tensor) -> Tensor:
    return torch.full((*x.shape[:2], 2), torch.nan, dtype=torch.float64)
