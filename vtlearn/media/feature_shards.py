"""Shards of features, written whole or not at all, so that a store can be gone on with.

A store is a folder: ``features.json`` says what its vectors are, shard k holds those of videos
``k * videos_per_shard`` to ``(k + 1) * videos_per_shard - 1`` of a list of ids. A shard is two
files: ``00000.safetensors``, a tensor (vectors, dim) for each video, and ``00000.json``, how long
each video is and which could not be read. The second is written last: where it is, the shard is
whole.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from vtlearn.atomic import remove_leftovers, replace_text, replacing
from vtlearn.errors import FeatureError, UnreadableVideoError
from vtlearn.media.checks import require_positive
from vtlearn.media.feature_spec import FeatureSpec, num_vectors, read_sidecar, write_sidecar

__all__ = [
    "FeatureStore",
    "ShardRecord",
    "StoredVideo",
    "VideoRecord",
    "read_shard_record",
    "shard_records",
]


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
    """

    videos: dict[str, VideoRecord]
    unreadable: dict[str, dict[str, str]]


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
            is named.

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
        """Return the numbers of the shards that are not whole yet."""
        return [
            shard for shard in range(self.num_shards) if not _path(self.folder, shard).is_file()
        ]

    def write(
        self,
        shard: int,
        videos: Mapping[str, StoredVideo],
        unreadable: Mapping[str, UnreadableVideoError],
    ) -> None:
        """Write a shard: the same videos give the same bytes.

        Args:
            shard: Its number.
            videos: Vectors of its videos, by id.
            unreadable: Why others of its videos have none, by id.

        Raises:
            FeatureError: If these are not the shard's videos, or vectors are not what the store
                holds.
        """
        given = [video_id for video_id in self.shard_ids(shard) if video_id in videos]
        lost = [video_id for video_id in self.shard_ids(shard) if video_id in unreadable]
        if len(given) + len(lost) != len(self.shard_ids(shard)) or len(given) != len(videos):
            message = f"shard {shard} of {self.folder} is to hold {self.shard_ids(shard)}"
            raise FeatureError(message)
        tensors = {video_id: self._stored(video_id, videos[video_id]) for video_id in given}
        path = _path(self.folder, shard)
        with replacing(path.with_suffix(".safetensors")) as unfinished:
            save_file(tensors, unfinished)
        record = {
            "videos": {
                video_id: _record(tensors[video_id], videos[video_id].duration)
                for video_id in given
            },
            "unreadable": {video_id: _reason(unreadable[video_id]) for video_id in lost},
        }
        replace_text(path, json.dumps(record, indent=1) + "\n")

    def remove_leftovers(self) -> None:
        """Remove what a killed attempt left half-written; call it before any process writes."""
        remove_leftovers(self.folder)

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "features.json").is_file():
            if any(self.folder.glob("*.safetensors")):
                message = f"{self.folder} holds shards, but no features.json: give another folder"
                raise FeatureError(message)
            write_sidecar(self.folder, self.spec, self.layout)
        spec, layout = read_sidecar(self.folder)
        there = asdict(spec) | layout
        wanted = asdict(self.spec) | self.layout
        differences = [
            f"{name}: {there.get(name)!r} there, {wanted.get(name)!r} now"
            for name in dict.fromkeys([*there, *wanted])
            if there.get(name) != wanted.get(name)
        ]
        if differences:
            message = (
                f"{self.folder} was begun with others: {'; '.join(differences)}. Go on with what "
                "it was begun with, or give another folder"
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
        videos = {
            video_id: VideoRecord(
                float(video["duration"]), int(video["vectors"]), int(video.get("lost", 0))
            )
            for video_id, video in record["videos"].items()
        }
        return ShardRecord(videos, dict(record.get("unreadable", {})))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
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


def _reason(error: UnreadableVideoError) -> dict[str, str]:
    _, reason, _ = error.args
    return {"stage": error.stage, "reason": str(reason)}
