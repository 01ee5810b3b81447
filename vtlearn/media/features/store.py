"""Shards of features, written whole or not at all, so that a store can be gone on with.

A store is a folder: ``features.json`` says what its vectors are, shard k holds those of videos
``k * videos_per_shard`` to ``(k + 1) * videos_per_shard - 1`` of a list of ids. A shard is two
files: ``00000.safetensors``, a tensor (vectors, dim) for each video, and ``00000.json``, how long
each video is, which could not be read, and what all of them were made of. The second is written
last: where it is, the shard is whole.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.errors import FeatureError
from vtlearn.media.features.fingerprints import fingerprints
from vtlearn.media.features.spec import FeatureSpec, num_vectors, read_metadata, write_metadata
from vtlearn.media.ids import former_id, outgrown_ids
from vtlearn.storage.atomic import replace_text, replacing

__all__ = [
    "FeatureStore",
    "ShardRecord",
    "Stale",
    "StoredVideo",
    "VideoRecord",
    "read_shard_record",
    "shard_records",
]

_NAMED = 20  # videos or files that a sentence names
_LEFT = 3600  # seconds after which an unfinished file is nobody's: a shard is written in a few


class StoredVideo(NamedTuple):
    """The vectors of a video.

    Attributes:
        vectors: (vectors, dim), float; a row of NaN where a corrupt stretch left no window.
        duration: How long the video is, in seconds.
    """

    vectors: Tensor
    duration: float


class VideoRecord(NamedTuple):
    """What a shard says of a video.

    Attributes:
        duration: How long it is, in seconds.
        vectors: How many it has.
        lost: How many of them are NaN, because their windows could not be read.
    """

    duration: float
    vectors: int
    lost: int = 0


class ShardRecord(NamedTuple):
    """What a shard says of its videos.

    Attributes:
        videos: Those that have vectors, by id.
        unreadable: ``stage`` and ``reason`` of those that have none, by id.
        sources: What they were made of, as :func:`~vtlearn.media.features.fingerprints.fingerprint`
            tells files apart, by id; of some or all nothing may be known.
        size: Bytes of the tensors' file; None where nobody wrote it down.
    """

    videos: dict[str, VideoRecord]
    unreadable: dict[str, dict[str, str]]
    sources: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    size: int | None = None


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
        return [shard for shard in range(self.num_shards) if not _is_whole(self.folder, shard)]

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
                mended = now.get(video_id, "") not in ("", record.sources.get(video_id))
                if mended or why["stage"] == "time":
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
        given = [video_id for video_id in self.shard_ids(shard) if video_id in videos]
        lost = [video_id for video_id in self.shard_ids(shard) if video_id in unreadable]
        if len(given) + len(lost) != len(self.shard_ids(shard)) or len(given) != len(videos):
            message = f"shard {shard} of {self.folder} is to hold {self.shard_ids(shard)}"
            raise FeatureError(message)
        tensors = {video_id: self._stored(video_id, videos[video_id]) for video_id in given}
        path = _path(self.folder, shard)
        record = {
            "bytes": _save(tensors, path),
            "videos": {
                video_id: _record(tensors[video_id], videos[video_id].duration)
                for video_id in given
            },
            "unreadable": {
                video_id: {
                    "stage": unreadable[video_id].stage,
                    "reason": unreadable[video_id].reason,
                }
                for video_id in lost
            },
            "sources": dict(sources or {}),
        }
        replace_text(path, json.dumps(record, indent=1) + "\n")

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
        there, wanted = asdict(spec) | layout, asdict(self.spec) | self.layout
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
                f"{self.folder} was begun with others: {'; '.join(differences)}. Go on with what "
                "it was begun with, or give another folder"
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

    def _stored(self, video_id: str, video: StoredVideo) -> Tensor:
        """Check a video's vectors, and give them the store's dtype."""
        vectors, expected = video.vectors, num_vectors(video.duration, self.spec.fps)
        if vectors.shape != (expected, self.spec.dim):
            message = (
                f"{video_id} lasts {video.duration} s, which makes {expected} vectors of "
                f"dim={self.spec.dim} at fps={self.spec.fps}; these are {tuple(vectors.shape)}"
            )
            raise FeatureError(message)
        stored = vectors.detach().cpu().to(getattr(torch, self.spec.dtype)).contiguous()
        if (stored.isfinite() != vectors.cpu().isfinite()).any():
            message = (
                f"vectors of {video_id} are as large as {vectors.abs().nan_to_num().max():.3g}, "
                "which float16 cannot hold: store them as float32"
            )
            raise FeatureError(message)
        return stored


def read_shard_record(folder: Path, shard: int) -> ShardRecord:
    """Read what a shard says of its videos.

    Args:
        folder: The store.
        shard: The shard's number.

    Raises:
        FeatureError: If the file is damaged.
    """
    path = _path(folder, shard)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        size = record.get("bytes")
        return ShardRecord(
            {video_id: _video(video) for video_id, video in record["videos"].items()},
            {
                video_id: {"stage": str(why["stage"]), "reason": str(why["reason"])}
                for video_id, why in record.get("unreadable", {}).items()
            },
            {video_id: str(known) for video_id, known in record.get("sources", {}).items()},
            None if size is None else int(size),
        )
    except (OSError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError) as error:
        message = (
            f"{path} does not say how long each video is and how many vectors it has "
            f"({type(error).__name__}: {error}); remove it and fill the store again"
        )
        raise FeatureError(message) from error


def shard_records(folder: Path) -> Iterable[tuple[int, Path]]:
    """List a store's whole shards.

    Args:
        folder: The store.

    Returns:
        Their numbers and the files that make them whole, in order of the numbers.
    """
    found = ((path.stem, path) for path in folder.glob("*.json"))
    return sorted((int(stem), path) for stem, path in found if stem.isdecimal())


def _is_whole(folder: Path, shard: int) -> bool:
    """Tell whether a shard is as it was written; a power cut may shorten one of its files."""
    path = _path(folder, shard)
    if not path.is_file():
        return False
    try:
        size = read_shard_record(folder, shard).size
        return size is None or path.with_suffix(".safetensors").stat().st_size == size
    except (FeatureError, FileNotFoundError):
        return False


def _save(tensors: dict[str, Tensor], record: Path) -> int:
    """Write a shard's tensors, and return how many bytes they took."""
    path = record.with_suffix(".safetensors")
    try:
        with replacing(path) as unfinished:
            save_file(tensors, unfinished)
            size = unfinished.stat().st_size
            record.unlink(missing_ok=True)  # it would be of other tensors
    except SafetensorError as error:
        message = f"{path} cannot be written: {error}"
        raise FeatureError(message) from error
    return size


def _video(video: Mapping[str, Any]) -> VideoRecord:
    record = VideoRecord(float(video["duration"]), int(video["vectors"]), int(video.get("lost", 0)))
    if not (math.isfinite(record.duration) and record.duration >= 0):
        message = f"a video cannot last {record.duration} s"
        raise ValueError(message)
    return record


def _bare(backbone: str) -> str:
    """Name a backbone without the packages of its classes, which may move."""
    return re.sub(r"(?:(?<=^)|(?<='class_path': '))(?:\w+\.)+(?=[A-Z]\w*[('])", "", backbone)


def _first(names: Iterable[str]) -> str:
    """List names; of many, the first."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{', '.join(every[:_NAMED])}{more}"


def _path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}.json"


def _hash(ids: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for video_id in ids:
        digest.update(f"{video_id}\n".encode())
    return digest.hexdigest()


def _record(vectors: Tensor, duration: float) -> dict[str, float]:
    lost = int(vectors.isnan().any(1).sum())
    return {"duration": duration, "vectors": len(vectors), **({"lost": lost} if lost else {})}
