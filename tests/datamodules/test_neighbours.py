from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.webdataset.tars import pack_kitchen
from tests.models import tiny_kitchen
from vtlearn.datamodules import Kitchen, Mixture, Shards
from vtlearn.datamodules.neighbours import (
    NeighbourOrder,
    order_by_neighbours,
    read_lists,
    write_lists,
)
from vtlearn.datamodules.samplers import EpochOrder
from vtlearn.errors import ArgumentError

#: Two groups of six, each video's list being a part of its group.
LISTS = np.array(
    [[one // 6 * 6 + (one + step) % 6 for step in range(4)] for one in range(12)], dtype=np.int32
)


def begun(epoch: int = 0) -> NeighbourOrder:
    order = NeighbourOrder(videos=12, batch_size=3, neighbours=4)
    order.begin(epoch, LISTS)
    return order


def test_a_batch_is_of_different_videos_of_one_list() -> None:
    batches = begun()(seed=1, epoch=0).reshape(-1, 3)
    assert len(batches) == 4
    lists = [set(one) for one in LISTS.tolist()]
    for batch in batches.tolist():
        assert len(set(batch)) == 3
        assert any(set(batch) <= one for one in lists)


def test_every_list_and_every_part_of_it_is_drawn_alike() -> None:
    order = NeighbourOrder(videos=12, batch_size=2, neighbours=4)
    order.begin(0, LISTS)
    pairs = np.concatenate([order(seed, 0).reshape(-1, 2) for seed in range(2000)])
    counts = np.bincount(pairs.ravel(), minlength=12)
    # each video is in four lists of four: 2000 of 24,000 drawn; five standard deviations
    assert np.abs(counts - 2000).max() < 5 * (24_000 / 12) ** 0.5
    assert {tuple(pair) for pair in pairs.tolist()} == {
        (one, other) for row in LISTS.tolist() for one in row for other in row if one != other
    }


def test_what_is_drawn_is_a_function_of_seed_epoch_and_lists() -> None:
    assert begun()(0, 0).tolist() == begun()(0, 0).tolist()
    assert begun()(0, 0).tolist() != begun()(1, 0).tolist()
    assert begun()(0, 0).tolist() != begun(epoch=1)(0, 1).tolist()


def test_its_length_is_known_before_there_are_lists() -> None:
    order = NeighbourOrder(videos=14, batch_size=4, neighbours=64)
    assert len(order) == 12
    assert order.neighbours == 14
    with pytest.raises(ArgumentError, match="neighbours of epoch 0 have not been found"):
        order(0, 0)
    with pytest.raises(ArgumentError, match="neighbours of epoch 1 have not been found"):
        begun(epoch=0)(0, 1)


def test_a_batch_larger_than_a_list_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"batch of 8 .* 7 neighbours: raise neighbours to 8"):
        NeighbourOrder(videos=100, batch_size=8, neighbours=7)


# What is trained on


def test_data_take_the_order(kitchen_root: Path, small: dict[str, Any]) -> None:
    data = tiny_kitchen(kitchen_root, small)
    corpus, order = order_by_neighbours(data, 5)
    assert data.epoch_order() is order
    assert list(corpus.ids) == list(data.train_dataset().ids)
    assert len(order) == 8
    assert len(data.train_dataloader()) == 2  # before there is a model to find neighbours by


def test_a_stream_and_a_mixture_are_refused(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    shards = Shards(pack_kitchen(kitchen_root, tmp_path / "shards"), batch_size=2)
    with pytest.raises(ArgumentError, match=r"Shards reads a stream of shards.*leave it out of"):
        order_by_neighbours(shards, 5)
    mixture = Mixture({"one": tiny_kitchen(kitchen_root, small)}, {"one": 1})
    with pytest.raises(ArgumentError, match="Mixture draws the source of each batch"):
        order_by_neighbours(mixture, 5)


def test_data_with_an_order_of_their_own_are_refused(
    kitchen_root: Path, small: dict[str, Any]
) -> None:
    class Ordered(Kitchen):
        def epoch_order(self) -> EpochOrder:
            return lambda seed, epoch: [7, 5, 3, 1]  # noqa: ARG005

    with pytest.raises(ArgumentError, match="Ordered says itself which samples a batch has"):
        order_by_neighbours(Ordered(kitchen_root, **small), 64)


# What is kept


IDS = [f"video{number}" for number in range(12)]


def test_lists_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_lists(tmp_path / "run", 3, LISTS, IDS)
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert kept == tmp_path / "run" / "neighbours" / "epoch-003.npz"
    lists = read_lists([tmp_path, tmp_path / "run"], 3, IDS, 4)
    assert lists is not None
    assert lists.dtype == np.int32
    assert lists.tolist() == LISTS.tolist()
    assert read_lists([tmp_path, tmp_path / "run"], 2, IDS, 4) is None
    assert read_lists([tmp_path / "run"], 3, IDS, 5) is None


def test_lists_of_other_videos_are_refused(tmp_path: Path) -> None:
    write_lists(tmp_path, 0, LISTS, IDS)
    with pytest.raises(ArgumentError, match="neighbours of other videos"):
        read_lists([tmp_path], 0, IDS[::-1], 4)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_told(content: bytes, tmp_path: Path) -> None:
    write_lists(tmp_path, 0, LISTS, IDS)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=r"epoch-000.npz holds no neighbours .*remove it"):
        read_lists([tmp_path], 0, IDS, 4)
