"""The batches of several loaders in one, each from one of them."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from torch.utils.data import DataLoader

from vtlearn.batch import Batch, Sample
from vtlearn.datamodules.lazy_data_loader import LazyDataLoader
from vtlearn.datamodules.position import Position
from vtlearn.datamodules.samplers import draw_sources, first_batch, most_draws
from vtlearn.errors import ArgumentError

__all__: list[str] = []

_ROUNDS = 1000  # how often an epoch of a mixture may begin a source again


class MixtureLoader:
    """Batches of several loaders, each from one of them.

    Which one is a function of (seed, epoch, batch), the same in every process. Each epoch begins
    every loader anew, and begins it again when it runs out, with an epoch that it has at no other
    time: what an epoch gives does not depend on how far the last one went.

    Args:
        loaders: One per source, as long in every process.
        weights: How often each is drawn; they sum to 1.
        batches: Batches of an epoch.
        seed: Another seed, other draws.

    Attributes:
        position: Tells where a training stands that resumes within an epoch; None: nowhere.

    Raises:
        ArgumentError: If an epoch would begin a loader again too often.
    """

    def __init__(
        self,
        loaders: Mapping[str, DataLoader[Sample]],
        weights: Mapping[str, float],
        *,
        batches: int,
        seed: int,
    ) -> None:
        self.loaders = dict(loaders)
        self.weights = [weights[name] for name in self.loaders]
        self.batches = batches
        self.seed = seed
        self.epoch = 0
        self._begin = (0, 0)
        self.position: Callable[[], Position] | None = None
        for (name, loader), weight in zip(self.loaders.items(), self.weights, strict=True):
            needed = most_draws(weight, batches)
            if needed > _ROUNDS * len(loader):
                message = (
                    f"source {name} has {len(loader)} batches, and an epoch takes up to {needed}, "
                    f"more than {_ROUNDS} times as many: lower batches_per_epoch or its weight"
                )
                raise ArgumentError(message)

    @property
    def sampler(self) -> "MixtureLoader":
        """Stand where Lightning looks for ``set_epoch``: at a loader's sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iterating begins with; Lightning calls this at its start.

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

    def stop_workers(self) -> None:
        """End the workers of all sources."""
        for loader in self.loaders.values():
            if isinstance(loader, LazyDataLoader):
                loader.stop_workers()

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch that is set when the first of them is asked for."""
        if self.position is not None:
            self.begin_at(*self.position())
        drawn = draw_sources(self.weights, len(self), seed=self.seed, epoch=self.epoch).tolist()
        first = first_batch(self._begin, self.epoch)
        batches = [
            _rounds(loader, self.epoch, drawn[:first].count(source))
            for source, loader in enumerate(self.loaders.values())
        ]
        for source in drawn[first:]:
            yield next(batches[source])


def _rounds(loader: DataLoader[Sample], epoch: int, done: int) -> Iterator[Batch]:
    """Yield the batches of a loader in an epoch of the mixture that are not done, without end."""
    rounds, batch = divmod(done, len(loader))
    first = _ROUNDS * epoch + rounds
    if isinstance(loader, LazyDataLoader):
        loader.begin_at(first, batch)
    for one in count(first):
        _set_epoch(loader, one)
        yield from loader


def _set_epoch(loader: DataLoader[Sample], epoch: int) -> None:
    """Tell a loader the epoch as Lightning does: at its sampler, or its batch sampler's."""
    holders = loader, loader.batch_sampler
    for sampler in (getattr(holder, "sampler", None) for holder in holders):
        if callable(set_epoch := getattr(sampler, "set_epoch", None)):
            set_epoch(epoch)
