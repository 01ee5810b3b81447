"""Batches of videos that are near each other: which, and the lists that they are drawn from."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.base import Corpus
from vtlearn.errors import ArgumentError
from vtlearn.media.video_shards import hash_ids
from vtlearn.storage.atomic import replacing

__all__ = ["Lists", "order_by_neighbours", "read_lists", "write_lists"]

#: The neighbours of each video, itself among them: (videos, neighbours), positions in the corpus.
Lists = NDArray[np.int32]

_STREAM = 4  # apart from what else is drawn by (seed, epoch)


class NeighbourOrder:
    """Say which samples an epoch has: batch by batch, neighbours of a video that is drawn.

    Each batch takes a video at random, and its own number of samples at random from the video's
    list. What is drawn is a function of (seed, epoch) and the lists, which :meth:`begin` gives; how
    much an epoch has is known before that.

    Args:
        videos: How many the corpus has.
        batch_size: Samples of a batch over all processes together.
        neighbours: How many videos are listed for each, itself among them.

    Attributes:
        neighbours: The same; no more than there are videos.

    Raises:
        ArgumentError: If a batch has more samples than a list has videos.

    Example:
        >>> order = NeighbourOrder(videos=5, batch_size=2, neighbours=3)
        >>> len(order)
        4
        >>> order.begin(0, np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 4, 2], [4, 3, 2]]))
        >>> order(seed=0, epoch=0)
        array([4, 2, 2, 0])
    """

    def __init__(self, videos: int, batch_size: int, neighbours: int) -> None:
        if batch_size > neighbours:
            message = (
                f"a batch of {batch_size} cannot be drawn from {neighbours} neighbours: raise "
                f"neighbours to {batch_size} at least, or lower batch_size"
            )
            raise ArgumentError(message)
        self.neighbours = min(neighbours, videos)
        self._batches = videos // batch_size
        self._batch_size = batch_size
        self._begun: tuple[int, Lists] | None = None

    def __len__(self) -> int:
        """Return how many samples every epoch has: as many as without neighbours."""
        return self._batches * self._batch_size

    def begin(self, epoch: int, lists: Lists) -> None:
        """Take the lists that an epoch's batches are drawn from.

        Args:
            epoch: From 0.
            lists: The neighbours of each video, (videos, neighbours).
        """
        self._begun = epoch, lists

    def __call__(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Draw an epoch's samples, as positions in the corpus.

        Args:
            seed: The corpus's.
            epoch: From 0.

        Raises:
            ArgumentError: If this is not the epoch whose lists there are.
        """
        if self._begun is None or self._begun[0] != epoch:
            message = (
                f"the neighbours of epoch {epoch} have not been found: NeighbourBatches, which "
                "finds them, has to be among trainer.callbacks"
            )
            raise ArgumentError(message)
        _, lists = self._begun
        rng = np.random.default_rng((seed, epoch, 0, _STREAM))
        videos = rng.integers(len(lists), size=self._batches)
        drawn = [rng.choice(lists[one], self._batch_size, replace=False) for one in videos]
        return np.concatenate(drawn).astype(np.int64)


def order_by_neighbours(data: VideoTextData, neighbours: int) -> tuple[Corpus, NeighbourOrder]:
    """Have training take batches of neighbours.

    Args:
        data: What is trained on.
        neighbours: How many videos are listed for each, itself among them.

    Returns:
        The videos, and the order that waits for the neighbours of each epoch.

    Raises:
        ArgumentError: If a batch has more samples than a list has videos; or if the data are a
            stream of shards, a mixture, or have an order of their own.
    """
    corpus, name = data.train_dataset(), type(data).__name__
    if not isinstance(corpus, Corpus):
        message = (
            f"{name} reads a stream of shards, and NeighbourBatches chooses among all videos: "
            "train on the files, or leave it out of trainer.callbacks"
        )
        raise ArgumentError(message)
    order = NeighbourOrder(len(corpus), data.batch_size, neighbours)
    data.order_epochs(order)
    if data.epoch_order() is not order:
        message = (
            f"{name} says itself which samples a batch has: leave NeighbourBatches out of "
            "trainer.callbacks"
        )
        raise ArgumentError(message)
    return corpus, order


def write_lists(folder: Path, epoch: int, lists: Lists, ids: Iterable[str]) -> None:
    """Keep the neighbours that an epoch is drawn from, 256 bytes per video where they are 64.

    Args:
        folder: The run's.
        epoch: From 0.
        lists: The neighbours of each video, (videos, neighbours).
        ids: The corpus's.
    """
    path = _path(folder, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, neighbours=lists.astype(np.int32), ids_sha256=np.array(hash_ids(ids)))


def read_lists(folders: Iterable[Path], epoch: int, ids: Sequence[str], count: int) -> Lists | None:
    """Read what :func:`write_lists` kept.

    Args:
        folders: Of runs; the first that has the epoch counts.
        epoch: From 0.
        ids: The corpus's.
        count: How many neighbours are wanted.

    Returns:
        The neighbours of each video, (videos, count); None where no folder has them, or another
        number of them.

    Raises:
        ArgumentError: If a file is damaged, or of other videos.
    """
    path = next((path for path in (_path(one, epoch) for one in folders) if path.exists()), None)
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            lists, sha256 = kept["neighbours"], str(kept["ids_sha256"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        message = f"{path} holds no neighbours of videos: remove it to have them found again"
        raise ArgumentError(message) from error
    if sha256 != hash_ids(ids):
        message = (
            f"{path} has the neighbours of other videos than those that are trained on: resume "
            "with the data that the training began with"
        )
        raise ArgumentError(message)
    return lists if lists.shape[1] == count else None


def _path(folder: Path, epoch: int) -> Path:
    return folder / "neighbours" / f"epoch-{epoch:03d}.npz"
