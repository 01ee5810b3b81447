import os
import signal
from itertools import chain
from typing import Any

from torch.utils.data import Dataset

from vtlearn.datamodules.lazy_data_loader import LazyDataLoader, outlive_signals
from vtlearn.datamodules.position import Position
from vtlearn.datamodules.samplers import ShuffledBatchSampler
from vtlearn.distributed import Process


class Interrupted(Dataset[Any]):
    """Gets the signals that a terminal, a job's end and its warning send to all of a group."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, key: Any) -> int:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), signum)
        return int(key.sample)


def loader(workers: int) -> LazyDataLoader:
    batches = ShuffledBatchSampler(8, 2, seed=0, process=Process(0, 1))
    return LazyDataLoader(
        Interrupted(),  # samples of any kind
        batch_sampler=batches,
        collate_fn=list,
        num_workers=workers,
        worker_init_fn=outlive_signals,
    )


def test_workers_go_on_when_their_group_is_told_to_end() -> None:
    batches = list(loader(2))
    assert sorted(chain(*batches)) == list(range(8))


def test_it_begins_where_a_training_stands() -> None:
    whole = list(loader(1))
    rest = loader(1)
    rest.position = lambda: Position(0, 3)
    assert list(rest) == whole[3:]
    rest.position = lambda: Position(1, 0)
    assert len(list(rest)) == 4
