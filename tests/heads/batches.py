"""Random features of a batch of samples, for the tests of heads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vtlearn.batch import EncodedBatch

LENGTHS = [4, 2, 3, 1]
#: Clips and texts of samples where they differ in number.
CLIPS, TEXTS = [6, 2, 1, 4], [3, 5, 1, 2]


def encoded(
    clips: Sequence[int] = LENGTHS,
    texts: Sequence[int] | None = None,
    *,
    candidates: int = 2,
    dim: int = 5,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    fill: float | None = None,
) -> EncodedBatch:
    """Random samples; what is padded is random too, or ``fill``."""
    texts = clips if texts is None else texts
    generator = torch.Generator().manual_seed(seed)

    def draw(lengths: Sequence[int], *shape: int) -> Tensor:
        x = torch.randn(len(lengths), max(lengths), *shape, generator=generator).to(dtype)
        for sample, length in enumerate(lengths):
            if fill is not None:
                x[sample, length:] = fill
        return x

    return EncodedBatch.of(
        draw(clips, dim),
        draw(texts, candidates, dim),
        video_length=torch.tensor(clips),
        text_length=torch.tensor(texts),
    )


def with_pooled(batch: EncodedBatch, video: Tensor, text: Tensor) -> EncodedBatch:
    return batch._replace(
        video=batch.video._replace(pooled=video), text=batch.text._replace(pooled=text)
    )
