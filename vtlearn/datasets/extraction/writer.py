"""What a walk over the videos of a corpus writes to: results by video, kept in shards."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from vtlearn.batch import Unreadable
from vtlearn.media.video_shards import VideoShards

__all__ = ["ChunkResults", "ShardWriter", "StoreWriter"]

ResultT = TypeVar("ResultT")
VideoT = TypeVar("VideoT")


class ChunkResults(NamedTuple, Generic[ResultT]):
    """What was made of consecutive windows of one video.

    Attributes:
        starts: When each window starts, in seconds.
        kept: Which of the windows could be read, (windows,), bool.
        results: What was made of those, in order.
    """

    starts: Sequence[float]
    kept: Tensor
    results: ResultT


class ShardWriter(ABC, Generic[ResultT, VideoT]):
    """Keeps what is made of a corpus's videos in shards, each of which is whole or not there.

    A shard is a range of the list of videos. ``ResultT`` is what is made of one chunk of windows,
    ``VideoT`` what is kept of a video. A writer is opened by every process of every part with the
    same list and the same settings, and refuses a folder that was created with others; the same
    results have to give the same bytes, whichever process writes them.

    Attributes:
        name: What it keeps, for messages, such as "features".
        folder: Where it keeps it; what cannot be read is logged there too.
    """

    name: str
    folder: Path

    @property
    @abstractmethod
    def num_shards(self) -> int:
        """How many shards there will be."""

    @abstractmethod
    def shard_range(self, shard: int) -> range:
        """Return which positions in the list of videos a shard has.

        Args:
            shard: Its number.
        """

    @abstractmethod
    def pending(self) -> list[int]:
        """Return the numbers of the shards that are not whole."""

    @abstractmethod
    def stale(
        self, shards: Iterable[int], paths: Sequence[str]
    ) -> tuple[Sequence[int], Mapping[str, int]]:
        """Compare whole shards with the files that the videos are now.

        Args:
            shards: Numbers of whole shards.
            paths: The files of all videos, in the order of the list.

        Returns:
            Numbers of the shards to write again; and the ids of videos whose results were made of
            another file, with the shards they are in.
        """

    @abstractmethod
    def require_unreplaced(self, replaced: Mapping[str, int]) -> None:
        """Refuse to mix results of old and of new files.

        Args:
            replaced: Videos that are other files now, and the shards they are in.

        Raises:
            VTLearnError: If there are any.
        """

    @abstractmethod
    def sources(self, shard: int, paths: Sequence[str]) -> dict[str, str]:
        """Fingerprint the files of a shard, before they are read.

        Args:
            shard: Its number.
            paths: The files of all videos, in the order of the list.

        Returns:
            Fingerprints by id, for :meth:`write`.
        """

    @abstractmethod
    def unreadable(self, shard: int) -> Mapping[str, Mapping[str, str]]:
        """Return ``stage`` and ``reason`` of the unreadable videos of a whole shard, by id.

        Args:
            shard: Its number.
        """

    @abstractmethod
    def video(
        self, chunks: Sequence[ChunkResults[ResultT]], duration: float, first: float = 0.0
    ) -> VideoT | None:
        """Put the results of a video together.

        Args:
            chunks: All its chunks, in temporal order.
            duration: How long it is, in seconds.
            first: When its first frame is shown, in seconds.

        Returns:
            What to keep of it; None where no window has a result.
        """

    @abstractmethod
    def write(
        self,
        shard: int,
        videos: Mapping[str, VideoT],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str],
    ) -> None:
        """Write a shard, so that it is whole or not there whenever the process is killed.

        Args:
            shard: Its number.
            videos: What :meth:`video` returned, by id.
            unreadable: The shard's other videos, by id.
            sources: What :meth:`sources` returned.
        """

    @abstractmethod
    def summary(self) -> str:
        """Say what the folder holds, once all shards are whole; a sentence without its period."""

    def record_name(self, shard: int) -> str:
        """Return the file without which a shard is not whole, relative to the folder.

        Args:
            shard: Its number.
        """
        return f"{shard:05d}.json"

    def remove_leftovers(self) -> None:
        """Remove what a killed process left unfinished, where nothing else may be writing it."""


class StoreWriter(ShardWriter[ResultT, VideoT]):
    """A writer to a folder of shards, which knows what is whole and what each was made of.

    Args:
        store: The folder.
    """

    def __init__(self, store: VideoShards) -> None:
        self.store = store
        self.folder = store.folder

    @property
    def num_shards(self) -> int:
        """How many shards there will be."""
        return self.store.num_shards

    def shard_range(self, shard: int) -> range:
        """See :class:`ShardWriter`."""
        return self.store.shard_range(shard)

    def pending(self) -> list[int]:
        """See :class:`ShardWriter`."""
        return self.store.pending()

    def stale(
        self, shards: Iterable[int], paths: Sequence[str]
    ) -> tuple[Sequence[int], Mapping[str, int]]:
        """See :class:`ShardWriter`."""
        return self.store.stale(shards, paths)

    def require_unreplaced(self, replaced: Mapping[str, int]) -> None:
        """See :class:`ShardWriter`."""
        self.store.require_unreplaced(replaced)

    def sources(self, shard: int, paths: Sequence[str]) -> dict[str, str]:
        """See :class:`ShardWriter`."""
        return self.store.sources(shard, paths)

    def remove_leftovers(self) -> None:
        """See :class:`ShardWriter`."""
        self.store.remove_leftovers()

    def unreadable(self, shard: int) -> Mapping[str, Mapping[str, str]]:
        """See :class:`ShardWriter`."""
        return self.store.record(shard).unreadable
