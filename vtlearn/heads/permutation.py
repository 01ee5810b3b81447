"""Orders in time, drawn: the augmentation of VT-TWINS, and the negatives of TempCLR.

Clips that look alike may as well have come in another order: VT-TWINS draws a permutation that
moves no entry by more than two places, with a probability that falls with the change it makes to
the matrix of similarities, and puts the entries in that order before the loss. TempCLR draws some
of all permutations, to tell them from the order in which things happened; where an entry may come
twice, as steps of a task do, those that read alike are left out.
"""

from collections.abc import Sequence
from functools import cache
from math import factorial

import numpy as np
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.heads.contrastive import Embeddings

__all__: list[str] = []

_REACH = 2
#: The longest sequence that orders are drawn of: 21! of them have no number of 64 bits.
LONGEST_DRAWN = 20
#: 11,854 permutations; their number grows by 2.3 with every entry more.
_LONGEST = 12


@cache
def near_permutations(size: int) -> Tensor:
    """List the permutations that move no entry by more than two places.

    Args:
        size: How many entries there are, at most 12.

    Returns:
        (permutations, size), int64, the identity among them.

    Raises:
        ArgumentError: If there are more entries than that.

    Example:
        >>> [len(near_permutations(size)) for size in (4, 6, 8)]
        [14, 73, 400]
    """
    if size > _LONGEST:
        message = (
            f"permutation of {size} clips: there are too many orders beyond {_LONGEST}; "
            "use fewer clips per sample, or permute=False"
        )
        raise ArgumentError(message)
    found: list[list[int]] = [[]]
    for place in range(size):
        reach = range(max(0, place - _REACH), min(size, place + _REACH + 1))
        found = [[*start, entry] for start in found for entry in reach if entry not in start]
    return torch.tensor(found, dtype=torch.int64)


def permutation_probabilities(vectors: Tensor, length: Tensor, sharpness: float = 50.0) -> Tensor:
    """Compute how likely each permutation is: the less it changes the similarities, the likelier.

    Args:
        vectors: Unit vectors of sequences, (batch, entries, dim).
        length: How many entries of each are valid, (batch,); the others stay in their places.
        sharpness: What distances are multiplied by.

    Returns:
        softmax of -sharpness x ||A - A permuted||, (batch, permutations), with A = -vectors
        vectors^T.

    Source:
        D. Ko, J. Choi, J. Ko, S. Noh, K.-W. On, E.-S. Kim, H. J. Kim, "Video-Text Representation
        Learning via Differentiable Weak Temporal Alignment", CVPR 2022; the formula is that of its
        code.
    """
    orders = near_permutations(vectors.shape[1]).to(vectors.device)
    places = torch.arange(vectors.shape[1], device=vectors.device)
    inside = places < length[:, None]
    affinity = -(vectors @ vectors.transpose(1, 2)) * inside[:, :, None] * inside[:, None, :]
    moved = affinity[:, orders[:, :, None], orders[:, None, :]]
    distance = (affinity[:, None] - moved).flatten(2).norm(dim=2)
    allowed = ((orders == places) | inside[:, None, :]).all(2)
    logits: Tensor = -sharpness * distance
    return logits.masked_fill(~allowed, -torch.inf).softmax(1)


def permute_time(sequences: Embeddings, draws: Tensor) -> Embeddings:
    """Put the entries of each sequence in an order drawn for it.

    Args:
        sequences: Sequences of unit vectors, (items, entries, dim).
        draws: One number between 0 and 1 per sequence, (items,): the same draw gives the same
            order.

    Returns:
        The sequences in their new orders; gradients reach the entries, not the probabilities.
    """
    vectors, length = sequences
    probabilities = permutation_probabilities(vectors.detach(), length)
    chosen = torch.searchsorted(probabilities.double().cumsum(1), draws.double()[:, None])
    orders = near_permutations(vectors.shape[1]).to(chosen.device)
    # rounding can leave the cumulated sum just below 1
    order = orders[chosen.squeeze(1).clamp(max=len(orders) - 1)]
    return Embeddings(vectors.gather(1, order[:, :, None].expand_as(vectors)), length)


