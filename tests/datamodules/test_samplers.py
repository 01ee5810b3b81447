from itertools import chain
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vtlearn.datamodules.samplers import (
    DistributedBatchSampler,
    EpochOrder,
    ShuffledBatchSampler,
    draw_sources,
    most_draws,
)
from vtlearn.datasets.base import SampleKey
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError


def global_batches(world: int, epoch: int = 0) -> list[list[SampleKey]]:
    """Global batches, put together from what each process is given."""
    shares = []
    for rank in range(world):
        batches = ShuffledBatchSampler(13, 4, seed=5, process=Process(rank, world))
        batches.set_epoch(epoch)
        shares.append(list(batches))
    return [list(chain(*rows)) for rows in zip(*shares, strict=True)]


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_processes_shares_the_same_batches(world: int) -> None:
    assert global_batches(world) == global_batches(1)


def test_an_epoch_is_a_permutation_and_another_epoch_another_one() -> None:
    first, second = (list(chain(*global_batches(1, epoch))) for epoch in (0, 1))
    assert len({key.sample for key in first}) == 12  # three full batches of thirteen samples
    assert [key.sample for key in first] != [key.sample for key in second]
    assert {key.epoch for key in second} == {1}


def test_an_epoch_goes_on_where_it_was_stopped() -> None:
    batches = ShuffledBatchSampler(13, 4, seed=0, process=Process(0, 2))
    batches.set_epoch(3)
    whole = list(batches)
    batches.begin_at(3, 1)
    assert (list(batches), len(batches)) == (whole[1:], len(whole))
    batches.begin_at(3, 3)
    assert list(batches) == []
    batches.set_epoch(4)
    assert len(list(batches)) == len(whole)


def test_batches_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"batch_size=4 .* divide by their number, 3"):
        ShuffledBatchSampler(13, 4, seed=0, process=Process(0, 3))
    with pytest.raises(ArgumentError, match="more than the 3 samples"):
        ShuffledBatchSampler(3, 4, seed=0, process=Process(0, 1))


class Order:
    """Each batch is of samples that follow each other; notes when it was asked."""

    def __init__(self, length: int = 12) -> None:
        self.length = length
        self.asked: list[tuple[int, int]] = []

    def __call__(self, seed: int, epoch: int) -> NDArray[np.int64]:
        self.asked.append((seed, epoch))
        return (np.arange(self.length) + seed + epoch) % 13


def ordered(order: EpochOrder, rank: int = 0, world: int = 1) -> ShuffledBatchSampler:
    return ShuffledBatchSampler(13, 4, seed=5, process=Process(rank, world), order=order)


def test_another_order_is_a_function_of_seed_and_epoch() -> None:
    order = Order(length=14)  # one sample twice; the last two fill no batch
    batches = ordered(order)
    assert len(batches) == 3
    samples = [[key.sample for key in batch] for batch in batches]
    assert samples == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 1, 2, 3]]
    assert order.asked == [(5, 0)]  # once an epoch
    batches.set_epoch(2)
    assert next(iter(batches)) == [SampleKey(2, sample) for sample in (7, 8, 9, 10)]
    assert len(batches) == 3
    assert order.asked == [(5, 0), (5, 2)]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_batches_of_another_order(world: int) -> None:
    alone = list(ordered(Order()))
    given = [list(ordered(Order(), rank, world)) for rank in range(world)]
    assert [list(chain(*rows)) for rows in zip(*given, strict=True)] == alone


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 1, 2], r"4 or more integers from 0 to 12.*the shape \(3,\)"),
        ([[0, 1, 2, 3]] * 4, r"the shape \(4, 4\)"),
        ([0, 1, 2, 13], "positions from 0 to 13"),
        ([-1, 1, 2, 3], "positions from -1 to 3"),
        ([0.0, 1.0, 2.0, 3.0], "an array of float64"),
    ],
)
def test_what_are_no_positions_is_refused(positions: Any, message: str) -> None:
    batches = ordered(lambda seed, epoch: positions)  # noqa: ARG005
    for ask in (len, list):
        with pytest.raises(ArgumentError, match=f"the order of epoch 0: .*{message}"):
            ask(batches)


def test_every_epoch_has_as_many_samples() -> None:
    batches = ordered(lambda seed, epoch: range(8 + 4 * epoch))  # noqa: ARG005
    assert len(batches) == 2
    batches.set_epoch(1)
    with pytest.raises(ArgumentError, match="epoch 1 has 12 samples, that of epoch 0 8"):
        next(iter(batches))


class Sized(Order):
    """An order that says how much an epoch has before it knows what."""

    def __init__(self, length: int, told: int) -> None:
        super().__init__(length)
        self.told = told

    def __len__(self) -> int:
        return self.told


