"""A loader whose workers start late, outlive a signal, and which can begin within an epoch."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader

from vtlearn.batch import Sample
from vtlearn.datamodules.position import Position
from vtlearn.datamodules.samplers import ShuffledBatchSampler
from vtlearn.datasets.shards import ShardStream

__all__: list[str] = []

#: Seconds that a worker still reads after its group of processes was told to end.
_GRACE = 30


class LazyDataLoader(DataLoader[Sample]):
    """Let workers start with the first batch that is asked for.

    Lightning makes the loader and its iterator early, before it has said where a resumed training
    begins, and torch's would begin to read there and then.

    Attributes:
        position: Tells where a training stands that resumes within an epoch; None: nowhere.
    """

    position: Callable[[], Position] | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Start the workers when the first batch is asked for."""
        if self.position is not None:
            self.begin_at(*self.position())
        yield from super().__iter__()

    def begin_at(self, epoch: int, batch: int) -> None:
        """Begin within an epoch, as a training does that was stopped there.

        Args:
            epoch: From 0; all others begin with their first batch.
            batch: The first batch of it that is given.
        """
        if isinstance(self.batch_sampler, ShuffledBatchSampler):
            self.batch_sampler.begin_at(epoch, batch)
        elif isinstance(self.dataset, ShardStream) and self.batch_size is not None:
            self.dataset.begin_at(epoch, batch, self.batch_size)

    def stop_workers(self) -> None:
        """End the workers that outlive an epoch, as Lightning does with a loader it knows.

        Those that are left to the garbage collector may lose their queues before they are told, and
        are then waited for, five seconds each.
        """
        iterator = self._iterator
        if iterator is not None and self.num_workers:  # whoever iterated may hold it still
            iterator._shutdown_workers()  # type: ignore[attr-defined]  # noqa: SLF001
        self._iterator = None


def outlive_signals(_worker: int) -> None:
    """Have a worker read until the step is finished that a signal to its whole group interrupts.

    Ctrl-C reaches every process of a terminal, and a job's end, or the warning of it, every process
    of the job: the training process then still asks for a batch, and ends its workers itself.
    """
    for signum in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _signal, _frame: signal.alarm(_GRACE))
