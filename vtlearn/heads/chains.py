"""Choose the clips of a sample whose order is known: chains in which none overlaps another."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__: list[str] = []


def disjoint_chains(
    clip_spans: Tensor, text_spans: Tensor, length: Tensor, *, gap: bool = True
) -> list[list[int]]:
    """Keep, from the first on, each pair whose clip and text both come after those kept before.

    Args:
        clip_spans: Start and end of each clip in seconds, (batch, pairs, 2).
        text_spans: The same of the text that belongs to it, (batch, pairs, 2). A pair one of whose
            times is NaN is not kept.
        length: How many pairs of each sample are valid, (batch,).
        gap: Whether there has to be time between one and the next; otherwise they may touch.

    Returns:
        For each sample the positions of the pairs that are kept, in their order.

    Example:
        >>> clips = torch.tensor([[[0.0, 4.0], [3.0, 6.0], [5.0, 9.0], [9.0, 12.0]]])
        >>> disjoint_chains(clips, clips, torch.tensor([4])), disjoint_chains(
        ...     clips, clips, torch.tensor([4]), gap=False
        ... )
        ([[0, 2]], [[0, 2, 3]])

    Source:
        Y. Yang et al., "TempCLR: Temporal Alignment Representation with Contrastive Learning", ICLR
        2023, its published code. That compares the texts by the numbers of their captions; here
        they are compared in seconds, which keeps fewer pairs where captions overlap in time.
    """
    both = torch.stack([clip_spans, text_spans], 2)
    starts, ends = both.unbind(3)
    last = ends.new_full((len(ends), 2), -torch.inf)
    kept = torch.zeros(starts.shape[:2], dtype=torch.bool)
    for pair in range(starts.shape[1]):
        start, end = starts[:, pair], ends[:, pair]
        later = start > last if gap else start >= last
        kept[:, pair] = later.all(1) & ~end.isnan().any(1)
        last = torch.where(kept[:, pair, None], end, last)
    return [
        row[:count].nonzero().squeeze(1).tolist()
        for row, count in zip(kept, length.tolist(), strict=True)
    ]


def spread(chain: Sequence[int], count: int) -> list[int]:
    """Take so many entries of a chain, spread evenly over it, the first and the last among them.

    Args:
        chain: At least ``count`` entries.
        count: How many to take, at least 1.

    Example:
        >>> spread(range(7), 5), spread(range(16), 5)
        ([0, 1, 3, 4, 6], [0, 3, 7, 11, 15])
    """
    return [chain[int(place)] for place in np.linspace(0, len(chain) - 1, count)]
