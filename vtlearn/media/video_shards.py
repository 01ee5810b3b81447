"""What is kept of a corpus's videos in shards, each of which is whole or not there.

Shard k is of the videos ``k * videos_per_shard`` to ``(k + 1) * videos_per_shard - 1`` of a list of
ids. Whatever is kept of them, a shard's record, ``00000.json`` of shard 0, says which could not be
read and which files the others were made of; it is written last.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vtlearn.checks import require_positive
from vtlearn.errors import VTLearnError
from vtlearn.media.features.fingerprints import fingerprints
from vtlearn.storage.atomic import remove_leftovers

__all__ = ["VideoShards", "describe_differences", "hash_ids"]

_NAMED = 20  # videos or files that a sentence names
_SHOWN = 3  # entries that differ, of one setting
_LEFT = 3600  # seconds after which an unfinished file is abandoned: a shard is written in a few


class Stale(NamedTuple):
    """What of whole shards is not what it would be now.

    Attributes:
        again: Numbers of shards that are worth another try: reading a video of theirs took too
            long, or a video that could not be read is another file now.
        replaced: Videos of which something was made of another file, and the shards they are in.
    """

    again: list[int]
    replaced: dict[str, int]


class Record(Protocol):
    """What a whole shard says of its videos."""

    @property
    def videos(self) -> Mapping[str, Any]:
        """Those of which something is kept, by id."""

    @property
    def unreadable(self) -> Mapping[str, Mapping[str, str]]:
        """``stage`` and ``reason`` of the others, by id."""

    @property
    def sources(self) -> Mapping[str, str]:
        """What tells the files apart that they were made of, by id."""


class VideoShards(ABC):
    """A folder of shards, filled by any number of processes and in any number of attempts.

    Args:
        folder: Where it is.
        ids: The videos it is to hold, the same and in the same order at each attempt.
        videos_per_shard: How many videos a shard has.

    Attributes:
        kept: What is kept of a video, for messages, such as "vectors".
        error: What is raised where the folder is not as it should be.

    Raises:
        ArgumentError: If ``videos_per_shard`` is not positive.
    """

    kept: str
    error: type[VTLearnError]

    def __init__(self, folder: Path, ids: Sequence[str], videos_per_shard: int) -> None:
        require_positive(videos_per_shard=videos_per_shard)
        self.folder, self.ids, self.videos_per_shard = folder, ids, videos_per_shard

    @abstractmethod
    def record(self, shard: int) -> Record:
        """Read what a whole shard says of its videos.

        Args:
            shard: Its number.
        """

    @abstractmethod
    def is_whole(self, shard: int) -> bool:
        """Tell whether a shard is there, as it was written.

        Args:
            shard: Its number.
        """

    @property
    def num_shards(self) -> int:
        """How many shards there will be."""
        return -(-len(self.ids) // self.videos_per_shard)

    def shard_range(self, shard: int) -> range:
        """Return where in the list of ids a shard's videos are.

        Args:
            shard: Its number.
        """
        first = shard * self.videos_per_shard
        return range(first, min(first + self.videos_per_shard, len(self.ids)))

    def shard_ids(self, shard: int) -> list[str]:
        """Return the ids of a shard's videos.

        Args:
            shard: Its number.
        """
        return [self.ids[index] for index in self.shard_range(shard)]

    def holds_others(self, metadata: str, suffix: str) -> bool:
        """Tell whether the folder, which does not say what it holds, has files that get replaced.

        Args:
            metadata: The file that says what a folder of this kind holds.
            suffix: What the names of its shards end with.

        Returns:
            Whether it has no such file, and shards or records, perhaps of another kind.
        """
        # looked for first: another process may begin the folder and write a shard in between
        names = [path.name for path in self.folder.iterdir()]
        taken = any(
            name.endswith(suffix) or (name.endswith(".json") and name[:-5].isdecimal())
            for name in names
        )
        return taken and not (self.folder / metadata).is_file()

    def pending(self) -> list[int]:
        """Return the numbers of the shards that are not whole yet, or not any more."""
        return [shard for shard in range(self.num_shards) if not self.is_whole(shard)]

    def stale(self, shards: Iterable[int], paths: Sequence[str]) -> Stale:
        """Look for videos that are other files than a shard was made of.

        Args:
            shards: Numbers of whole shards.
            paths: The videos' files, in the order of the ids. One that is not there differs from
                nothing.

        Returns:
            What was found.
        """
        found = Stale([], {})
        for shard in shards:
            record = self.record(shard)
            now = self.sources(shard, paths)
            other = [one for one in now if record.sources.get(one, now[one]) != now[one]]
            found.replaced.update({one: shard for one in other if one in record.videos})
            for video_id, why in record.unreadable.items():
                # one of which nothing was known was not there
                is_fixed = now.get(video_id, "") not in ("", record.sources.get(video_id))
                if is_fixed or why["stage"] == "time":
                    found.again.append(shard)
                    break
        return found

    def require_unreplaced(self, replaced: Mapping[str, int]) -> None:
        """Refuse to mix what was made of old and of new files.

        Args:
            replaced: Videos that are other files now, and the shards they are in.

        Raises:
            VTLearnError: If there are any.
        """
        if not replaced:
            return
        shards = sorted(set(replaced.values()))
        message = (
            f"{len(replaced)} videos are other files than {self.folder} holds {self.kept} of: "
            f"{_first(replaced)}. To make their shards again, remove "
            f"{_first([f'{shard:05d}.json' for shard in shards])} there and run the command once "
            "more; or give another folder"
        )
        raise self.error(message)

    def sources(self, shard: int, paths: Sequence[str]) -> dict[str, str]:
        """Look at the files that a shard is made of; call it before they are read.

        Args:
            shard: Its number.
            paths: The files of all videos, in the order of the ids.

        Returns:
            What tells them apart, by id, for :meth:`write`.
        """
        places = self.shard_range(shard)
        return fingerprints({self.ids[index]: Path(paths[index]) for index in places})

    def remove_leftovers(self) -> None:
        """Remove what a killed attempt left half-written an hour ago or earlier.

        What is younger may be what another command on the same store is writing.
        """
        remove_leftovers(self.folder, nested=False, unused_for=_LEFT)

    def require_settings(self, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Refuse to continue in a folder that was created with other settings.

        Args:
            there: The folder's.
            wanted: Those of now.

        Raises:
            VTLearnError: If any differ; they are named.
        """
        if differences := describe_differences(there, wanted):
            message = (
                f"{self.folder} was created with other settings: {differences}. Resume with the "
                "same settings, or give another folder"
            )
            raise self.error(message)


