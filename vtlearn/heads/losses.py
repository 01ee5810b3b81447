"""Losses as functions of logits: plain tensors in, one loss per own item out.

Of U items of the batch, a process owns some. Its *row logits* compare its own videos with all
texts, its *column logits* all videos with its own texts; where a process owns the whole batch, both
are the same square. Item i's video belongs to item i's text.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__: list[str] = []


def cross_entropy(row_logits: Tensor | None, column_logits: Tensor | None, own: Tensor) -> Tensor:
    """Compute -log softmax of each own item's partner, among all items of the batch.

    Args:
        row_logits: Own videos with all texts, (own, items); None where no video looks for its text.
        column_logits: All videos with own texts, (items, own); None where no text looks for its
            video.
        own: Where the own items stand among all items, (own,), int64.

    Returns:
        (own,), 0 or more: the mean of the directions that are given.

    Source:
        A. van den Oord, Y. Li, O. Vinyals, "Representation Learning with Contrastive Predictive
        Coding", 2018, equation 4; the mean of both directions is that of A. Radford et al.,
        "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, figure
        3.

    Example:
        >>> logits = torch.eye(2)
        >>> cross_entropy(logits, logits, torch.arange(2))  # log(1 + exp(-1))
        tensor([0.3133, 0.3133])
    """
    losses = [
        functional.cross_entropy(logits, own, reduction="none")
        for logits in _own_first(row_logits, column_logits)
    ]
    return torch.stack(losses).mean(0)


def mil_nce(
    row_logits: Tensor,
    column_logits: Tensor,
    positive: Tensor,
    positives_in_denominator: int = 1,
) -> Tensor:
    """Contrast each own clip's positives with its row and its column at once.

    Args:
        row_logits: Own clips with all texts, (own, items, candidates).
        column_logits: All clips with own texts, (items, own, candidates).
        positive: Which texts may describe an own clip, (own, items), bool; at least one each.
        positives_in_denominator: How often the positives stand in the denominator: 1 as in the
            paper, 2 as in its code, which adds them once with the row and once with the column.

    Returns:
        (own,): log of the sum of exp over row and column, less log of the sum over the positives.

    Source:
        A. Miech, J.-B. Alayrac, L. Smaira, I. Laptev, J. Sivic, A. Zisserman, "End-to-End Learning
        of Visual Representations from Uncurated Instructional Videos", CVPR 2020, equation 1.

    Example:
        >>> logits = torch.eye(2)[:, :, None]
        >>> mil_nce(logits, logits, torch.eye(2, dtype=torch.bool))  # log(1 + 2 exp(-1))
        tensor([0.5514, 0.5514])
    """
    positive = positive[:, :, None]
    of_text = column_logits.transpose(0, 1)
    if positives_in_denominator == 1:
        of_text = of_text.masked_fill(positive, -torch.inf)
    denominator = torch.cat([row_logits.flatten(1), of_text.flatten(1)], dim=1).logsumexp(1)
    return denominator - row_logits.masked_fill(~positive, -torch.inf).flatten(1).logsumexp(1)


def batch_accuracy(row_logits: Tensor | None, column_logits: Tensor | None, own: Tensor) -> Tensor:
    """Compute how many own items find their partner among all items of the batch.

    Args:
        row_logits: Own videos with all texts, (own, items) or (own, items, candidates), of which
            the best candidate counts; None to leave this direction out.
        column_logits: All videos with own texts, (items, own) or (items, own, candidates), or None.
        own: Where the own items stand among all items, (own,), int64.

    Returns:
        A scalar between 0 and 1, the mean of the directions that are given; 0 without own items.

    Example:
        >>> batch_accuracy(torch.tensor([[2.0, 1.0], [2.0, 1.0]]), None, torch.arange(2))
        tensor(0.5000)
    """
    if len(own) == 0:
        return torch.zeros((), dtype=torch.float32, device=own.device)
    best = [
        logits.flatten(2).amax(2) if logits.ndim > 2 else logits
        for logits in _own_first(row_logits, column_logits)
    ]
    return torch.stack([(logits.argmax(1) == own).to(torch.float32) for logits in best]).mean()


def _own_first(row_logits: Tensor | None, column_logits: Tensor | None) -> list[Tensor]:
    """Turn what there is of row and column logits into (own, items, ...) each."""
    turned = None if column_logits is None else column_logits.transpose(0, 1)
    return [logits for logits in (row_logits, turned) if logits is not None]
