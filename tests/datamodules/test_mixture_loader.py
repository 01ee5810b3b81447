from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from torch.utils.data import DataLoader

from vtlearn.batch import Sample
from vtlearn.datamodules.lazy_data_loader import LazyDataLoader
from vtlearn.datamodules.mixture_loader import MixtureLoader
from vtlearn.datamodules.samplers import ShuffledBatchSampler
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError


class Named(DataLoader[Sample]):
    """Gives its name in place of batches."""

    def __init__(self, name: str, length: int) -> None:
        super().__init__([])  # type: ignore[arg-type]
        self.name, self.length = name, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return iter([self.name] * self.length)


class Keys(Sequence[Any]):
    """Samples that are what they were asked by."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: Any) -> Any:
        return key


def named(name: str, keys: list[Any]) -> Any:
    return name, keys


def test_shares_of_the_sources_are_their_weights() -> None:
    weights = {"a": 0.613, "b": 0.083, "c": 0.304}
    loaders = {name: Named(name, 10) for name in weights}
    for seed in range(3):
        loader = MixtureLoader(loaders, weights, batches=1000, seed=seed)
        for epoch in range(3):
            loader.set_epoch(epoch)
            drawn: Sequence[Any] = list(loader)
            shares = {name: drawn.count(name) / 1000 for name in weights}
            assert shares == pytest.approx(weights, abs=0.01)


def test_the_order_is_drawn_for_each_epoch_and_seed() -> None:
    loaders = {name: Named(name, 10) for name in "ab"}
    orders = set()
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        loader = MixtureLoader(loaders, dict.fromkeys("ab", 0.5), batches=50, seed=seed)
        loader.set_epoch(epoch)
        orders.add("".join(map(str, loader)))
    assert len(orders) == 3


@pytest.mark.parametrize("done", [1, 7, 19, 20])
def test_an_epoch_goes_on_where_it_was_stopped(done: int) -> None:
    """Sources of 2 and 3 batches begin again several times in an epoch of 20."""

    def mixed() -> MixtureLoader:
        loaders = {
            name: LazyDataLoader(
                Keys(4 * length),  # type: ignore[arg-type]  # samples of any kind
                batch_sampler=ShuffledBatchSampler(4 * length, 4, seed=0, process=Process(0, 1)),
                collate_fn=partial(named, name),
            )
            for name, length in (("a", 2), ("b", 3))
        }
        return MixtureLoader(loaders, {"a": 0.5, "b": 0.5}, batches=20, seed=0)

    mixture, resumed = mixed(), mixed()
    mixture.set_epoch(2)
    whole: Sequence[Any] = list(mixture)
    resumed.begin_at(2, done)
    resumed.set_epoch(2)
    assert list(resumed) == whole[done:]
    for loader in (mixture, resumed):
        loader.set_epoch(3)
    assert list(resumed) == list(mixture)


def test_a_source_that_would_begin_too_often_is_refused() -> None:
    loaders = {"few": Named("few", 1), "many": Named("many", 10_000)}
    weights = {"few": 0.5, "many": 0.5}
    assert len(list(MixtureLoader(loaders, weights, batches=1900, seed=0))) == 1900
    with pytest.raises(ArgumentError, match="source few has 1 batches, and an epoch takes up to"):
        MixtureLoader(loaders, weights, batches=2100, seed=0)
