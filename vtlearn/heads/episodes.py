"""Few-shot recognition: a video is of the class whose videos it can be aligned with best."""

from math import inf
from typing import get_args

import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.alignment.sequence_distances import SequenceMetric, sequence_distances
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.checks import require_choice, require_positive, require_share
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner, HeadOutput, LossTerm
from vtlearn.heads.contrastive import pairwise_similarity
from vtlearn.heads.permutation import LONGEST_DRAWN, draw_orders

__all__ = ["FewShot"]


class FewShot(Aligner):
    """Ask each query of an episode for its class, and for the order of its class's windows.

    A batch is an episode, class after class: of each, ``shots`` videos that are shown and then
    ``queries`` videos whose class is asked for, as :class:`~vtlearn.datamodules.Episodes` lays them
    out. So the class of a row is told by its place, and texts are not read. Two videos are as far
    as the soft-DTW (or OTAM both ways) of the cost 1 - cosine of their windows; a class is as far
    as its shown videos on average. The loss is (1 - alpha) class + alpha order: the cross-entropy
    of the query's class, and for each query that of its class's shown videos as they are against
    the same with their windows in other orders.

    Args:
        shots: Videos of a class that are shown; as many as the data have.
        queries: Videos of a class that are asked about; as many as the data have.
        alpha: The share of the order, from 0 to 1; at 0 it is not computed.
        metric: The distance of two videos: soft-DTW, or OTAM both ways.
        gamma: Smoothing of the distance, in units of the cost.
        negatives: Other orders that a shown video is compared with, drawn again in each step; all
            there are, if there are fewer.

    Raises:
        ArgumentError: If a number is outside its range, or there is no such metric.

    Source:
        Y. Yang et al., "TempCLR: Temporal Alignment Representation with Contrastive Learning", ICLR
        2023, which says only that videos are matched in the same way. Score and loss of classes are
        those of K. Cao et al., "Few-Shot Video Classification via Temporal Alignment", CVPR 2020;
        that both are joined by alpha is ours.

    Example:
        >>> go, come = torch.eye(4)[None].double(), torch.eye(4).flip(0)[None].double()
        >>> videos = torch.cat([go, go, come, come])
        >>> output = FewShot(shots=1, queries=1)(EncodedBatch.of(videos, videos[:, :0]))
        >>> {name: round(term.values.mean().item(), 2) for name, term in output.terms.items()}
        {'class_loss': 0.02, 'accuracy': 1.0, 'order_loss': 1.15, 'order_accuracy': 1.0}
    """

    needs = frozenset({"video_pooled"})

    def __init__(
        self,
        *,
        shots: int = 1,
        queries: int = 1,
        alpha: float = 0.3,
        metric: SequenceMetric = "dtw",
        gamma: float = 0.1,
        negatives: int = 31,
    ) -> None:
        super().__init__(normalize=True)
        require_positive(shots=shots, queries=queries, negatives=negatives)
        require_share(alpha=alpha)
        require_choice(get_args(SequenceMetric), metric=metric)
        if not 0 <= gamma < inf:
            message = f"gamma={gamma} of FewShot: it has to be 0 or more"
            raise ArgumentError(message)
        self.shots, self.queries = shots, queries
        self.alpha, self.metric, self.gamma, self.negatives = alpha, metric, gamma, negatives

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Compare this process's queries with all that is shown.

        Args:
            batch: Features of the whole batch, an episode; ``video.pooled`` is (batch, windows,
                dim), of equally many windows each.
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            The terms ``class_loss`` and ``order_loss``, one loss per own query; ``accuracy`` and
            ``order_accuracy`` of these, of weight 0.

        Raises:
            ArgumentError: If the batch is not an episode, or its videos differ in their windows.
        """
        rows = batch.all_rows() if rows is None else rows
        self._require_episode(batch)
        size = self.shots + self.queries
        places = torch.arange(len(batch.video.length), device=batch.video.pooled.device)
        own = places[rows.slice]
        own = own[own % size >= self.shots]
        with torch.autocast(batch.video.pooled.device.type, enabled=False):  # float32 or wider
            vectors = self.embed(batch.video.pooled)
            shown = vectors[places % size < self.shots]
            cost = 1 - pairwise_similarity(vectors[own], shown)
            cost = cost.unflatten(1, (-1, self.shots))  # (queries, ways, shots, windows, windows)
            logits = -sequence_distances(cost, self.metric, self.gamma).mean(2)
            right = own // size
            terms = _terms("class_loss", "accuracy", logits, right, 1 - self.alpha)
            if self.alpha > 0:
                chosen = cost[torch.arange(len(own), device=own.device), right]
                terms |= self._order(chosen, own.tolist(), rows.seed)
        return HeadOutput(terms, {})

    def _order(self, cost: Tensor, queries: list[int], seed: int) -> dict[str, LossTerm]:
        """Compare each query with its class's videos as they are, and in other orders.

        Args:
            cost: (queries, shots, windows of the query, windows of the shown video).
            queries: Where the queries stand in the batch.
            seed: The step's.

        Returns:
            One loss per query, and the share of its shots that are nearest as they are.
        """
        pairs = [query * self.shots + shot for query in queries for shot in range(self.shots)]
        orders = draw_orders(pairs, cost.shape[-1], self.negatives, seed).to(cost.device)
        several = cost.flatten(0, 1)[:, None].expand(-1, orders.shape[1], -1, -1)
        several = several.gather(3, orders[:, :, None, :].expand_as(several))
        logits = -sequence_distances(several, self.metric, self.gamma)
        first = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        terms = _terms("order_loss", "order_accuracy", logits, first, self.alpha)
        return {
            name: term._replace(values=term.values.view(-1, self.shots).mean(1))
            for name, term in terms.items()
        }

    def _require_episode(self, batch: EncodedBatch) -> None:
        length, windows = batch.video.length, batch.video.pooled.shape[1]
        ways, rest = divmod(len(length), self.shots + self.queries)
        if rest or ways < 2:
            message = (
                f"FewShot takes episodes, classes of {self.shots} shown videos and {self.queries} "
                f"queries, two or more, and got a batch of {len(length)} videos: set "
                "data.class_path=Episodes, with shots and queries as model.head.init_args has them"
            )
            raise ArgumentError(message)
        if batch.text.length.any():
            message = (
                "FewShot tells classes by their places in an episode, and got videos with texts, "
                "which no episode has: set data.class_path=Episodes, or choose another model.head"
            )
            raise ArgumentError(message)
        if other := (length != windows).nonzero().flatten().tolist():
            message = (
                f"FewShot compares videos of equally many windows; sample {other[0]} of the batch "
                f"has {int(length[other[0]])}, another one {windows}"
            )
            raise ArgumentError(message)
        least = 2 if self.alpha > 0 else 1
        if not least <= windows <= (LONGEST_DRAWN if self.alpha > 0 else inf):
            message = (
                f"FewShot got videos of {windows} windows; it takes from {least} to "
                f"{LONGEST_DRAWN} (data.init_args.windows), or any number with "
                "model.head.init_args.alpha=0"
            )
            raise ArgumentError(message)


def _terms(
    loss: str, accuracy: str, logits: Tensor, right: Tensor, weight: float
) -> dict[str, LossTerm]:
    values = functional.cross_entropy(logits, right, reduction="none")
    hits = (logits.detach().argmax(1) == right).to(values.dtype)
    return {loss: LossTerm(values, weight), accuracy: LossTerm(hits, 0.0)}
