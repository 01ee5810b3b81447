"""Whether a text belongs to a clip: score pairs, draw wrong ones, and weigh items by it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vtlearn.errors import ArgumentError

__all__: list[str] = []

Weight = Literal["excess", "score", "none"]
Normalizer = Literal["mean", "none", "softmax"]

#: Weights that sum to less than this share of the items say nothing.
_NOTHING = 1e-4
_SMALLEST = 1e-8  # a weight whose logarithm is taken


class Scores(NamedTuple):
    """Logits that pairs belong together.

    Attributes:
        own: Of each clip with its own text, (items,).
        others: Of each clip with other texts, and each text with other clips, (items, pairs).
    """

    own: Tensor
    others: Tensor


class MLPCorrespondence(nn.Module):
    """Score pairs by two layers over clip, text, product and distance.

    Args:
        dim: Width of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4 * dim, dim), nn.GELU(), nn.Linear(dim, 1))

    def forward(self, video: Tensor, text: Tensor) -> Tensor:
        """Score pairs, (..., dim) and (..., dim), as logits (...)."""
        joined = torch.cat([video, text, video * text, (video - text).abs()], -1)
        dtype = next(self.parameters()).dtype  # which may be half
        scores: Tensor = self.layers(joined.to(dtype))
        return scores.squeeze(-1).to(video.dtype)


class BilinearCorrespondence(nn.Module):
    """Score pairs by video^T W text + b.

    Args:
        dim: Width of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, dim) / dim)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, video: Tensor, text: Tensor) -> Tensor:
        """Score pairs, (..., dim) and (..., dim), as logits (...)."""
        return ((video @ self.weight.to(video)) * text).sum(-1) + self.bias.to(video)


def generators(
    samples: Tensor, positions: Tensor, seed: int, stream: int
) -> list[np.random.Generator]:
    """Make a generator for each item, from (seed, stream, sample, position).

    Args:
        samples: Samples that the items come from, (items,), int64.
        positions: Where they stand in them, (items,), int64.
        seed: The step's.
        stream: Another for another use in the same step.
    """
    return [
        np.random.default_rng((seed, stream, sample, position))
        for sample, position in zip(samples.tolist(), positions.tolist(), strict=True)
    ]


def draw_others(
    rngs: Sequence[np.random.Generator], count: int, similarity: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Draw, for each item, texts for its clip and clips for its text that are not its own.

    Args:
        rngs: A generator for each item; at least two items.
        count: How many of each to draw: distinct ones, unless there are fewer.
        similarity: Logits of all clips and texts, (items, items): those that are more alike are
            drawn more often, by softmax. None: all alike.

    Returns:
        Positions among the items of the texts, and of the clips, (items, count) each, int64.

    Example:
        >>> texts, clips = draw_others([np.random.default_rng(i) for i in range(2)], 1)
        >>> texts.tolist(), clips.tolist()
        ([[1], [0]], [[1], [0]])
    """
    logits = None if similarity is None else similarity.detach().double().cpu().numpy()
    drawn = []
    for item, rng in enumerate(rngs):
        rows = None if logits is None else logits[item]
        columns = None if logits is None else logits[:, item]
        drawn.append([_draw(rng, item, len(rngs), count, one) for one in (rows, columns)])
    texts, clips = torch.from_numpy(np.array(drawn)).unbind(1)
    return texts, clips


def correspondence_losses(scores: Scores) -> Tensor:
    """Compute the binary cross-entropy of each item, own and wrong pairs in equal parts.

    Args:
        scores: Of all items.

    Returns:
        (items,).
    """
    own = binary_cross_entropy_with_logits(
        scores.own, torch.ones_like(scores.own), reduction="none"
    )
    if not scores.others.shape[1]:
        return own / 2
    others = binary_cross_entropy_with_logits(
        scores.others, torch.zeros_like(scores.others), reduction="none"
    )
    return (own + others.mean(1)) / 2


def weigh(
    positive: Tensor,
    negative: Tensor,
    weight: Weight,
    *,
    power: float = 1.0,
    least: float = 0.0,
) -> Tensor:
    """Turn probabilities that pairs belong together into weights.

    Args:
        positive: Of the items' own pairs, (items,).
        negative: Of all wrong pairs that were drawn, any shape.
        weight: ``score`` takes the probability p. ``excess`` takes (p - f) / (1 - f), cut to 0
            and 1, f the mean over the wrong pairs: a swapped caption looks like any of these, so
            that with a share r swapped its p tends to r / (1 + r), and not to 0. ``none``: 1.
        power: What weights are raised to.
        least: What they are at least, before that.

    Returns:
        (items,), from 0 to 1, without gradient.

    Example:
        >>> p, f = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0.4, 0.6])
        >>> weigh(p, f, "excess")
        tensor([0.8000, 0.0000, 0.0000])
    """
    if weight == "none":
        return torch.ones_like(positive).detach()
    found = positive.detach()
    if weight == "excess" and negative.numel():
        floor = negative.detach().mean()
        span = 1 - floor
        found = torch.where(span > 0, (found - floor) / span.clamp(min=_SMALLEST), 0.0)
    return found.clamp(least, 1.0) ** power


def normalized(
    weights: Tensor, normalizer: Normalizer, temperature: float = 1.0
) -> tuple[Tensor, bool]:
    """Scale weights so that they average 1; all to 1 where they say nothing.

    Args:
        weights: (items,), of the whole batch.
        normalizer: ``mean`` divides them by their mean; ``softmax`` takes the softmax of their
            logarithms over ``temperature``, times the number of items; ``none`` leaves them.
        temperature: Of ``softmax``.

    Returns:
        (items,); and whether all were set to 1, because they sum to less than 1e-4 of the items.

    Example:
        >>> normalized(torch.tensor([0.5, 0.0]), "mean")
        (tensor([2., 0.]), False)
        >>> normalized(torch.zeros(2), "mean")
        (tensor([1., 1.]), True)
    """
    if float(weights.sum()) < _NOTHING * len(weights):
        return torch.ones_like(weights), True
    if normalizer == "mean":
        return weights / weights.mean(), False
    if normalizer == "softmax":
        logits = weights.clamp(min=_SMALLEST).log() / temperature
        return len(weights) * logits.softmax(0), False
    return weights, False


def make_correspondence(kind: str, dim: int) -> nn.Module:
    """Make what scores pairs.

    Args:
        kind: ``mlp`` or ``bilinear``.
        dim: Width of the vectors.

    Raises:
        ArgumentError: If it is neither.
    """
    if kind == "mlp":
        return MLPCorrespondence(dim)
    if kind == "bilinear":
        return BilinearCorrespondence(dim)
    message = f"correspondence: expected mlp or bilinear, got {kind!r}"
    raise ArgumentError(message)


def _draw(
    rng: np.random.Generator,
    item: int,
    items: int,
    count: int,
    logits: NDArray[np.float64] | None,
) -> NDArray[np.int64]:
    """Draw some of the items that are not the one."""
    repeat = count > items - 1
    if logits is None:
        others = rng.choice(items - 1, count, replace=repeat)
        return others + (others >= item)
    shifted = np.delete(logits, item)
    if repeat:
        share = np.exp(shifted - shifted.max())
        others = rng.choice(items - 1, count, p=share / share.sum())
    else:  # without replacement, by the largest of logits with Gumbel noise
        others = np.argsort(-(shifted + rng.gumbel(size=items - 1)), kind="stable")[:count]
    return others + (others >= item)
