"""What is left to do of a corpus, and which part of that falls to this machine and this process."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction.writer import ShardWriter
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.datasets.windows import VideoList
from vtlearn.distributed import gather_objects, process
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.video.probing import probe_all
from vtlearn.storage.progress import track

__all__ = ["Part"]

_LOG = logging.getLogger(__name__)
_NAMED = 20  # names that a sentence lists; files have all


ItemT = TypeVar("ItemT")


class Part(NamedTuple):
    """The share of one of several machines that do not talk to each other.

    Shards are dealt to parts by their numbers alone, so that no two parts write the same one.

    Attributes:
        number: Which machine this is, from 1.
        total: How many there are.

    Example:
        >>> list(Part.parse("2/4").shards(10))
        [1, 5, 9]
    """

    number: int = 1
    total: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read ``K/N``, the K-th of N machines.

        Args:
            text: As it stands at the command line; None for a machine that does all.

        Raises:
            ArgumentError: If it is anything else, or K is not from 1 to N.
        """
        if text is None:
            return cls()
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        part = cls() if found is None else cls(int(found[1]), int(found[2]))
        if found is None or not 1 <= part.number <= part.total:
            message = (
                f"part={text!r} is not K/N with K from 1 to N: on the second of 4 machines, give "
                "part=2/4"
            )
            raise ArgumentError(message)
        return part

    @classmethod
    def of_rank(cls, environment: Mapping[str, str]) -> Self:
        """Tell which process of a launcher this is, as torchrun and SLURM's srun say it.

        Args:
            environment: Variables of the process.

        Returns:
            ``rank + 1`` of so many as there are; the whole where nothing is said.

        Example:
            >>> str(Part.of_rank({"RANK": "1", "WORLD_SIZE": "4"}))
            '2/4'
        """
        for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
            if environment.get(rank, "").isdecimal() and environment.get(world, "").isdecimal():
                return cls.parse(f"{int(environment[rank]) + 1}/{environment[world]}")
        return cls()

    def shards(self, num_shards: int) -> range:
        """Return the numbers of this part's shards.

        Args:
            num_shards: How many there are in all.
        """
        return range(self.number - 1, num_shards, self.total)

    def share(self, items: Iterable[ItemT]) -> list[ItemT]:
        """Return this part's share of a list that is the same on all machines.

        Args:
            items: The whole list; each item goes to one part.
        """
        return list(items)[self.number - 1 :: self.total]

    def own_file(self, path: Path) -> Path:
        """Return what this part calls a file, so that those of all parts lie in one folder.

        Args:
            path: What the whole calls it.

        Example:
            >>> Part(2, 4).own_file(Path("report.json")).name
            'report-2-of-4.json'
        """
        if self.total == 1:
            return path
        return path.with_name(f"{path.stem}-{self.number}-of-{self.total}{path.suffix}")

    @property
    def log_name(self) -> str:
        """The file in which this part names what it cannot read: each part has one of its own."""
        return self.own_file(Path("unreadable.jsonl")).name

    def __str__(self) -> str:
        """Return ``K/N``."""
        return f"{self.number}/{self.total}"


#: All shards, on one machine or on several that talk to each other.
WHOLE = Part()


def whole_shards(
    writer: ShardWriter[Any, Any], paths: Sequence[str], part: Part, *, show: bool
) -> list[int]:
    """List what a part need not do, alike on all its processes; each compares a share of it."""
    pending = set(gather_objects(writer.pending())[0])
    whole = [shard for shard in part.shards(writer.num_shards) if shard not in pending]
    rank, world = process()
    own: Iterable[int] = whole[rank::world]
    if show and whole:
        own = track(own, "Comparing videos with whole shards")
    found: Sequence[tuple[Sequence[int], Mapping[str, int]]]
    found = gather_objects(writer.stale(own, paths))
    writer.require_unreplaced(
        {video_id: shard for _, replaced in found for video_id, shard in replaced.items()}
    )
    again = {shard for shards, _ in found for shard in shards}
    return [shard for shard in whole if shard not in again]


class ProbedVideos(NamedTuple):
    """What videos are like before anything is made of them.

    Attributes:
        durations: How long they are, (positions,), seconds; of unreadable ones 0.
        firsts: When their first frames are shown, (positions,), seconds.
        unreadable: Why some of them cannot be read, by id.
    """

    durations: NDArray[np.float64]
    firsts: NDArray[np.float64]
    unreadable: dict[str, Unreadable]


def probe_videos(
    videos: VideoList, positions: Sequence[int], workers: int, *, show: bool
) -> ProbedVideos:
    """Look up how long videos are and when they start, and why some of them cannot be read."""
    durations, firsts = np.zeros(len(positions)), np.zeros(len(positions))
    unreadable: dict[str, Unreadable] = {}
    place = {videos.ids[index]: number for number, index in enumerate(positions)}
    jobs = ((videos.ids[index], Path(videos.paths[index])) for index in positions)
    found: Iterable[tuple[str, Any]] = probe_all(
        jobs, workers=workers, time_budget=videos.time_budget
    )
    if show:
        found = track(found, "Looking at videos", len(positions))
    for video_id, info in found:
        if isinstance(info, UnreadableVideoError):
            unreadable[video_id] = Unreadable.of(video_id, info)
        else:
            durations[place[video_id]] = info.duration
            firsts[place[video_id]] = info.first
    return ProbedVideos(durations, firsts, unreadable)


def log_unreadable(
    log: UnreadableLog,
    writer: ShardWriter[Any, Any],
    videos: VideoList,
    unreadable: Mapping[str, Unreadable],
    whole: Sequence[int],
) -> None:
    """Log what cannot be read, in whole shards as well, and count it alike on all processes."""
    records = list(unreadable.values())
    first = process().rank == 0
    if first:
        paths = dict(zip(videos.ids, videos.paths, strict=True))
        known = {shard: writer.unreadable(shard) for shard in whole}
        records += [
            Unreadable(video_id, paths[video_id], why["stage"], why["reason"])
            for lost in known.values()
            for video_id, why in lost.items()
        ]
        if any(known.values()):
            again = [writer.record_name(shard) for shard, lost in known.items() if lost]
            _LOG.warning(
                "videos of whole shards could not be read, and are not tried again; to try them, "
                "remove %s in %s",
                name_first(again),
                writer.folder,
            )
    gathered = [record for own in gather_objects(records) for record in own]
    try:
        if first:
            log.add_all(gathered)
    finally:  # the others add nothing to its file, but to their count
        gather_objects(None)
    log.add_all(gathered)


def name_first(names: Sequence[str]) -> str:
    """List names; of many, the first."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
