"""Which shards each reader of a corpus has in an epoch, and how much it can give."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError

__all__ = ["even_share"]


def deal_shards(
    samples: Sequence[int],
    *,
    seed: int,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    worker: int = 0,
    workers: int = 1,
) -> list[int]:
    """Deal the shards of a corpus out for an epoch: each goes to exactly one reader.

    A reader is a loader's worker of a process. The shards are sorted by size and dealt out in
    rounds, one to each reader, in an order that is drawn for each round: so the readers' shares
    differ by no more than the largest shard and the smallest do, and one shard of the last round.

    Args:
        samples: How many samples each shard holds.
        seed: What is drawn is a function of (seed, epoch).
        epoch: From 0.
        rank: The process.
        world: How many processes there are.
        worker: The loader's worker.
        workers: How many workers each process has; 1 where it reads itself.

    Returns:
        The numbers of this reader's shards, in the order they are to be read.

    Raises:
        ArgumentError: If there are more readers than shards.

    Example:
        >>> [deal_shards([9, 9, 9, 9, 9], seed=0, epoch=0, rank=rank, world=2) for rank in (0, 1)]
        [[1, 2, 0], [3, 4]]
    """
    readers = _require_enough(samples, world, workers)
    reader = rank * workers + worker
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(samples))  # so that shards of one size change their rounds
    order = order[np.argsort(-np.asarray(samples)[order], kind="stable")]
    rounds = np.full((-(-len(order) // readers), readers), -1)
    rounds.flat[: len(order)] = order
    own = rng.permuted(rounds, axis=1)[:, reader]
    own = own[own >= 0]
    shuffled: list[int] = np.random.default_rng((seed, epoch, reader)).permutation(own).tolist()
    return shuffled


def even_share(samples: Sequence[int], *, world: int = 1, workers: int = 1) -> int:
    """Tell how many samples every reader can give in every epoch, however shards are dealt out.

    Args:
        samples: How many samples each shard holds.
        world: How many processes there are.
        workers: How many workers each process has; 1 where it reads itself.

    Returns:
        The sum of the smallest shard of each full round of :func:`deal_shards`.

    Raises:
        ArgumentError: If there are more readers than shards.

    Example:
        >>> even_share([10, 10, 8, 10, 3], world=2)
        18
    """
    readers = _require_enough(samples, world, workers)
    ordered: NDArray[np.int64] = np.sort(np.asarray(samples))[::-1]
    return int(ordered[readers - 1 :: readers].sum())


def _require_enough(samples: Sequence[int], world: int, workers: int) -> int:
    readers, shards = world * workers, sum(size > 0 for size in samples)
    if shards < readers:
        message = (
            f"{shards} shards for {world} processes x {workers} workers = {readers} readers: "
            f"{readers - shards} would have nothing to read. Pack {readers} shards or more, by a "
            "smaller --samples-per-shard or --max-bytes of `vtlearn data pack`, or take a smaller "
            "num_workers"
        )
        raise ArgumentError(message)
    return readers
