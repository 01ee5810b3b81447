from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from torch.utils.data import DataLoader

from vtlearn.batch import Sample
from vtlearn.datamodules.mixture_loader import MixtureLoader
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


def test_a_source_that_would_begin_too_often_is_refused() -> None:
    loaders = {"few": Named("few", 1), "many": Named("many", 10_000)}
    weights = {"few": 0.5, "many": 0.5}
    assert len(list(MixtureLoader(loaders, weights, batches=1900, seed=0))) == 1900
    with pytest.raises(ArgumentError, match="source few has 1 batches, and an epoch takes up to"):
        MixtureLoader(loaders, weights, batches=2100, seed=0)
