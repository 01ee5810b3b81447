"""How a corpus is dealt out to the processes: which indices, in which order, in which batch.

Batches are made of the whole corpus first and dealt out afterwards, so that the batches, and with
them the figures, are the same for any number of processes.
"""

from collections.abc import Iterator
from math import ceil

import numpy as np
from torch.utils.data import Sampler

from vtlearn.datasets.base import Draw
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError

__all__ = ["ShuffledBatches", "WholeBatches", "own_rows"]


def own_rows(batch_size: int, process: Process) -> int:
    """Divide a batch among the processes.

    Args:
        batch_size: Samples of a batch over all processes together.
        process: This process.

    Returns:
        How many of them are each process's.

    Raises:
        ArgumentError: If the processes cannot share it evenly.

    Example:
        >>> own_rows(16, Process(rank=0, world=2))
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


class ShuffledBatches(Sampler[list[Draw]]):
    """Shuffle the corpus anew each epoch and give each process its rows of every batch.

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
        >>> batches = ShuffledBatches(4, 2, seed=0, process=Process(rank=1, world=2))
        >>> [len(batch) for batch in batches]
        [1, 1]
    """

    def __init__(self, count: int, batch_size: int, *, seed: int, process: Process) -> None:
        self._own = own_rows(batch_size, process)
        if count < batch_size:
            message = f"batch_size={batch_size} is more than the {count} samples of the corpus"
            raise ArgumentError(message)
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.epoch = 0

    @property
    def sampler(self) -> "ShuffledBatches":
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

    def __iter__(self) -> Iterator[list[Draw]]:
        """Yield this process's rows of each batch."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        for batch in range(len(self)):
            first = batch * self.batch_size + self.process.rank * self._own
            yield [Draw(self.epoch, int(index)) for index in order[first : first + self._own]]


class WholeBatches(Sampler[list[int]]):
    """Cut the corpus into batches in its order and deal whole batches out to the processes in turn.

    Every item is dealt out once; nothing is repeated to make shares even. An item has the same
    neighbours in its batch, and so the same vector to the last bit, for any number of processes.
    Where the batches do not come out even, the last of some processes is empty, so that all take
    equally many steps.

    Args:
        count: How many items there are.
        batch_size: Items of a batch.
        process: This process.

    Example:
        >>> list(WholeBatches(5, 2, process=Process(rank=1, world=2)))
        [[2, 3], []]
    """

    def __init__(self, count: int, batch_size: int, *, process: Process) -> None:
        self.count = count
        self.batch_size = batch_size
        self.process = process

    def __len__(self) -> int:
        """Return how many batches each process gets."""
        return ceil(ceil(self.count / self.batch_size) / self.process.world)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of this process."""
        for turn in range(len(self)):
            first = (turn * self.process.world + self.process.rank) * self.batch_size
            yield list(range(first, min(first + self.batch_size, self.count)))
