from collections import Counter
from itertools import chain, combinations

import pytest

from vtlearn.datasets.shard_shares import deal_shards, even_share
from vtlearn.errors import ArgumentError

SIZES = [(7, 7, 7, 7, 7, 7, 3), (100, 1, 50, 2, 30, 30, 8, 9), (5, 0, 5, 5), (4,) * 12]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("world", "workers"), [(1, 1), (2, 1), (1, 3), (3, 1)])
def test_each_shard_goes_to_exactly_one_reader(
    sizes: tuple[int, ...], world: int, workers: int
) -> None:
    least = even_share(sizes, world=world, workers=workers)
    for epoch in range(20):
        shares = [
            deal_shards(
                sizes, seed=1, epoch=epoch, rank=rank, world=world, worker=worker, workers=workers
            )
            for rank in range(world)
            for worker in range(workers)
        ]
        assert sorted(chain(*shares)) == list(range(len(sizes)))
        given = [sum(sizes[shard] for shard in share) for share in shares]
        assert min(given) >= least
        assert max(given) - min(given) <= max(sizes) - min(sizes) + max(sizes)


def test_shares_of_equal_shards_are_equal() -> None:
    assert even_share([10] * 12, world=2, workers=3) == 20
    assert even_share([10] * 13, world=2, workers=3) == 20


def test_epochs_and_seeds_deal_differently_and_calls_alike() -> None:
    def deal(seed: int, epoch: int) -> list[list[int]]:
        return [
            deal_shards([5] * 12, seed=seed, epoch=epoch, rank=rank, world=3) for rank in range(3)
        ]

    assert deal(0, 0) == deal(0, 0)
    dealt = [deal(0, 0), deal(0, 1), deal(1, 0)]
    assert all(one != other for one, other in combinations(dealt, 2))


def test_every_two_shards_of_other_rounds_meet_in_a_reader() -> None:
    """Else some videos would never be each other's negatives."""
    together: Counter[tuple[int, int]] = Counter()
    for epoch in range(200):
        for rank in range(2):
            own = sorted(deal_shards([5] * 6, seed=0, epoch=epoch, rank=rank, world=2))
            together.update(combinations(own, 2))
    assert set(together) == set(combinations(range(6), 2))
    assert max(together.values()) < 1.5 * min(together.values())


def test_too_few_shards_are_told_with_the_arithmetic() -> None:
    words = r"7 shards for 4 processes x 2 workers = 8 readers: 1 would have nothing .*num_workers"
    with pytest.raises(ArgumentError, match=words):
        even_share([3] * 7, world=4, workers=2)
    with pytest.raises(ArgumentError, match="2 shards for 3 processes"):
        deal_shards([1, 0, 1], seed=0, epoch=0, world=3)  # an empty shard is nothing to read
