"""One shard of a feature store: two files, of which the second makes the first whole.

Shard 0 is ``00000.safetensors``, a tensor (vectors, dim) for each video, and ``00000.json``, how
long each video is, which could not be read, and what all of them were made of. The record is
written last: where it is, the shard is whole.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vtlearn.batch import Unreadable
from vtlearn.errors import FeatureError
from vtlearn.media.features.spec import FeatureSpec, num_vectors
from vtlearn.storage.atomic import replace_text, replacing

__all__ = ["StoredVideo", "read_shard_record"]


class StoredVideo(NamedTuple):
    """The vectors of a video.

    Attributes:
        vectors: (vectors, dim), float; a row of NaN where a corrupt stretch left no window.
        duration: How long the video is, in seconds.
        first: When its first frame is shown, in seconds.
    """

    vectors: Tensor
    duration: float
    first: float = 0.0


class VideoRecord(NamedTuple):
    """What a shard says of a video.

    Attributes:
        duration: How long it is, in seconds.
        vectors: How many it has.
        lost: How many of them are NaN, because their windows could not be read.
        first: When its first frame is shown, in seconds: 0 where the shard does not say, as those
            of former versions.
    """

    duration: float
    vectors: int
    lost: int = 0
    first: float = 0.0


class ShardRecord(NamedTuple):
    """What a shard says of its videos.

    Attributes:
        videos: Those that have vectors, by id.
        unreadable: ``stage`` and ``reason`` of those that have none, by id.
        sources: What they were made of, as :func:`~vtlearn.media.features.fingerprints.fingerprint`
            tells files apart, by id; of some or all nothing may be known.
        size: Bytes of the tensors' file; None in stores of versions that did not write it down.
    """

    videos: dict[str, VideoRecord]
    unreadable: dict[str, dict[str, str]]
    sources: dict[str, str] = {}  # noqa: RUF012 - never changed
    size: int | None = None


def write_shard(
    folder: Path,
    shard: int,
    spec: FeatureSpec,
    videos: Mapping[str, StoredVideo],
    unreadable: Mapping[str, Unreadable],
    sources: Mapping[str, str],
) -> None:
    """Write a shard, or write it again: the same videos in the same order give the same bytes.

    Args:
        folder: The store.
        shard: The shard's number.
        spec: What the store's vectors are.
        videos: Vectors by id, in the order of the store's list.
        unreadable: Why other videos have none, by id, in that order.
        sources: What the videos were made of, by id.

    Raises:
        FeatureError: If vectors are not what the store holds, or the disk is full.

    Example:
        >>> import tempfile
        >>> spec = FeatureSpec("S3D", "0" * 64, 2, 1, 1, 1, 30, None, 224, (0, 0, 0), (1, 1, 1),
        ...     l2_norm=False, dtype="float16")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     video = StoredVideo(torch.ones(3, 2), 2.5)
        ...     write_shard(Path(folder), 0, spec, {"a": video}, {}, {})
        ...     read_shard_record(Path(folder), 0).videos
        {'a': VideoRecord(duration=2.5, vectors=3, lost=0, first=0.0)}
    """
    tensors = {video_id: _checked(video_id, video, spec) for video_id, video in videos.items()}
    path = _path(folder, shard)
    record = {
        "bytes": _save(tensors, path),
        "videos": {
            video_id: _video_record(tensors[video_id], video) for video_id, video in videos.items()
        },
        "unreadable": {
            video_id: {"stage": why.stage, "reason": why.reason}
            for video_id, why in unreadable.items()
        },
        "sources": dict(sources),
    }
    replace_text(path, json.dumps(record, indent=1) + "\n")


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
            {video_id: _read_video(video) for video_id, video in record["videos"].items()},
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


def is_whole(folder: Path, shard: int) -> bool:
    """Tell whether a shard is as it was written; a power cut may shorten one of its files.

    Args:
        folder: The store.
        shard: The shard's number.
    """
    path = _path(folder, shard)
    if not path.is_file():
        return False
    try:
        size = read_shard_record(folder, shard).size
        return size is None or path.with_suffix(".safetensors").stat().st_size == size
    except (FeatureError, FileNotFoundError):
        return False


def _checked(video_id: str, video: StoredVideo, spec: FeatureSpec) -> Tensor:
    """Check a video's vectors, and give them the store's dtype."""
    vectors, expected = video.vectors, num_vectors(video.duration, spec.fps)
    if vectors.shape != (expected, spec.dim):
        message = (
            f"{video_id} lasts {video.duration} s, which makes {expected} vectors of "
            f"dim={spec.dim} at fps={spec.fps}; these are {tuple(vectors.shape)}"
        )
        raise FeatureError(message)
    stored = vectors.detach().cpu().to(getattr(torch, spec.dtype)).contiguous()
    if (stored.isfinite() != vectors.cpu().isfinite()).any():
        message = (
            f"vectors of {video_id} are as large as {vectors.abs().nan_to_num().max():.3g}, "
            "which float16 cannot hold: store them as float32"
        )
        raise FeatureError(message)
    return stored


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


def _video_record(vectors: Tensor, video: StoredVideo) -> dict[str, float]:
    """Say what has to be said: a store of videos that start at 0 stays what it was."""
    lost = int(vectors.isnan().any(1).sum())
    optional = {"lost": lost, "first": video.first}
    said = {name: value for name, value in optional.items() if value}
    return {"duration": video.duration, "vectors": len(vectors), **said}


def _read_video(video: Mapping[str, Any]) -> VideoRecord:
    lost, first = int(video.get("lost", 0)), float(video.get("first", 0))
    record = VideoRecord(float(video["duration"]), int(video["vectors"]), lost, first)
    if not (math.isfinite(record.duration) and record.duration >= 0):
        message = f"a video cannot last {record.duration} s"
        raise ValueError(message)
    if not 0 <= record.first < math.inf:
        message = f"the first frame cannot be shown at {record.first} s"
        raise ValueError(message)
    return record


def _path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05d}.json"
