"""A clip may be described by any of several captions: contrast with many positives."""

import torch
from torch import Tensor

from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Grid
from vtlearn.heads.info_nce import clip_pairs
from vtlearn.heads.sequence import Pairs, SequenceContrast, Side

__all__ = ["MILNCE"]


class MILNCE(SequenceContrast):
    """Contrast clips with captions where any candidate of a clip may be the one that describes it.

    For clip i with positives P(i), the loss is log of the sum of exp over P(i), against the sum
    over P(i), all other captions with clip i, and all other clips with the candidates of clip i.
    With one candidate a clip, equal scores and U units it is log(2U - 1); it approaches 0. With
    ``positives_in_denominator=2`` the positives stand there twice, as in the published code; the
    loss then approaches log 2.

    Args:
        neighbours: How many captions before and after a clip's own in its narration are positives
            too, with all their candidates.
        positives_in_denominator: 1, or 2 as the published code has it (there a neighbour's column
            is contrasted as well).
        temperature: What scores are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False, the paper's).

    Raises:
        ArgumentError: If ``neighbours`` is negative or ``positives_in_denominator`` neither 1 nor
            2.

    Source: A. Miech, J.-B. Alayrac, L. Smaira, I. Laptev, J. Sivic, A. Zisserman, "End-to-End
        Learning
    of Visual Representations from Uncurated Instructional Videos", CVPR 2020, equation 1.
    ``neighbours`` are ours: in a narration the captions beside a clip's own serve as candidates
    without being encoded again.

    Example:
        >>> x = torch.eye(2).reshape(2, 1, 2)
        >>> one = torch.ones(2, dtype=torch.int64)
        >>> head = MILNCE(temperature=1.0)
        >>> text = TextFeatures(x[:, :, None], None, one)
        >>> loss, _ = head(VideoFeatures(x, None, one), text, Grid(start=0, own=2))
        >>> round(loss.item(), 4)  # log(1 + 2 exp(-1))
        0.5514
    """

    def __init__(
        self,
        *,
        neighbours: int = 0,
        positives_in_denominator: int = 1,
        temperature: float = 0.07,
        learn_temperature: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__(
            temperature=temperature, learn_temperature=learn_temperature, normalize=normalize
        )
        if neighbours < 0 or positives_in_denominator not in (1, 2):
            message = (
                f"MILNCE got neighbours={neighbours}, which has to be 0 or more, and "
                f"positives_in_denominator={positives_in_denominator}, which has to be 1 or 2"
            )
            raise ArgumentError(message)
        self.neighbours = neighbours
        self.positives_in_denominator = positives_in_denominator

    def pairs(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> Pairs:
        """Take valid clips with the candidates of their captions.

        Args:
            video: (batch, clips, dim).
            text: (batch, captions, candidates, dim); as many captions as clips.
            grid: Not used: nothing is drawn.

        Returns:
            One unit a clip that has a caption.
        """
        del grid
        return clip_pairs(self.embed(video.pooled), self.embed(text.pooled), video, text)

    def score(self, video: Side, text: Side) -> Tensor:
        """Multiply clips with all candidates of all captions.

        Args:
            video: (videos, dim).
            text: (texts, candidates, dim).

        Returns:
            (videos, texts, candidates).
        """
        return torch.einsum("vd,tkd->vtk", video.vectors, text.vectors)

    def loss(
        self, rows: Tensor | None, columns: Tensor | None, own: Tensor, pairs: Pairs
    ) -> Tensor:
        """Contrast each own clip with the row and the column of the grid at once.

        Args:
            rows: Own clips with all captions, (own, units, candidates).
            columns: All clips with own captions, (units, own, candidates).
            own: Where the own units stand among all units, (own,).
            pairs: All units.

        Returns:
            (own,).
        """
        if rows is None or columns is None:
            message = "MILNCE contrasts rows and columns together; it has no direction"
            raise ArgumentError(message)
        positive = self._positives(own, pairs)[:, :, None]
        of_text = columns.transpose(0, 1)
        if self.positives_in_denominator == 1:
            of_text = of_text.masked_fill(positive, -torch.inf)
        denominator = torch.cat([rows.flatten(1), of_text.flatten(1)], dim=1).logsumexp(1)
        return denominator - rows.masked_fill(~positive, -torch.inf).flatten(1).logsumexp(1)

    def _positives(self, own: Tensor, pairs: Pairs) -> Tensor:
        """Say which units an own unit may take its caption from, (own, units)."""
        distance = (pairs.position[own, None] - pairs.position).abs()
        return (pairs.row[own, None] == pairs.row) & (distance <= self.neighbours)
