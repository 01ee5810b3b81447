"""How the processes share a corpus: which indices, in which order, in which batch.

Batches are made of the whole corpus first and shared afterwards, so that the batches, and with them
the figures, are the same for any number of processes.
"""

import math
from collections.abc import Iterator, Sequence, Sized
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from vtlearn.datasets.base import SampleKey
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError

__all__ = ["EpochOrder"]

_BLOCK = 100  # batches among which each source has its share
_SOURCES = 3  # apart from what else is drawn by (seed, epoch)


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


class EpochOrder(Protocol):
    """Which samples an epoch has, in which order; batches are taken from it one after another.

    This is the place for batches of videos that are like each other, as
    :class:`~vtlearn.callbacks.NeighbourBatches` finds them: the samples of one batch after those of
    another. An order that has a length, ``len(order)`` samples in every epoch, need not know the
    samples of an epoch before its first batch is asked for.
    """

    def __call__(self, seed: int, epoch: int) -> Sequence[int] | NDArray[np.integer[Any]]:
        """Return an epoch's samples, as positions in the corpus.

        Args:
            seed: The corpus's.
            epoch: From 0.

        Returns:
            As many in every epoch, the same in every process: each process calls it and takes its
            own rows. A position may come more than once, or not at all; what is drawn of a sample
            is a function of (seed, epoch, position), so that it is then the same each time.
        """