def draws_for(samples: Tensor, seed: int, stream: int) -> Tensor:
    """Draw one number per sample from (seed, stream, sample), alike on every process.

    Args:
        samples: Positions in the batch, (items,), int64.
        seed: The step's.
        stream: Another for another use in the same step.

    Returns:
        (items,), float64, between 0 and 1, on the samples' device.
    """
    values = [np.random.default_rng((seed, stream, sample)).random() for sample in samples.tolist()]
    return torch.tensor(values, dtype=torch.float64, device=samples.device)


def draw_orders(samples: Sequence[int], size: int, count: int, seed: int) -> Tensor:
    """Draw distinct permutations for each sample, from (seed, sample), alike on every process.

    They are drawn by their rank, so that no more of them are made than are asked for.

    Args:
        samples: Positions in the batch.
        size: Entries of a permutation, from 2 to 20.
        count: How many to draw beside the identity; all there are, if there are fewer.
        seed: The step's.

    Returns:
        (samples, 1 + count, size), int64, on the CPU; the identity first, and not again.

    Example:
        >>> draw_orders([0], size=2, count=31, seed=0)
        tensor([[[0, 1],
                 [1, 0]]])
    """
    others = factorial(size) - 1
    ranks = np.zeros((len(samples), 1 + min(count, others)), np.int64)
    for row, sample in zip(ranks, samples, strict=True):
        draw = np.random.default_rng((seed, 0, sample))
        row[1:] = 1 + draw.choice(others, len(row) - 1, replace=False)
    return permutations_of(torch.from_numpy(ranks), size)


def draw_other_orders(labels: Sequence[int], count: int, rng: np.random.Generator) -> Tensor:
    """Draw orders in which a sequence reads differently than it is, with replacement.

    Args:
        labels: What each entry is; two at least that differ.
        count: How many to draw beside the identity.
        rng: Where randomness comes from.

    Returns:
        (1 + count, entries), int64, on the CPU; the identity first.

    Raises:
        ArgumentError: If all entries are alike, so that there is no such order.

    Example:
        >>> draw_other_orders([4, 9], count=2, rng=np.random.default_rng(0))
        tensor([[0, 1],
                [1, 0],
                [1, 0]])
    """
    read = np.asarray(labels)
    if len(np.unique(read)) < 2:
        message = f"a sequence of {len(read)} entries that are alike reads the same in any order"
        raise ArgumentError(message)
    orders = [np.arange(len(read))]
    while len(orders) <= count:  # of two entries that differ, every second draw is taken
        order = rng.permutation(len(read))
        if (read[order] != read).any():
            orders.append(order)
    return torch.from_numpy(np.stack(orders))


def permutations_of(ranks: Tensor, size: int) -> Tensor:
    """Make permutations of their ranks among all permutations in lexicographic order.

    Args:
        ranks: (...), int64, from 0, the identity, to size! - 1, the reverse.
        size: Entries of a permutation, at most 20.

    Returns:
        (..., size), int64.

    Example:
        >>> permutations_of(torch.tensor([0, 1, 5]), 3)
        tensor([[0, 1, 2],
                [0, 2, 1],
                [2, 1, 0]])
    """
    left = torch.arange(size).repeat(ranks.numel(), 1)
    rest, chosen = ranks.reshape(-1), []
    for place in range(size):
        digit = rest // factorial(size - 1 - place)
        rest = rest % factorial(size - 1 - place)
        taken = torch.arange(size - place) == digit[:, None]
        chosen.append(left[taken])
        left = left[~taken].reshape(len(rest), size - place - 1)
    return torch.stack(chosen, -1).reshape(*ranks.shape, size)
