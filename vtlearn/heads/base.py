"""What every head promises: features in, a loss out, and the similarity that it trains.

A head never knows about processes. It is given the features of the whole batch and a ``Grid`` that
says which of the rows are its process's own.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.soft_dtw import soft_alignment
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.hyperparameters import Configurable

__all__ = ["Alignment", "AlignmentHead", "Grid", "HeadOutput", "unit_length"]


class Grid(NamedTuple):
    """The B x B pairs of videos and texts of one global batch, and who owns which rows.

    Attributes:
        start: The first row that this process owns.
        own: How many rows it owns.
        world: How many processes share the batch.
        seed: The same on every process, another for every step. What a head draws for row i comes
            from (seed, i), so that any number of processes draws alike.
    """

    start: int
    own: int
    world: int = 1
    seed: int = 0


class HeadOutput(NamedTuple):
    """What a head makes of a batch.

    Attributes:
        loss: W x (sum over own valid rows) / (valid rows of the whole batch), a scalar: averaged
            over the W processes it is the mean over the batch.
        logs: Named scalars worth plotting, detached.
    """

    loss: Tensor
    logs: dict[str, Tensor]


class Alignment(NamedTuple):
    """How the N clips and M captions of one video go together.

    Attributes:
        cost: (clips, captions); lower is better.
        expected: (clips, captions), between 0 and 1: the probability that the path visits a pair.
        path: The best hard path through ``cost``.
    """

    cost: Tensor
    expected: Tensor
    path: HardPath


class AlignmentHead(Configurable, ABC):
    """Turn features of clips and captions into a loss.

    Args:
        normalize: Compare vectors by cosine (True) or by raw dot product (False).

    Attributes:
        needs_tokens: Whether the head reads the encoders' tokens; otherwise it gets none.
    """

    needs_tokens: bool = False

    def __init__(self, *, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize

    @abstractmethod
    def forward(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> HeadOutput:
        """Score the whole batch's features, for the rows this process owns.

        Args:
            video: Features of the whole batch, (batch, clips, dim).
            text: Features of the whole batch, (batch, captions, candidates, dim).
            grid: Which rows are this process's own.

        Returns:
            The loss and what to log.
        """

    def embed(self, pooled: Tensor) -> Tensor:
        """Turn pooled vectors into what this head compares by dot product.

        Args:
            pooled: (..., dim), any floating dtype.

        Returns:
            (..., dim), float32 or wider: unit length, or as it was with ``normalize=False``. A zero
            vector stays zero, with zero gradient.
        """
        return unit_length(pooled) if self.normalize else _wide(pooled)

    def align(self, video: VideoFeatures, text: TextFeatures) -> Alignment:
        """Align one video's clips with its captions, for pictures and pages.

        Args:
            video: A batch of one, (1, clips, dim).
            text: A batch of one, (1, captions, candidates, dim); candidate 0 is aligned.

        Returns:
            Cost 1 - cosine, its soft alignment (gamma 0.1), and the path of hard DTW.
        """
        clips, captions = (unit_length(x) for x in only_video(video, text))
        cost = 1 + dot(clips, captions)
        return Alignment(cost, soft_alignment(cost), dtw(cost))


def only_video(video: VideoFeatures, text: TextFeatures) -> tuple[Tensor, Tensor]:
    """Take the valid clips and captions out of a batch of one.

    Args:
        video: (1, clips, dim).
        text: (1, captions, candidates, dim).

    Returns:
        (valid clips, dim) and (valid captions, dim).
    """
    return (
        video.pooled[0, : int(video.length[0])],
        text.pooled[0, : int(text.length[0]), 0],
    )


def unit_length(x: Tensor) -> Tensor:
    """Scale vectors to unit length, in float32 or wider.

    Args:
        x: (..., dim), any floating dtype.

    Returns:
        (..., dim); a zero vector stays zero and gets zero gradient, never NaN.

    Example:
        >>> unit_length(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    wide = _wide(x)
    norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    scaled: Tensor = wide / norm.masked_fill(norm == 0, torch.inf)
    return scaled


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
