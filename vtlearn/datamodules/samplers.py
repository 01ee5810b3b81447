"""How the processes share a corpus: which indices, in which order, in which batch.

Batches are made of the whole corpus first and shared afterwards, so that the batches, and with them
the figures, are the same for any number of processes.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from torch.utils.data import Sampler

from vtlearn.datasets.base import SampleKey
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError

__all__: list[str] = []


def per_rank_batch_size(batch_size: int, process: Process) -> int:
    """Divide a batch among the processes.

    Args:
        batch_size: Samples of a batch over all processes together.
        process: This process.

    Returns:
        How many of them are each process's.

    Raises:
        ArgumentError: If the processes cannot share it evenly.

    Example:
        >>> per_rank_batch_size(16, Process(rank=0, world=2))
        8
    """
    own, rest = divmod(batch_size, process.world)
    if rest:
        message = (
            f"batch_size={batch_size} is the whole batch over all processes and has to divide "
            f"by their number, {process.world}"
        )
        raise ArgumentError(message)
    return own


class ShuffledBatchSampler(Sampler[list[SampleKey]]):
    """Shuffle the corpus in each epoch and give each process its rows of every batch.

    The order is a function of (seed, epoch). The last batch of an epoch is left out if it is not
    full.

    Args:
        count: How many samples the corpus has.
        batch_size: Samples of a batch over all processes together.
        seed: Another seed, another order.
        process: This process.

    Raises:
        ArgumentError: If the processes cannot share the batch evenly, or the corpus fills none.

    Example:
        >>> batches = ShuffledBatchSampler(4, 2, seed=0, process=Process(rank=1, world=2))
        >>> [len(batch) for batch in batches]
        [1, 1]
    """

    def __init__(self, count: int, batch_size: int, *, seed: int, process: Process) -> None:
        self._own = per_rank_batch_size(batch_size, process)
        if count < batch_size:
            message = f"batch_size={batch_size} is more than the {count} samples of the corpus"
            raise ArgumentError(message)
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.epoch = 0

    @property
    def sampler(self) -> "ShuffledBatchSampler":
        """Stand where Lightning looks for ``set_epoch``: at the sampler of a loader's batches."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for another epoch; Lightning calls this at its start.

        Args:
            epoch: From 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield this process's rows of each batch."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        for batch in range(len(self)):
            first = batch * self.batch_size + self.process.rank * self._own
            rows = order[first : first + self._own]
            yield [SampleKey(self.epoch, int(index)) for index in rows]


class DistributedBatchSampler(Sampler[list[int]]):
    """Share items that are scored: whole batches of short ones, and long ones part by part.

    Items of one part are batched in their order; each part of a longer item is a batch of its own.
    Batches of short items and whole long items go to the processes in turn, so that one process
    gets all parts of an item, in their order. Every item is given once; nothing is repeated to make
    shares even. An item has the same neighbours in its batch, and so the same vector to the last
    bit, for any number of processes. Where the batches do not come out even, the last ones of some
    processes are empty, so that all take equally many steps.

    Args:
        part_counts: How many parts each item comes in; parts are indexed item by item.
        batch_size: Items of a batch of short ones.
        process: This process.

    Example:
        >>> part_counts = [1, 3, 1, 1]
        >>> for rank in range(2):
        ...     list(DistributedBatchSampler(part_counts, 2, process=Process(rank, world=2)))
        [[1], [2], [3], [5]]
        [[0, 4], [], [], []]
    """

    def __init__(self, part_counts: Sequence[int], batch_size: int, *, process: Process) -> None:
        units = list(_units(part_counts, batch_size))
        shares = [list(chain(*units[rank :: process.world])) for rank in range(process.world)]
        self._batches = shares[process.rank]
        self._steps = max(len(share) for share in shares)

    def __len__(self) -> int:
        """Return how many batches each process gets."""
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of this process."""
        yield from self._batches
        for _ in range(self._steps - len(self._batches)):
            yield []


def _units(part_counts: Sequence[int], batch_size: int) -> Iterator[list[list[int]]]:
    """Yield what one process gets as a whole: a batch of short items, or the parts of a long one.

    A unit stands where its last item does.
    """
    short: list[int] = []
    first = 0
    for count in part_counts:
        if count == 1:
            short.append(first)
        else:
            yield [[part] for part in range(first, first + count)]
        if len(short) == batch_size:
            yield [short]
            short = []
        first += count
    if short:
        yield [short]
