"""A feature store that is filled shard by shard, and resumed where an attempt stopped.

A store is a folder: ``features.json`` says what its vectors are, shard k holds those of videos
``k * videos_per_shard`` to ``(k + 1) * videos_per_shard - 1`` of a list of ids; ``shard`` knows the
two files of each. The layout is frozen: stores are large, and outlive the version that wrote them.

Home-made around safetensors: a writer that is killed may leave an HDF5 file that nothing opens, and
Zarr has a folder for each video.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vtlearn.batch import Unreadable
from vtlearn.errors import FeatureError
from vtlearn.media.features.shard import (
    ShardRecord,
    StoredVideo,
    is_whole,
    read_shard_record,
    shard_records,
    write_shard,
)
from vtlearn.media.features.spec import FeatureSpec, read_metadata, spec_record, write_metadata
from vtlearn.media.ids import former_id, outgrown_ids
from vtlearn.media.video_shards import VideoShards, hash_ids

__all__ = ["FeatureStore"]


class FeatureStore(VideoShards):
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

    kept = "vectors"
    error = FeatureError

    def __init__(
        self,
        folder: Path,
        spec: FeatureSpec,
        ids: Sequence[str],
        *,
        videos_per_shard: int = 256,
        layout: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(folder, ids, videos_per_shard)
        self.spec = spec
        self.layout = {
            "videos": len(ids),
            "videos_per_shard": videos_per_shard,
            "ids_sha256": hash_ids(ids),
            **(layout or {}),
        }
        self._begin()

    def record(self, shard: int) -> ShardRecord:
        """See :class:`~vtlearn.media.video_shards.VideoShards`."""
        return read_shard_record(self.folder, shard)

    def is_whole(self, shard: int) -> bool:
        """See :class:`~vtlearn.media.video_shards.VideoShards`."""
        return is_whole(self.folder, shard)

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

    def _begin(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"features cannot be kept in {self.folder}: {error.strerror}. Give an empty "
                "folder, or one below which you may write"
            )
            raise FeatureError(message) from error
        if self.holds_others("features.json", ".safetensors"):
            message = f"{self.folder} holds shards, but no features.json: give another folder"
            raise FeatureError(message)
        if not (self.folder / "features.json").is_file():
            write_metadata(self.folder, self.spec, self.layout)
        spec, layout = read_metadata(self.folder)
        there, wanted = _settings(spec, layout), _settings(self.spec, self.layout)
        if _bare(spec.backbone) == _bare(self.spec.backbone):  # a class may move to another file
            wanted["backbone"] = spec.backbone
        if spec.clock == "stream":  # of a former version; what it holds is not made again
            wanted.pop("clock", None)
        if there.get("ids_sha256") != self.layout["ids_sha256"]:
            self._require_todays(str(there.get("ids_sha256")))
        self.require_settings(there, wanted)

    def _require_todays(self, ids_sha256: str) -> None:
        """Refuse a store of a former version, in which two of today's videos had one id."""
        former = list(dict.fromkeys(former_id(video_id) for video_id in self.ids))
        old = set(former) if ids_sha256 in (hash_ids(former), hash_ids(sorted(former))) else set()
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
