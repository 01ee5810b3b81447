"""VT-TWINS: alignment that smooths locally and may skip what has no counterpart."""

from torch import Tensor
from typing_extensions import override

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.s2dtw import s2dtw, s2dtw_cost
from vtlearn.alignment.soft_dtw import soft_alignment
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.heads.base import Alignment
from vtlearn.heads.contrastive import (
    GRID_MEMORY,
    Direction,
    Embeddings,
    PairedItems,
    pairwise_similarity,
)
from vtlearn.heads.permutation import draws_for, permute_time
from vtlearn.heads.soft_dtw import SoftDTW

__all__ = ["S2DTW"]


class S2DTW(SoftDTW):
    """Contrast whole videos with whole texts by locally smoothed, weak temporal alignment.

    The score of a video and a text is -S: soft-DTW of the cost -<clip, text>, to which each cell's
    cheapest neighbour is added (``smoothing``) and between whose rows and columns lie dummies of a
    fixed cost, so that a path may skip a clip or a text (``dummy``). Optionally look-alike
    neighbours change places first (``permute``). Each of the three can be switched off: they are
    the paper's ablation. A sample may have any number of clips and any other of texts; one without
    clips or without texts takes no part. Candidates are not used.

    Args:
        gamma: Smoothing, in units of the cost.
        dummy: The cost of skipping, in units of the cost; None to have no dummies.
        smoothing: Add each cell's cheapest neighbour.
        permute: Draw an order of look-alike clips and texts anew in each training step.
        direction: ``text_to_video`` is the published code's; ``both`` is the mean of the two.
        temperature: What costs are divided by.
        learn_temperature: Train the temperature, from that value.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If ``gamma`` is negative, the temperature not positive, or there is no such
            direction.

    Source:
        D. Ko, J. Choi, J. Ko, S. Noh, K.-W. On, E.-S. Kim, H. J. Kim, "Video-Text Representation
        Learning via Differentiable Weak Temporal Alignment", CVPR 2022. The released loss has one
        direction, text to video, and leaves the permutation out; videos and texts may here have
        different lengths.

    Example:
        >>> import torch
        >>> from vtlearn.batch import EncodedBatch
        >>> eye = torch.eye(3, dtype=torch.float64)
        >>> video = torch.stack([eye, eye.flip(0)])
        >>> text = torch.stack([eye, eye[[0, 2, 1]]])
        >>> loss = S2DTW(direction="text_to_video")(EncodedBatch.of(video, text)).loss
        >>> round(loss.item(), 6)
        0.429105
    """

    def __init__(
        self,
        *,
        gamma: float = 0.1,
        dummy: float | None = 0.5,
        smoothing: bool = True,
        permute: bool = False,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(
            gamma=gamma,
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
            grid_memory=grid_memory,
        )
        self.dummy = dummy
        self.smoothing = smoothing
        self.permute = permute

    def paired_items(self, batch: EncodedBatch, rows: Rows) -> PairedItems:
        """Take samples that have at least one clip and one text, permuted if asked for.

        Args:
            batch: Features of the whole batch, zeros where padded.
            rows: Its seed decides the permutations.

        Returns:
            One item per sample, (items, clips, dim) and (items, texts, dim).
        """
        items = super().paired_items(batch, rows)
        if not (self.permute and self.training):
            return items
        return items._replace(
            video=permute_time(items.video, draws_for(items.sample, rows.seed, stream=0)),
            text=permute_time(items.text, draws_for(items.sample, rows.seed, stream=1)),
        )

    def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
        """Align every video with every text.

        Args:
            video: (videos, clips, dim).
            text: (samples, texts, dim).

        Returns:
            -S, (videos, samples).
        """
        return -s2dtw(
            pairwise_similarity(video.vectors, text.vectors),
            self.gamma,
            dummy=self.dummy,
            smoothing=self.smoothing,
            n=video.length[:, None],
            m=text.length[None],
        )

    @override
    def _options(self) -> SoftDTWOptions:
        return SoftDTWOptions(self.gamma, self.dummy, self.smoothing)

    def align(self, video: Tensor, text: Tensor) -> Alignment:
        """Align one video's clips with its texts, leaving out what is skipped.

        Little is at the published dummy cost of 0.5, because unrelated vectors cost about 0.

        Args:
            video: Clips, pooled, (clips, dim).
            text: Texts, pooled, (texts, dim).

        Returns:
            The cost -<clip, text>; the share of paths through each clip and text; and, of the best
            hard path among clips, texts and dummies, the cells of a clip and a text.
        """
        similarity = -dot(self.embed(video), self.embed(text))
        grid = s2dtw_cost(similarity, self.gamma, dummy=self.dummy, smoothing=self.smoothing)
        expected, path = soft_alignment(grid, self.gamma), dtw(grid)
        if self.dummy is None:
            return Alignment(-similarity, expected, path)
        return Alignment(-similarity, expected[1::2, 1::2], _without_dummies(path))


def _without_dummies(path: HardPath) -> HardPath:
    cells = path.cells[: int(path.length)]
    kept = cells[(cells % 2 == 1).all(1)] // 2
    # of a grid of 2N+1 by 2M+1 cells, whose paths have up to 2N+2M+1
    padded = kept.new_full((len(path.cells) // 2 - 1, 2), -1)
    padded[: len(kept)] = kept
    return HardPath(path.distance, padded, path.length.new_tensor(len(kept)))
