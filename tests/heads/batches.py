"""Random features of a batch of narrations, for the tests of heads."""

import torch
from torch import Tensor

from vtlearn.batch import TextFeatures, VideoFeatures

LENGTHS = [4, 2, 3, 1]


def features(
    lengths: list[int] | None = None,
    *,
    clips: int = 4,
    candidates: int = 2,
    dim: int = 5,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> tuple[VideoFeatures, TextFeatures]:
    lengths = LENGTHS if lengths is None else lengths
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), clips)
    video = torch.randn(*shape, dim, generator=generator, dtype=torch.float64)
    text = torch.randn(*shape, candidates, dim, generator=generator, dtype=torch.float64)
    length = torch.tensor(lengths)
    return VideoFeatures(video.to(dtype), None, length), TextFeatures(text.to(dtype), None, length)


def with_pooled(
    video: VideoFeatures, text: TextFeatures, clips: Tensor, captions: Tensor
) -> tuple[VideoFeatures, TextFeatures]:
    return video._replace(pooled=clips), text._replace(pooled=captions)


def of_lengths(lengths: list[int]) -> tuple[VideoFeatures, TextFeatures]:
    """Features whose paddings hold NaN."""
    video, text = features(lengths)
    for row, length in enumerate(lengths):
        video.pooled[row, length:] = torch.nan
        text.pooled[row, length:] = torch.nan
    return video, text
