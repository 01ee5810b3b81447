"""What travels: from a dataset to a batch, from an encoder to a head, from a head to the learner.

Axes are named batch B, clips N, captions M, candidates K, frames T, dim D, as everywhere in
vtlearn. A batch is a NamedTuple because Lightning moves it and a loader pins it without being told
how. A mask is a length: valid entries come first, whatever is missing is padded at the end.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.errors import UnreadableVideoError

__all__ = [
    "Encoded",
    "EvaluationBatch",
    "EvaluationSample",
    "Narration",
    "NarrationBatch",
    "TextFeatures",
    "UnreadableItem",
    "VideoFeatures",
    "WindowChunk",
    "collate_evaluation",
    "collate_narrations",
    "pad",
    "valid",
]


class Encoded(NamedTuple):
    """What an encoder makes of clips or captions, one row each.

    Attributes:
        pooled: One vector an item, (items, dim), as the encoder computed it: never normalised.
        tokens: The sequence it was pooled from, (items, tokens, width), where the encoder has one.
    """

    pooled: Tensor
    tokens: Tensor | None = None


class VideoFeatures(NamedTuple):
    """Encoded clips of a batch of narrations.

    Attributes:
        pooled: (batch, clips, dim).
        tokens: (batch, clips, tokens, width), where the head asks for them.
        length: How many clips of each narration are valid, (batch,), int64.
    """

    pooled: Tensor
    tokens: Tensor | None
    length: Tensor


class TextFeatures(NamedTuple):
    """Encoded captions of a batch of narrations.

    Attributes:
        pooled: (batch, captions, candidates, dim); candidate 0 is the caption itself.
        tokens: (batch, captions, candidates, tokens, width), where the head asks for them.
        length: How many captions of each narration are valid, (batch,), int64.
    """

    pooled: Tensor
    tokens: Tensor | None
    length: Tensor


class Narration(NamedTuple):
    """N clips of one video in time order, with their captions.

    Attributes:
        id: The video's id.
        video: (clips, frames, 3, height, width), uint8.
        captions: Candidates of each valid clip, ``length`` lists of K strings.
        spans: Start and end of each clip's own caption in seconds, (clips, 2), float64.
        length: How many of the clips are valid; the rest is zeros.
    """

    id: str
    video: Tensor
    captions: list[list[str]]
    spans: Tensor
    length: int


class NarrationBatch(NamedTuple):
    """A batch of narrations, padded to the same number of clips.

    Attributes:
        ids: The videos' ids, B of them.
        video: (batch, clips, frames, 3, height, width), uint8.
        captions: For each narration its ``length`` lists of K strings.
        spans: (batch, clips, 2), seconds, float64.
        length: (batch,), int64.
    """

    ids: list[str]
    video: Tensor
    captions: list[list[list[str]]]
    spans: Tensor
    length: Tensor


class EvaluationSample(NamedTuple):
    """One item that a protocol scores: a clip or a whole video, as windows, with its captions.

    Attributes:
        id: The item's id.
        video: (windows, frames, 3, height, width), uint8.
        times: The centre of each window in seconds of the video, (windows,), float64.
        captions: Texts that belong to the item; none for an item of video alone.
        text_ids: Their ids.
    """

    id: str
    video: Tensor
    times: Tensor
    captions: list[str]
    text_ids: list[str]


class UnreadableItem(NamedTuple):
    """Stands where an item should be whose video cannot be read.

    Attributes:
        id: The item's id.
        path: Its video; several items may have the same.
        reason: Why it cannot be read.
    """

    id: str
    path: str
    reason: str


class EvaluationBatch(NamedTuple):
    """Several items, their windows and captions laid end to end.

    Attributes:
        ids: The items' ids, B of them.
        video: (sum of windows, frames, 3, height, width), uint8.
        times: (sum of windows,), seconds, float64.
        windows: How many windows each item has, B of them.
        captions: All items' captions.
        text_ids: Their ids.
        texts: How many captions each item has, B of them.
        unreadable: What is missing in the batch, beside the B items.
    """

    ids: list[str]
    video: Tensor
    times: Tensor
    windows: list[int]
    captions: list[str]
    text_ids: list[str]
    texts: list[int]
    unreadable: list[UnreadableItem]


class WindowChunk(NamedTuple):
    """Consecutive windows of one video, encoded together; it is its own batch.

    Attributes:
        id: The video's id; empty in a process that has no video to encode.
        video: (windows, frames, 3, height, width), uint8; no windows where they cannot be read.
        valid: (windows,), bool: False where frames of a window were lost.
        duration: How long the video is, in seconds.
        is_last: Whether it is the last chunk of its video.
        error: Why it cannot be read, if so.
    """

    id: str
    video: Tensor
    valid: Tensor
    duration: float
    is_last: bool
    error: UnreadableVideoError | None


def valid(length: Tensor, size: int) -> Tensor:
    """Turn lengths into a mask.

    Args:
        length: (batch,), integers.
        size: How many entries there are, valid or not.

    Returns:
        (batch, size), bool: True for the first ``length`` entries.

    Example:
        >>> valid(torch.tensor([2, 0]), 3).int()
        tensor([[1, 1, 0],
                [0, 0, 0]], dtype=torch.int32)
    """
    return torch.arange(size, device=length.device) < length[:, None]


def collate_narrations(samples: Sequence[Narration]) -> NarrationBatch:
    """Stack narrations, padding them at the end to the largest number of clips.

    Args:
        samples: Narrations whose clips have one shape.

    Returns:
        The batch.
    """
    clips = max(sample.video.shape[0] for sample in samples)
    return NarrationBatch(
        ids=[sample.id for sample in samples],
        video=torch.stack([pad(sample.video, clips) for sample in samples]),
        captions=[sample.captions for sample in samples],
        spans=torch.stack([pad(sample.spans, clips) for sample in samples]),
        length=torch.tensor([sample.length for sample in samples]),
    )


def collate_evaluation(items: Sequence[EvaluationSample | UnreadableItem]) -> EvaluationBatch:
    """Lay the windows and captions of several items end to end.

    Args:
        items: Items whose windows have one shape; none for a process that has nothing left to do.

    Returns:
        The batch.
    """
    samples = [item for item in items if isinstance(item, EvaluationSample)]
    unreadable = [item for item in items if isinstance(item, UnreadableItem)]
    if not samples:
        return EvaluationBatch([], torch.empty(0), torch.empty(0), [], [], [], [], unreadable)
    return EvaluationBatch(
        ids=[sample.id for sample in samples],
        video=torch.cat([sample.video for sample in samples]),
        times=torch.cat([sample.times for sample in samples]),
        windows=[len(sample.video) for sample in samples],
        captions=[caption for sample in samples for caption in sample.captions],
        text_ids=[text_id for sample in samples for text_id in sample.text_ids],
        texts=[len(sample.captions) for sample in samples],
        unreadable=unreadable,
    )


def pad(x: Tensor, size: int) -> Tensor:
    """Append zeros along the first axis.

    Args:
        x: (entries, ...).
        size: How many entries there should be.

    Returns:
        (size, ...); ``x`` itself where nothing is missing.
    """
    missing = size - len(x)
    return torch.cat([x, x.new_zeros(missing, *x.shape[1:])]) if missing else x