def test_an_order_that_has_a_length_is_not_asked_for_the_samples_of_an_epoch_to_count_them() -> (
    None
):
    order = Sized(length=9, told=9)
    batches = ordered(order)
    assert len(batches) == 2
    assert order.asked == []
    assert len(list(batches)) == 2
    assert order.asked == [(5, 0)]


def test_an_order_of_another_length_than_its_own_is_refused() -> None:
    batches = ordered(Sized(length=8, told=12))
    assert len(batches) == 3
    with pytest.raises(ArgumentError, match="epoch 0 has 8 samples, its length is 12"):
        next(iter(batches))


def shares(part_counts: list[int], batch_size: int, world: int) -> list[list[list[int]]]:
    samplers = [
        DistributedBatchSampler(part_counts, batch_size, process=Process(rank, world))
        for rank in range(world)
    ]
    given = [list(sampler) for sampler in samplers]
    assert {len(share) for share in given} == {len(sampler) for sampler in samplers}
    assert len({len(share) for share in given}) == 1  # all take as many steps
    return given


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_whole_batches_come_once_each(world: int) -> None:
    given = shares([1] * 13, 4, world)
    batches = sorted(batch for share in given for batch in share if batch)
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12]]


MIXES = [
    [1, 3, 1, 1, 2, 1, 1, 1],
    [5, 4, 3],
    [1] * 6 + [40] + [1] * 6,
    [2, 1, 2, 1, 2, 1, 2],
    [7],
    [],
]


@pytest.mark.parametrize("part_counts", MIXES)
@pytest.mark.parametrize("world", [1, 2, 3])
def test_short_and_long_items_are_shared(part_counts: list[int], world: int) -> None:
    given = shares(part_counts, 3, world)
    indices = [index for share in given for batch in share for index in batch]
    assert sorted(indices) == list(range(sum(part_counts)))  # each part of each item once
    first = 0
    for count in part_counts:
        parts = list(range(first, first + count))
        first += count
        if count == 1:
            continue
        owners = [share for share in given if parts[:1] in share]
        assert len(owners) == 1
        where = owners[0].index(parts[:1])  # on one process, one after the other
        assert owners[0][where : where + count] == [[part] for part in parts]
    for share in given:  # empty batches come at the end
        full = [bool(batch) for batch in share]
        assert full == sorted(full, reverse=True)


@pytest.mark.parametrize("part_counts", MIXES)
def test_an_item_has_the_same_neighbours_for_any_number_of_processes(
    part_counts: list[int],
) -> None:
    batches = [
        sorted(batch for share in shares(part_counts, 3, world) for batch in share if batch)
        for world in (1, 2, 3)
    ]
    assert batches[0] == batches[1] == batches[2]


def test_units_go_to_the_processes_in_turn() -> None:
    assert shares([1, 3, 1, 1, 2, 1], 2, world=2) == [
        [[1], [2], [3], [6], [7]],
        [[0, 4], [5, 8], [], [], []],
    ]


# Which source a batch is from


def test_each_hundred_batches_have_the_sources_by_their_weights() -> None:
    weights = np.array([0.613, 0.083, 0.304])
    for batches in (1, 7, 100, 1000, 1042):
        drawn = draw_sources(weights.tolist(), batches, seed=1, epoch=2)
        assert drawn.shape == (batches,)
        for first in range(0, batches, 100):
            block = drawn[first : first + 100]
            counts = np.bincount(block, minlength=3)
            assert (np.abs(counts - weights * len(block)) < 1).all()
        most = [most_draws(weight, batches) for weight in weights.tolist()]
        assert (np.bincount(drawn, minlength=3) <= most).all()


def test_any_batch_is_of_a_source_with_the_probability_of_its_weight() -> None:
    drawn = np.stack([draw_sources([0.85, 0.15], 7, seed=s, epoch=0) for s in range(2000)])
    # 0.15 of 7 batches is one or two: never rounded to one alone; five standard deviations
    assert np.abs(drawn.mean(0) - 0.15).max() < 5 * (0.15 * 0.85 / 2000) ** 0.5
    assert len(np.unique(drawn[:20], axis=0)) > 5  # in an order that is drawn


def test_sources_are_a_function_of_seed_and_epoch() -> None:
    one = draw_sources([0.5, 0.5], 300, seed=0, epoch=0)
    assert (draw_sources([0.5, 0.5], 300, seed=0, epoch=0) == one).all()
    assert (draw_sources([0.5, 0.5], 250, seed=0, epoch=0)[:200] == one[:200]).all()
    for seed, epoch in ((1, 0), (0, 1)):
        assert (draw_sources([0.5, 0.5], 300, seed=seed, epoch=epoch) != one).any()
    assert (draw_sources([1.0], 5, seed=0, epoch=0) == 0).all()
