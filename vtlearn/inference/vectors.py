"""Vectors of a video's windows, as a head compares them with those of texts."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.batch import Sample
from vtlearn.encoding import encode_clips
from vtlearn.heads.base import Aligner
from vtlearn.inference.windows import Span
from vtlearn.learner import VideoTextLearner

__all__ = ["VideoVectors"]


class VideoVectors(NamedTuple):
    """What a video shows, window by window.

    ``video_vectors @ texts.T`` are similarities: what the model was trained to make high for what
    belongs together.

    Attributes:
        vectors: (windows, dim), float32 or wider, on the CPU.
        spans: Start and end of each window in seconds of the video, (windows, 2), float64.
        path: The file.

    Example:
        >>> video = VideoVectors(torch.eye(2), torch.tensor([[0.0, 2.0], [1.0, 3.0]]), Path("x"))
        >>> video @ torch.tensor([[0.5, -1.0]]).T
        tensor([[ 0.5000],
                [-1.0000]])
    """

    vectors: Tensor
    spans: Tensor
    path: Path

    def __matmul__(self, texts: Tensor) -> Tensor:
        """Compare the windows with texts, (dim, texts): (windows, texts)."""
        return self.vectors @ texts


def encode_windows(
    learner: VideoTextLearner, aligner: Aligner, samples: Iterable[Sample], path: Path
) -> VideoVectors:
    """Encode windows of one video.

    Args:
        learner: In evaluation mode.
        aligner: Its head, which compares them.
        samples: The windows, some at a time.
        path: The video's file.

    Returns:
        A vector per window.
    """
    vectors = [torch.zeros(0, learner.video_encoder.dim)]
    spans = [torch.zeros(0, 2, dtype=torch.float64)]
    for sample in samples:
        if len(sample.clips):
            vectors.append(_embedded(learner, aligner, sample))
            spans.append(sample.clip_spans)
    # without the first, which is of the encoder's width, not the head's
    return VideoVectors(torch.cat(vectors[1:] or vectors), torch.cat(spans), path)


def encode_spans(
    learner: VideoTextLearner,
    aligner: Aligner,
    windows: Iterable[tuple[Sample, list[int]]],
    spans: list[Span],
    path: Path,
) -> VideoVectors:
    """Encode spans of one video, each as the mean of its windows, embedded again.

    That is how protocols pool the windows of a clip.

    Args:
        learner: In evaluation mode.
        aligner: Its head, which compares them.
        windows: Windows of spans, some at a time, and which span each belongs to.
        spans: When each starts and ends, in seconds; each has a window at least.
        path: The video's file.

    Returns:
        A vector per span.
    """
    vectors: list[Tensor] = []
    owners: list[int] = []
    for sample, some in windows:
        if some:
            vectors.append(_embedded(learner, aligner, sample))
            owners += some
    times = torch.tensor(spans, dtype=torch.float64).reshape(-1, 2)
    if not vectors:
        return VideoVectors(torch.zeros(0, learner.video_encoder.dim), times, path)
    joined, owner = torch.cat(vectors), torch.tensor(owners)
    means = torch.stack([joined[owner == number].mean(0) for number in range(len(spans))])
    with torch.no_grad():
        pooled = aligner.embed(means.to(learner.device)).cpu()
    return VideoVectors(pooled, times, path)


@torch.no_grad()
def _embedded(learner: VideoTextLearner, aligner: Aligner, sample: Sample) -> Tensor:
    encoder, device = learner.video_encoder, learner.device
    encoded = encode_clips(encoder, sample.clips, sample.frame_length, device)
    return aligner.embed(encoded.pooled).cpu()
