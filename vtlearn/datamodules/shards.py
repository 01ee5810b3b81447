"""Tar shards of narrated videos, or of pictures with captions, for training."""

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.samplers import per_rank_batch_size
from vtlearn.datasets.shard_shares import even_share
from vtlearn.datasets.shards import ShardStream
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.media.webdataset.index import ShardIndex, open_shards

__all__ = ["Shards"]

_LOG = logging.getLogger(__name__)


class Shards(VideoTextData):
    """Train on a stream of tar shards, as ``vtlearn data pack`` or img2dataset writes them.

    Every worker of every process reads shards of its own, another share each epoch, so there have
    to be as many shards as workers in all. An epoch has as many steps as the smallest share allows;
    the rest is left out, another rest each epoch. Which samples come together depends on the
    numbers of processes and workers, other than with corpora that are no stream.

    Args:
        shards: A folder of tar files, a pattern such as ``data/{00000..00012}.tar``, several of
            these joined by ``::``, or a list of them.
        shuffle_buffer: Samples among which each worker draws the next one; they lie in its memory,
            encoded. 1 keeps the order within the shards.
        cache: Where the counts of shards without an index are kept; ``.vtlearn`` beside the shards
            by default.
        loading: What every corpus takes, but for ``features``.

    Example:
        >>> from vtlearn.datasets import ClipSampling, Pixels
        >>> sampling, pixels = ClipSampling(num_frames=16), Pixels(size=112)
        >>> Shards(Path("shards"), sampling=sampling, pixels=pixels).clip_shape
        ClipShape(num_frames=16, size=112)
    """

    def __init__(
        self,
        shards: Path | list[Path],
        *,
        shuffle_buffer: int = 32,
        cache: Path | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.shards = [Path(one) for one in shards] if isinstance(shards, list) else Path(shards)
        self.shuffle_buffer = shuffle_buffer
        self.cache = cache

    @cached_property
    def index(self) -> ShardIndex:
        """The shards and what they hold.

        Raises:
            ShardError: If there is none, or one cannot be read.
        """
        return open_shards(self.shards, cache=self.cache)

    def prepare_data(self) -> None:
        """Count the samples of shards without an index; a training forgets what was unread."""
        open_shards(self.shards, cache=self.cache)
        super().prepare_data()

    def captions(self) -> Iterator[str]:
        """Yield the training captions, shard by shard, without reading the videos."""
        return ShardStream(self.index, reading=self.reading).texts()

    def train_dataset(self) -> ShardStream:
        """Return this process's stream.

        Raises:
            ShardError: If there is no shard, or one cannot be read.
            ArgumentError: If the processes cannot share a batch evenly, or there are too few shards
                or samples.
        """
        own = per_rank_batch_size(self.batch_size, process())
        workers = max(1, self.num_workers)
        sizes = [shard.samples for shard in self.index.shards]
        least = even_share(sizes, world=process().world, workers=workers)
        if least < own:
            message = (
                f"batch_size={self.batch_size} over {process().world} processes takes {own} of one "
                f"worker, but its share of {sum(sizes)} samples in {len(sizes)} shards may be no "
                f"more than {least}; lower batch_size or num_workers, or pack smaller shards"
            )
            raise ArgumentError(message)
        return ShardStream(
            self.index,
            reading=self.reading,
            shuffle_buffer=self.shuffle_buffer,
            process=process(),
            workers=workers,
            samples_per_reader=least // own * own,
        )
