"""A feature store that is filled shard by shard, and resumed where an attempt stopped.

A store is a folder: ``features.json`` says what its vectors are, shard k holds those of videos
``k * videos_per_shard`` to ``(k + 1) * videos_per_shard - 1`` of a list of ids; ``shard`` knows the
two files of each. The layout is frozen: stores are large, and outlive the version that wrote them.

Home-made around safetensors: a writer that is killed may leave an HDF5 file that nothing opens, and
Zarr has a folder for each video.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.errors import FeatureError
from vtlearn.media.features.fingerprints import fingerprints
from vtlearn.media.features.shard import (
    StoredVideo,
    is_whole,
    read_shard_record,
    shard_records,
    write_shard,
)
from vtlearn.media.features.spec import FeatureSpec, read_metadata, spec_record, write_metadata
from vtlearn.media.ids import former_id, outgrown_ids

__all__ = ["FeatureStore"]

_NAMED = 20  # videos or files that a sentence names
_LEFT = 3600  # seconds after which an unfinished file is abandoned: a shard is written in a few


class Stale(NamedTuple):
    """What of whole shards is not what it would be now.

    Attributes:
        again: Numbers of shards that are worth another try: reading a video of theirs took too
            long, or a video that could not be read is another file now.
        replaced: Videos whose vectors were made of another file, and the shards they are in.
    """

    again: list[int]
    replaced: dict[str, int]


class FeatureStore:
    """A store that is being filled, by any number of processes and in any number of attempts.

    Args:
        folder: Where it is; made where there is none.
        spec: What its vectors are.
        ids: The videos it is to hold, the same and in the same order at each attempt.
        videos_per_shard: How many videos a shard has.
        layout: Whatever else has to stay the same at each attempt, in what JSON can hold.

    Raises:
        ArgumentError: If ``videos_per_shard`` is not positive.
        FeatureError: If the folder holds other features, or the same of other videos; what differs
            is named, and so are two videos that had one id in a former version. If no folder can be
            made there.

    Example:
        >>> import tempfile
        >>> import torch
        >>> spec = FeatureSpec("S3D", "0" * 64, 2, 1, 1, 1, 30, None, 224, (0, 0, 0), (1, 1, 1),
        ...     l2_norm=False, dtype="float16")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(Path(folder), spec, ["a", "b", "c"], videos_per_shard=2)
        ...     store.write(1, {"c": StoredVideo(torch.ones(3, 2), 2.5)}, {})
        ...     store.pending()
        [0]
    """

    def __init__(
        self,
        folder: Path,
        spec: FeatureSpec,
        ids: Sequence[str],
        *,
        videos_per_shard: int = 256,
        layout: Mapping[str, Any] | None = None,
    ) -> None:
        require_positive(videos_per_shard=videos_per_shard)
        self.folder = folder
        self.spec = spec
        self.ids = ids
        self.videos_per_shard = videos_per_shard
        self.layout = {
            "videos": len(ids),
            "videos_per_shard": videos_per_shard,
            "ids_sha256": _hash(ids),
            **(layout or {}),
        }
        self._begin()

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

    def pending(self) -> list[int]:
        """Return the numbers of the shards that are not whole yet, or not any more."""
        return [shard for shard in range(self.num_shards) if not is_whole(self.folder, shard)]

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
            record = read_shard_record(self.folder, shard)
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
        """Refuse to mix vectors of old and of new files.

        Args:
            replaced: Videos that are other files now, and the shards they are in.

        Raises:
            FeatureError: If there are any.
        """
        if not replaced:
            return
        shards = sorted(set(replaced.values()))
        message = (
            f"{len(replaced)} videos are other files than {self.folder} holds vectors of: "
            f"{_first(replaced)}. To make their shards again, remove "
            f"{_first([f'{shard:05d}.json' for shard in shards])} there and run the command once "
            "more; or give another folder"
        )
        raise FeatureError(message)

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

    def write(
        self,
        shard: int,
        videos: Mapping[str, StoredVideo],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """Write a shard, or write it again: the same videos give the same bytes.

        Args:
            shard: Its number.
            videos: Vectors of its videos, by id.
            unreadable: Why others of its videos have none, by id.
            sources: What :meth:`sources` said of their files.

        Raises:
            FeatureError: If these are not the shard's videos, vectors are not what the store
                holds, or the disk is full.
        """
        ids = self.shard_ids(shard)
        given = {video_id: videos[video_id] for video_id in ids if video_id in videos}
        lost = {video_id: unreadable[video_id] for video_id in ids if video_id in unreadable}
        if len(given) + len(lost) != len(ids) or len(given) != len(videos):
            message = f"shard {shard} of {self.folder} is to hold {ids}"
            raise FeatureError(message)
        write_shard(self.folder, shard, self.spec, given, lost, sources or {})

    def remove_leftovers(self) -> None:
        """Remove what a killed attempt left half-written an hour ago or earlier.

        What is younger may be what another command on the same store is writing.
        """
        for path in self.folder.glob(".*.unfinished"):
            try:
                if path.stat().st_mtime < time.time() - _LEFT:
                    path.unlink(missing_ok=True)
            except FileNotFoundError:  # it has got its name in the meantime
                continue

    def _begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"features cannot be kept in {self.folder}: {error.strerror}. Give an empty "
                "folder, or one below which you may write"
            )
            raise FeatureError(message) from error
        # looked for first: another process may begin the store and write a shard in between
        has_shards = any(self.folder.glob("*.safetensors"))
        if not (self.folder / "features.json").is_file():
            if has_shards:
                message = f"{self.folder} holds shards, but no features.json: give another folder"
                raise FeatureError(message)
            write_metadata(self.folder, self.spec, self.layout)
        spec, layout = read_metadata(self.folder)
        there, wanted = _settings(spec, layout), _settings(self.spec, self.layout)
        if _bare(spec.backbone) == _bare(self.spec.backbone):  # a class may move to another file
            wanted["backbone"] = spec.backbone
        differences = [
            f"{name}: {there.get(name)!r} there, {wanted.get(name)!r} now"
            for name in dict.fromkeys([*there, *wanted])
            if there.get(name) != wanted.get(name)
        ]
        if there.get("ids_sha256") != self.layout["ids_sha256"]:
            self._require_todays(str(there.get("ids_sha256")))
        if differences:
            message = (
                f"{self.folder} was created with other settings: {'; '.join(differences)}. Resume "
                "with the same settings, or give another folder"
            )
            raise FeatureError(message)

    def _require_todays(self, ids_sha256: str) -> None:
        """Refuse a store of a former version, in which two of today's videos had one id."""
        former = list(dict.fromkeys(former_id(video_id) for video_id in self.ids))
        old = set(former) if ids_sha256 in (_hash(former), _hash(sorted(former))) else set()
        for shard, _ in shard_records(self.folder):
            record = read_shard_record(self.folder, shard)
            old |= record.videos.keys() | record.unreadable.keys()
        if any("." in video_id or "/" in video_id for video_id in old):
            return  # no former version had such ids
        for video_id, (one, other, *_) in outgrown_ids(old, self.ids).items():
            message = (
                f"{self.folder} has features of {video_id!r}, an id of a former version that both "
                f"{one!r} and {other!r} had: create the store again, in an empty folder, with "
                "`vtlearn predict` or `vtlearn data import`"
            )
            raise FeatureError(message)


def _settings(spec: FeatureSpec, layout: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what has to stay the same, with what the metadata file leaves out."""
    return {"frame_at": spec.frame_at, **spec_record(spec), **layout}


def _bare(backbone: str) -> str:
    """Name a backbone without the packages of its classes, which may move."""
    return re.sub(r"(?:(?<=^)|(?<='class_path': '))(?:\w+\.)+(?=[A-Z]\w*[('])", "", backbone)


def _first(names: Iterable[str]) -> str:
    """List names; of many, the first."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{', '.join(every[:_NAMED])}{more}"


def _hash(ids: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for video_id in ids:
        digest.update(f"{video_id}\n".encode())
    return digest.hexdigest()
