"""Whole samples compared by soft dynamic time warping: every clip and every text is used."""

from torch import Tensor

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import dtw
from vtlearn.alignment.memory import floats_per_pair
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.soft_dtw import soft_alignment, soft_dtw
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Alignment
from vtlearn.heads.contrastive import (
    GRID_MEMORY,
    Contrastive,
    Direction,
    Embeddings,
    PairedItems,
    pairwise_similarity,
)

__all__ = ["SoftDTW"]


class SoftDTW(Contrastive):
    """Contrast whole videos with whole texts by the soft-DTW cost of their best alignments.

    The score of a video and a text is -softDTW of the cost 1 - <clip, text>, and the loss is the
    cross-entropy of the true pair among all pairs of the batch. A sample may have any number of
    clips and any other of texts; one without clips or without texts takes no part. Candidates are
    not used.

    Args:
        gamma: Smoothing, in units of the cost; 0 takes the best path alone.
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What costs are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If ``gamma`` is negative, the temperature not positive, or there is no such
            direction.

    Source:
        M. Cuturi, M. Blondel, "Soft-DTW: a Differentiable Loss Function for Time-Series", ICML
        2017, equation 3; the contrast over pairs of a batch is VT-TWINS's, without its smoothing
        and its dummies.

    Example:
        >>> import torch
        >>> from vtlearn.batch import EncodedBatch
        >>> eye = torch.eye(3).repeat(2, 1, 1)
        >>> loss = SoftDTW()(EncodedBatch.of(eye, eye)).loss
        >>> round(loss.item(), 4)  # two equal pairs: log 2
        0.6931
    """

    def __init__(
        self,
        *,
        gamma: float = 0.1,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
            grid_memory=grid_memory,
        )
        if gamma < 0:
            message = f"gamma={gamma} of {type(self).__name__}: it has to be 0 or more"
            raise ArgumentError(message)
        self.gamma = gamma

    def paired_items(self, batch: EncodedBatch, rows: Rows) -> PairedItems:
        """Take samples that have at least one clip and one text.

        Args:
            batch: Features of the whole batch, zeros where padded.
            rows: Not used: nothing is drawn.

        Returns:
            One item per sample, (items, clips, dim) and (items, texts, dim).
        """
        del rows
        clips, texts = self.embed(batch.video.pooled), self.embed(batch.text.pooled[:, :, 0])
        num_clips, num_texts = batch.video.length, batch.text.length
        sample = (num_clips.minimum(num_texts) > 0).nonzero().squeeze(1)
        return PairedItems(
            Embeddings(clips[sample], num_clips[sample]),
            Embeddings(texts[sample], num_texts[sample]),
            sample,
            sample * 0,
        )

    def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
        """Align every video with every text.

        Args:
            video: (videos, clips, dim).
            text: (samples, texts, dim).

        Returns:
            -softDTW, (videos, samples).
        """
        cost = 1 - pairwise_similarity(video.vectors, text.vectors)
        return -soft_dtw(cost, self.gamma, n=video.length[:, None], m=text.length[None])

    def floats_per_pair(self, video: Embeddings, text: Embeddings) -> int:
        """Say how much memory a pair takes: tables of its clips and texts.

        Args:
            video: (videos, clips, dim).
            text: (samples, texts, dim).

        Returns:
            Numbers per pair.
        """
        clips, texts = video.vectors.shape[1], text.vectors.shape[1]
        return floats_per_pair(video.vectors, clips, texts, self._options())

    def _options(self) -> SoftDTWOptions:
        return SoftDTWOptions(self.gamma)

    def align(self, video: Tensor, text: Tensor) -> Alignment:
        """Align one video's clips with its texts.

        Args:
            video: Clips, pooled, (clips, dim).
            text: Texts, pooled, (texts, dim).

        Returns:
            The cost 1 - <clip, text>, its soft alignment with this head's gamma, and the hard path.
        """
        cost = 1 + dot(self.embed(video), self.embed(text))
        return Alignment(cost, soft_alignment(cost, self.gamma), dtw(cost))