class ShuffledBatchSampler(Sampler[list[SampleKey]]):
    """Shuffle the corpus in each epoch and give each process its rows of every batch.

    The order is a function of (seed, epoch). The last batch of an epoch is left out if it is not
    full.

    Args:
        count: How many samples the corpus has.
        batch_size: Samples of a batch over all processes together.
        seed: Another seed, another order.
        process: This process.
        order: Says which samples an epoch has, in place of a permutation of all. It is asked once
            for each epoch: when the first batch is, or the number of batches, unless the order has
            a length.

    Raises:
        ArgumentError: If the processes cannot share the batch evenly, or the corpus fills none.
            When an epoch is asked for: if ``order`` gives what are not positions in the corpus,
            fewer than fill a batch, or more or fewer than for another epoch.

    Example:
        >>> batches = ShuffledBatchSampler(4, 2, seed=0, process=Process(rank=1, world=2))
        >>> [len(batch) for batch in batches]
        [1, 1]
        >>> backwards = ShuffledBatchSampler(
        ...     4, 2, seed=0, process=Process(0, 1), order=lambda seed, epoch: [3, 2, 1, 0]
        ... )
        >>> [[key.sample for key in batch] for batch in backwards]
        [[3, 2], [1, 0]]
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        seed: int,
        process: Process,
        order: EpochOrder | None = None,
    ) -> None:
        self._own = per_rank_batch_size(batch_size, process)
        if count < batch_size:
            message = (
                f"batch_size={batch_size} is more than the {count} samples of the corpus: set "
                f"data.init_args.batch_size to {count} at most"
            )
            raise ArgumentError(message)
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.epoch = 0
        self._begin = (0, 0)
        self._order = order
        self._given: tuple[int, NDArray[np.integer[Any]]] | None = None  # what order said last

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

    def begin_at(self, epoch: int, batch: int) -> None:
        """Begin within an epoch, as a training does that was stopped there.

        Args:
            epoch: From 0; all others begin with their first batch.
            batch: The first batch of it that is given.
        """
        self._begin = (epoch, batch)

    def __len__(self) -> int:
        """Return how many batches an epoch has, those left out by :meth:`begin_at` among them."""
        return self._samples() // self.batch_size

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Yield this process's rows of each batch."""
        epoch = self.epoch
        order: NDArray[np.integer[Any]]
        if self._order is None:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        else:
            order = self._ordered(self._order)
        for batch in range(first_batch(self._begin, epoch), len(order) // self.batch_size):
            first = batch * self.batch_size + self.process.rank * self._own
            rows = order[first : first + self._own]
            yield [SampleKey(epoch, int(index)) for index in rows]

    def _samples(self) -> int:
        """Tell how many samples an epoch has, before there is a first one if that can be."""
        if self._order is None:
            return self.count
        length = _length_of(self._order)
        return len(self._ordered(self._order)) if length is None else length

    def _ordered(self, order: EpochOrder) -> NDArray[np.integer[Any]]:
        """Ask for the samples of this epoch, once."""
        if self._given is not None and self._given[0] == self.epoch:
            return self._given[1]
        positions = np.asarray(order(self.seed, self.epoch))
        self._require_positions(positions)
        self._given = (self.epoch, positions)
        return positions

    def _require_positions(self, positions: NDArray[Any]) -> None:
        wrong = None
        if positions.ndim != 1 or len(positions) < self.batch_size:
            wrong = f"an array of the shape {positions.shape}"
        elif not np.issubdtype(positions.dtype, np.integer):
            wrong = f"an array of {positions.dtype}"
        elif positions.min() < 0 or positions.max() >= self.count:
            wrong = f"positions from {positions.min()} to {positions.max()}"
        if wrong is not None:
            message = (
                f"the order of epoch {self.epoch}: expected a list of {self.batch_size} or more "
                f"integers from 0 to {self.count - 1}, the positions of samples, got {wrong}"
            )
            raise ArgumentError(message)
        self._require_length(len(positions))

    def _require_length(self, length: int) -> None:
        expected, of = _length_of(self._order), "its length is"
        if expected is None and self._given is not None:
            expected, of = len(self._given[1]), f"that of epoch {self._given[0]}"
        if expected is not None and length != expected:
            message = (
                f"the order of epoch {self.epoch} has {length} samples, {of} {expected}: "
                "give as many in every epoch"
            )
            raise ArgumentError(message)


def first_batch(begin: tuple[int, int], epoch: int) -> int:
    """Tell which batch an epoch begins with.

    Args:
        begin: The epoch within which a training resumes, and its first batch.
        epoch: The epoch that is asked for.

    Example:
        >>> first_batch((3, 5), 3), first_batch((3, 5), 4)
        (5, 0)
    """
    return begin[1] if begin[0] == epoch else 0


def _length_of(order: object) -> int | None:
    """Return how many samples every epoch has, where an order knows that by itself."""
    return len(order) if isinstance(order, Sized) else None


def draw_sources(
    weights: Sequence[float], batches: int, *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Draw which source each batch of an epoch is from.

    Of each hundred batches, and of what is left of an epoch, a source has as many as its weight
    says, rounded up or down at random, in a random order: so that any single batch is from a source
    with the probability of its weight, and no long run of batches is without one.

    Args:
        weights: One per source; they sum to 1.
        batches: Batches of the epoch.
        seed: Another seed, other draws.
        epoch: From 0.

    Returns:
        The source of each batch, (batches,), a function of the arguments.

    Example:
        >>> draw_sources([0.75, 0.25], 8, seed=0, epoch=0)
        array([0, 0, 0, 0, 0, 1, 1, 0])
    """
    bounds = np.cumsum(weights)[:-1]  # where the weight of one source ends, and the next begins
    drawn = [np.empty(0, dtype=np.int64)]
    for block, first in enumerate(range(0, batches, _BLOCK)):
        size = min(_BLOCK, batches - first)
        rng = np.random.default_rng((seed, epoch, block, _SOURCES))
        evenly = (np.arange(size) + rng.random()) / size
        drawn.append(rng.permutation(np.searchsorted(bounds, evenly, side="right")))
    return np.concatenate(drawn)


def most_draws(weight: float, batches: int) -> int:
    """Tell how many batches of an epoch a source may have at most.

    Args:
        weight: The source's share.
        batches: Batches of the epoch.

    Example:
        >>> most_draws(0.25, 8)
        3
    """
    return math.ceil(weight * batches) + math.ceil(batches / _BLOCK)


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