def describe_differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Name the settings that differ, with both values.

    Args:
        there: Those that a folder was created with.
        wanted: Those of now. One that is not given is None.

    Returns:
        The differences, of settings that are mappings too; empty where there are none.

    Example:
        >>> describe_differences({"fps": 10, "dim": 8}, {"fps": 10, "dim": 16})
        'dim: 8 there, 16 now'
        >>> describe_differences({"files": {"a": "f0", "b": "9d"}}, {"files": {"a": "f0"}})
        "files[b]: '9d' there, None now"
    """
    return "; ".join(_differences(there, wanted))


def hash_ids(ids: Iterable[str]) -> str:
    """Hash a list of ids, in its order.

    Args:
        ids: Any strings.

    Returns:
        SHA-256 in hexadecimal.

    Example:
        >>> hash_ids(["a", "b"])[:8]
        '911169dd'
    """
    digest = hashlib.sha256()
    for video_id in ids:
        digest.update(f"{video_id}\n".encode("utf-8", "surrogatepass"))  # names need not be UTF-8
    return digest.hexdigest()


def _differences(there: Mapping[str, Any], wanted: Mapping[str, Any], of: str = "") -> list[str]:
    found: list[str] = []
    for name in dict.fromkeys([*there, *wanted]):
        one, other = there.get(name), wanted.get(name)
        called = f"{of}[{name}]" if of else name
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            inner = _differences(one, other, called)
            more = [f"{len(inner) - _SHOWN} more of {called}"] if len(inner) > _SHOWN else []
            found += [*inner[:_SHOWN], *more]
        else:
            found.append(f"{called}: {one!r} there, {other!r} now")
    return found


def _first(names: Iterable[str]) -> str:
    """List names; of many, the first."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{', '.join(every[:_NAMED])}{more}"
