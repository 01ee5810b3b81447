"""Every clip against every text of the batch: the contrastive loss without any alignment."""

from torch import Tensor

from vtlearn.batch import EncodedBatch, Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Head
from vtlearn.heads.contrastive import (
    GRID_MEMORY,
    Contrastive,
    Direction,
    Embeddings,
    PairedItems,
    single_entries,
)

__all__ = ["InfoNCE"]


class InfoNCE(Contrastive):
    """Contrast single clips with single texts; a clip's own text is its one positive.

    Clip i of a sample belongs to its text i; a sample with clips alone or texts alone takes no
    part. The loss of a clip is -log softmax of its text's score among all valid texts of the batch,
    and likewise for a text; ``both`` takes their mean. With U items it is log U for an untrained
    model whose scores are all equal, and approaches 0. Where texts have candidates, only the text
    itself (candidate 0) is used.

    Args:
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What cosines are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If the temperature is not positive, or there is no such direction.

    Source:
        A. van den Oord, Y. Li, O. Vinyals, "Representation Learning with Contrastive Predictive
        Coding", 2018, equation 4, with all other pairs of the batch as negatives.

    Example:
        >>> import torch
        >>> from vtlearn.batch import EncodedBatch
        >>> eye = torch.eye(2)[:, None]  # two samples of one clip, or one text
        >>> loss = InfoNCE(temperature=1.0)(EncodedBatch.of(eye, eye)).loss
        >>> round(loss.item(), 4)  # log(1 + exp(-1))
        0.3133
    """

    def __init__(
        self,
        *,
        direction: Direction = "both",
        temperature: float = 0.07,
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

    def paired_items(self, batch: EncodedBatch, rows: Rows) -> PairedItems:
        """Take valid clips with their texts.

        Args:
            batch: As many texts as clips in each sample, or none of either.
            rows: Not used: nothing is drawn.

        Returns:
            One item per clip that has a text.

        Raises:
            ArgumentError: If a sample has clips and texts, but not equally many.
        """
        del rows
        return clip_pairs(self, batch, self.embed(batch.text.pooled[:, :, :1]))

    def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
        """Multiply clips with texts.

        Args:
            video: (clips, dim).
            text: (texts, 1, dim).

        Returns:
            (clips, texts).
        """
        return video.vectors @ text.vectors[:, 0].T


def clip_pairs(head: Contrastive, batch: EncodedBatch, texts: Tensor) -> PairedItems:
    """Make one item of each clip that has a text.

    Args:
        head: Embeds the clips; an error names it.
        batch: Where the clips and all lengths come from.
        texts: Embedded texts, (batch, texts, candidates, dim).

    Returns:
        Items (items, dim) and (items, candidates, dim).

    Raises:
        ArgumentError: If a sample has clips and texts, but not equally many.
    """
    require_one_text_per_clip(head, batch)
    length = batch.video.length.minimum(batch.text.length)
    of_video, sample, position = single_entries(head.embed(batch.video.pooled), length)
    of_text, _, _ = single_entries(texts, length)
    one = length.new_ones(len(sample))
    return PairedItems(Embeddings(of_video, one), Embeddings(of_text, one), sample, position)


def require_one_text_per_clip(
    head: Head,
    batch: EncodedBatch,
    *,
    way_out: str = "set model.head to one that aligns whole samples, such as S2DTW, or use",
) -> None:
    """Refuse samples whose texts cannot belong to clip after clip.

    Args:
        head: An error names it.
        batch: Where the lengths come from, those of all processes.
        way_out: What to do about it, up to "data with one text per clip".

    Raises:
        ArgumentError: If a sample has clips and texts, but not equally many.
    """
    clips, texts = batch.video.length, batch.text.length
    differ = (clips != texts) & (clips > 0) & (texts > 0)
    if differ.any():
        sample = int(differ.nonzero()[0])
        message = (
            f"{type(head).__name__} takes text i to belong to clip i, but sample {sample} of the "
            f"batch (counting from 0) has {int(clips[sample])} clips and {int(texts[sample])} "
            f"texts: {way_out} data with one text per clip"
        )
        raise ArgumentError(message)
