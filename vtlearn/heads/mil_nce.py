"""A clip may be described by any of several texts: contrast with many positives."""

import torch
from torch import Tensor

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads.contrastive import GRID_MEMORY, Contrastive, Embeddings, PairedItems
from vtlearn.heads.info_nce import clip_pairs
from vtlearn.heads.losses import mil_nce

__all__ = ["MILNCE"]


class MILNCE(Contrastive):
    """Contrast clips with texts where any candidate of a clip may be the one that describes it.

    Clip i of a sample belongs to its text i; a sample with clips alone or texts alone takes no
    part. For clip i with positives P(i), the loss is log of the sum of exp over P(i), against the
    sum over P(i), all other texts with clip i, and all other clips with the candidates of clip i.
    With one candidate per clip, equal scores and U items it is log(2U - 1); it approaches 0. With
    ``positives_in_denominator=2`` the positives stand there twice, as in the published code; the
    loss then approaches log 2.

    Args:
        neighbours: How many texts before and after a clip's own in its sample are positives too,
            with all their candidates.
        positives_in_denominator: 1, or 2 as the published code has it (there a neighbour's column
            is contrasted as well).
        temperature: What scores are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False, the paper's).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If ``neighbours`` is negative, ``positives_in_denominator`` neither 1 nor 2,
            or the temperature not positive.

    Source:
        A. Miech, J.-B. Alayrac, L. Smaira, I. Laptev, J. Sivic, A. Zisserman, "End-to-End Learning
        of Visual Representations from Uncurated Instructional Videos", CVPR 2020, equation 1.
        ``neighbours`` are ours: in a narration the captions beside a clip's own serve as candidates
        without being encoded again.

    Example:
        >>> import torch
        >>> from vtlearn.batch import EncodedBatch
        >>> eye = torch.eye(2)[:, None]  # two samples of one clip, or one text
        >>> loss = MILNCE(temperature=1.0)(EncodedBatch.of(eye, eye)).loss
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
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
            grid_memory=grid_memory,
        )
        if neighbours < 0 or positives_in_denominator not in (1, 2):
            message = (
                f"MILNCE got neighbours={neighbours}, which has to be 0 or more, and "
                f"positives_in_denominator={positives_in_denominator}, which has to be 1 or 2"
            )
            raise ArgumentError(message)
        self.neighbours = neighbours
        self.positives_in_denominator = positives_in_denominator

    def paired_items(self, batch: EncodedBatch, rows: Rows) -> PairedItems:
        """Take valid clips with the candidates of their texts.

        Args:
            batch: As many texts as clips in each sample, or none of either.
            rows: Not used: nothing is drawn.

        Returns:
            One item per clip that has a text.

        Raises:
            ArgumentError: If a sample has clips and texts, but not equally many.
        """
        del rows
        return clip_pairs(self, batch, self.embed(batch.text.pooled))

    def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
        """Multiply clips with all candidates of all texts.

        Args:
            video: (clips, dim).
            text: (texts, candidates, dim).

        Returns:
            (clips, texts, candidates).
        """
        return torch.einsum("vd,tkd->vtk", video.vectors, text.vectors)

    def losses(
        self,
        row_logits: Tensor | None,
        column_logits: Tensor | None,
        own: Tensor,
        items: PairedItems,
    ) -> Tensor:
        """Contrast each own clip with its row and its column at once.

        Args:
            row_logits: Own clips with all texts, (own, items, candidates).
            column_logits: All clips with own texts, (items, own, candidates).
            own: Where the own items stand among all items, (own,).
            items: All items.

        Returns:
            (own,).
        """
        if row_logits is None or column_logits is None:
            message = "MILNCE contrasts rows and columns together; it has no direction"
            raise ArgumentError(message)
        positive = self._positives(own, items)
        return mil_nce(row_logits, column_logits, positive, self.positives_in_denominator)

    def _positives(self, own: Tensor, items: PairedItems) -> Tensor:
        """Tell which items an own item may take its text from, (own, items)."""
        distance = (items.position[own, None] - items.position).abs()
        return (items.sample[own, None] == items.sample) & (distance <= self.neighbours)
