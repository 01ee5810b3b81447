"""TempCLR: pairs that recognise each other, and sequences that recognise their own order."""

from math import inf
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.alignment.costs import cosine
from vtlearn.alignment.sequence_distances import SequenceMetric, sequence_distances
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.checks import require_choice
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import HeadOutput, LossTerm
from vtlearn.heads.chains import disjoint_chains, spread
from vtlearn.heads.contrastive import GRID_MEMORY, Direction
from vtlearn.heads.info_nce import InfoNCE
from vtlearn.heads.permutation import LONGEST_DRAWN, draw_orders

__all__ = ["TempCLR"]

Shuffle = Literal["text", "video", "both"]
Chain = Literal["disjoint", "all"]

_LOSS, _ACCURACY = "order_loss", "order_accuracy"


class TempCLR(InfoNCE):
    """Contrast single clips with single texts, and each sequence with itself in other orders.

    The loss is 2 (1 - alpha) InfoNCE + alpha order. For the order, a sample gives ``sequence`` of
    its clips with their texts, spread over a chain of them; the distance of the two sequences has
    to be smaller as they are than with the texts (or clips) in other orders: cross-entropy of
    -distance / ``order_temperature``. A sample whose chain is shorter does not count; the order is
    the mean over the samples that do, 0 where none does. Logged are ``order_loss``,
    ``order_accuracy``, the share of sequences that are nearest as they are (0 as well where there
    is none), and ``counted``, the share of samples that count.

    Args:
        alpha: The share of the order, from 0 to 1; at 0 it is not computed.
        metric: The distance of two sequences: soft-DTW, or OTAM both ways.
        gamma: Smoothing of the distance, in units of the cost, which is 1 - cosine.
        sequence: Clips and texts of a sequence, from 2 to 20.
        negatives: Other orders that a sequence is compared with, drawn anew in each step; all there
            are, if there are fewer.
        shuffle: Whether the texts, the clips or both are put in other orders.
        order_temperature: What distances are divided by.
        chain: Which clips a sequence is taken from: ``disjoint`` for those that, like their texts,
            come after the one taken before, from the first on; ``all`` for every clip of a sample,
            in its order.
        gap: Whether clips and texts of a ``disjoint`` chain have time between them; otherwise they
            may touch.
        direction: Of InfoNCE: whether a video looks for its text, a text for its video, or both.
        temperature: Of InfoNCE: what scores are divided by.
        learn_temperature: Train that temperature.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes for comparing pairs; a batch that needs more is compared in tiles.

    Raises:
        ArgumentError: If a number is outside its range, or a choice is unknown.

    Source:
        Y. Yang, J. Ma, S. Huang, L. Chen, X. Lin, G. Han, S.-F. Chang, "TempCLR: Temporal Alignment
        Representation with Contrastive Learning", ICLR 2023, and its published code. The defaults
        are that code's, which has one temperature of 1, and shuffles texts where the paper shuffles
        clips. There the order is averaged over the samples of each process, here over all; there a
        chain is of texts that do not share captions, here of texts that do not overlap in time.

    Example:
        >>> eye = torch.eye(5, dtype=torch.float64)[None]
        >>> output = TempCLR(chain="all")(EncodedBatch.of(eye, eye))
        >>> {name: round(term.values.mean().item(), 2) for name, term in output.terms.items()}
        {'contrastive': 0.9, 'order_loss': 0.93, 'order_accuracy': 1.0}
    """

    def __init__(
        self,
        *,
        alpha: float = 0.7,
        metric: SequenceMetric = "dtw",
        gamma: float = 0.1,
        sequence: int = 5,
        negatives: int = 31,
        shuffle: Shuffle = "text",
        order_temperature: float = 1.0,
        chain: Chain = "disjoint",
        gap: bool = True,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = False,
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(
            direction=direction,
            temperature=temperature,
            learn_temperature=learn_temperature,
            normalize=normalize,
            grid_memory=grid_memory,
        )
        _check_numbers(alpha, gamma, sequence, negatives, order_temperature)
        require_choice(get_args(SequenceMetric), metric=metric)
        require_choice(get_args(Shuffle), shuffle=shuffle)
        require_choice(get_args(Chain), chain=chain)
        if shuffle == "both" and (sequence < 3 or negatives < 2):
            message = (
                "shuffle=both needs a sequence of 3 or more and 2 or more negatives: two in "
                "reverse go as well together as before"
            )
            raise ArgumentError(message)
        self.alpha, self.metric, self.gamma = alpha, metric, gamma
        self.sequence, self.negatives, self.shuffle = sequence, negatives, shuffle
        self.order_temperature = order_temperature
        self.chain, self.gap = chain, gap
        self._longest = 0

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Contrast this process's own items with those of the whole batch, and their orders.

        Args:
            batch: Features of the whole batch; clip i of a sample belongs to its text i.
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            The terms ``contrastive``, one loss per own clip; ``order_loss``, one per own sample
            that counts; and ``order_accuracy`` of these, of weight 0. Logged is ``counted``.
        """
        rows = batch.all_rows() if rows is None else rows
        output = super().forward(batch, rows)
        pairs = output.terms["contrastive"]._replace(weight=2 * (1 - self.alpha))
        if self.alpha == 0:
            return output._replace(terms={"contrastive": pairs})
        with torch.autocast(batch.video.pooled.device.type, enabled=False):  # float32 or wider
            logits = self._order_logits(batch, rows)
        terms = {"contrastive": pairs, **order_terms(logits, self.alpha)}
        share = logits.new_tensor(len(logits) / max(rows.size, 1)).detach()
        return HeadOutput(terms, output.logs | {"counted": share})

    def explain_empty(self, term: str) -> str:
        """Say why no sample of an epoch counted, and what to change.

        Args:
            term: The name of a term.
        """
        if term not in (_LOSS, _ACCURACY):
            return super().explain_empty(term)
        touching = ", or model.head.init_args.gap=false" if self.gap else ""
        way_out = (
            f"draw shorter clips and texts (data.init_args.overlap){touching}, or set "
            "model.head.init_args.chain=all"
            if self.chain == "disjoint"
            else "draw more clips (data.init_args.sampling.num_clips, or overlap.num_clips)"
        )
        return (
            f"no sample of the epoch has a chain of sequence={self.sequence} clips, so that their "
            f"order is never compared; the longest so far has {self._longest}. To change that, "
            f"{way_out}, or lower model.head.init_args.sequence"
        )

    def _order_logits(self, batch: EncodedBatch, rows: Rows) -> Tensor:
        """Compare own sequences as they are and in other orders, (sequences that count, orders)."""
        chains = self._chains(batch)
        self._longest = max([self._longest, *map(len, chains)])
        own = range(rows.start, rows.start + rows.size)
        counting = [sample for sample in own if len(chains[sample]) >= self.sequence]
        device = batch.video.pooled.device
        places = [spread(chains[sample], self.sequence) for sample in counting]
        picked = torch.tensor(places, dtype=torch.int64, device=device).view(-1, self.sequence)
        sample = torch.tensor(counting, dtype=torch.int64, device=device)[:, None]
        video = batch.video.pooled[sample, picked]
        text = batch.text.pooled[sample, picked, 0]
        # eps is the published code's
        distances = self._distances(cosine(video, text, eps=0.01), counting, rows.seed)
        return -distances / self.order_temperature

    def _chains(self, batch: EncodedBatch) -> list[list[int]]:
        """Return the positions that each sample of the whole batch may give."""
        length = batch.video.length.minimum(batch.text.length).cpu()
        if self.chain == "all":
            return [list(range(count)) for count in length.tolist()]
        shared = int(length.max()) if len(length) else 0
        clips, texts = (x[:, :shared] for x in (batch.clip_spans, batch.text_spans))
        return disjoint_chains(clips, texts, length, gap=self.gap)

    def _distances(self, cost: Tensor, samples: list[int], seed: int) -> Tensor:
        """Compute the distance of each sequence as it is, and in other orders.

        Args:
            cost: (sequences, clips, texts).
            samples: Where they come from.
            seed: The step's.

        Returns:
            (sequences, orders), the first as it is.
        """
        orders = draw_orders(samples, self.sequence, self.negatives, seed).to(cost.device)
        return sequence_distances(_reordered(cost, orders, self.shuffle), self.metric, self.gamma)


def order_terms(logits: Tensor, weight: float) -> dict[str, LossTerm]:
    """Ask each sequence to be nearest as it is.

    Args:
        logits: Minus the distance of each sequence in several orders, (sequences, orders), the
            first as it is.
        weight: Of the loss.

    Returns:
        ``order_loss``, the cross-entropy of each, and ``order_accuracy``, whether the first is the
        largest, of weight 0.

    Example:
        >>> terms = order_terms(torch.tensor([[-1.0, -3.0], [-2.0, -1.0]]), weight=0.5)
        >>> {name: term.values.tolist() for name, term in terms.items() if term.weight == 0}
        {'order_accuracy': [1.0, 0.0]}
    """
    right = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    values = functional.cross_entropy(logits, right, reduction="none")
    nearest = logits.detach().argmax(1) == right
    return {
        _LOSS: LossTerm(values, weight=weight),
        _ACCURACY: LossTerm(nearest.to(values.dtype), weight=0.0),
    }


def _reordered(cost: Tensor, orders: Tensor, shuffle: Shuffle) -> Tensor:
    """Put texts, clips or both in other orders, (sequences, orders, clips, texts)."""
    several = cost[:, None].expand(-1, orders.shape[1], -1, -1)
    if shuffle != "video":
        several = several.gather(3, orders[:, :, None, :].expand_as(several))
    if shuffle == "text":
        return several
    if shuffle == "both":
        # the next order, so that clips and texts never change places together
        orders = torch.cat([orders[:, :1], orders[:, 1:].roll(1, dims=1)], dim=1)
    return several.gather(2, orders[:, :, :, None].expand_as(several))


def _check_numbers(
    alpha: float, gamma: float, sequence: int, negatives: int, order_temperature: float
) -> None:
    if not 0 <= alpha <= 1:
        message = f"alpha={alpha} of TempCLR: it is a share, from 0 to 1"
        raise ArgumentError(message)
    if not 2 <= sequence <= LONGEST_DRAWN:
        message = f"sequence={sequence} of TempCLR: an order takes from 2 to {LONGEST_DRAWN} clips"
        raise ArgumentError(message)
    if not 0 <= gamma < inf or negatives < 1 or not 0 < order_temperature < inf:
        message = (
            f"gamma={gamma} of TempCLR has to be 0 or more, negatives={negatives} 1 or more, and "
            f"order_temperature={order_temperature} positive"
        )
        raise ArgumentError(message)
