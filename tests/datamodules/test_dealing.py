from itertools import chain

import pytest

from vtlearn.datamodules.dealing import ShuffledBatches, WholeBatches
from vtlearn.datasets.base import Draw
from vtlearn.distributed import Process
from vtlearn.errors import ArgumentError


def dealt(world: int, epoch: int = 0) -> list[list[Draw]]:
    """Global batches, put together from what each process is given."""
    shares = []
    for rank in range(world):
        batches = ShuffledBatches(13, 4, seed=5, process=Process(rank, world))
        batches.set_epoch(epoch)
        shares.append(list(batches))
    return [list(chain(*rows)) for rows in zip(*shares, strict=True)]


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_processes_shares_the_same_batches(world: int) -> None:
    assert dealt(world) == dealt(1)


def test_an_epoch_is_a_permutation_and_another_epoch_another_one() -> None:
    first, second = (list(chain(*dealt(1, epoch))) for epoch in (0, 1))
    assert len({draw.sample for draw in first}) == 12  # three full batches of thirteen samples
    assert [draw.sample for draw in first] != [draw.sample for draw in second]
    assert {draw.epoch for draw in second} == {1}


def test_batches_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"batch_size=4 .* divide by their number, 3"):
        ShuffledBatches(13, 4, seed=0, process=Process(0, 3))
    with pytest.raises(ArgumentError, match="more than the 3 samples"):
        ShuffledBatches(3, 4, seed=0, process=Process(0, 1))


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_whole_batches_come_once_each(world: int) -> None:
    shares = [WholeBatches(13, 4, process=Process(rank, world)) for rank in range(world)]
    batches = sorted(batch for share in shares for batch in share if batch)
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12]]
    assert {len(list(share)) for share in shares} == {len(shares[0])}  # all take as many steps
