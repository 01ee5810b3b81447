"""Tar shards of narrated videos, or of pictures with captions, for training."""

import logging
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.samplers import per_rank_batch_size
from vtlearn.datasets.sampling.narrations import ClipSampling
from vtlearn.datasets.shards import ShardStream, even_share
from vtlearn.datasets.unreadable import forget_unreadable
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
        sampling: How the clips of a narration are drawn.
        shuffle_buffer: Samples among which each worker draws the next one; they lie in its memory,
            encoded. 1 keeps the order within the shards.
        max_unreadable_fraction: Stop when more of the samples than this cannot be read.
        quarantine: The file that names unreadable samples.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed and the video counts as unreadable. Leave it out to let it take its time.
        cache: Where the counts of shards without an index are kept; ``.vtlearn`` beside the shards
            by default.
        batch_size: Narrations of a batch over all processes together.
        num_workers: Loader processes of each training process; 0 to read in itself.
        seed: What is drawn is a function of it, the epoch, and the position in the shards.

    Example:
        >>> data = Shards(Path("shards"), sampling=ClipSampling(num_frames=16))
        >>> data.clip_shape
        ClipShape(num_frames=16, size=224)
    """

    def __init__(
        self,
        shards: Path | list[Path],
        *,
        sampling: ClipSampling | None = None,
        shuffle_buffer: int = 32,
        max_unreadable_fraction: float = 0.01,
        quarantine: Path = Path("runs/unreadable.jsonl"),
        time_budget: float | None = None,
        cache: Path | None = None,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self.shards = [Path(one) for one in shards] if isinstance(shards, list) else Path(shards)
        self.sampling = sampling or ClipSampling()
        self.cache = cache
        self._quarantine_file = Path(quarantine)
        self._stream = partial(
            ShardStream,
            sampling=self.sampling,
            shuffle_buffer=shuffle_buffer,
            seed=seed,
            max_unreadable_fraction=max_unreadable_fraction,
            quarantine=self._quarantine_file,
            time_budget=time_budget,
        )

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
        if self.is_training():
            forget_unreadable(self._quarantine_file)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, shard by shard, without reading the videos."""
        return self._stream(self.index).texts()

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
        return self._stream(
            self.index,
            process=process(),
            workers=workers,
            samples_per_reader=least // own * own,
        )
