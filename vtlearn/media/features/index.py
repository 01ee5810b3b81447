"""Where each video of a store of features is: tables on disk that all processes share."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vtlearn.errors import FeatureError, VTLearnError
from vtlearn.media.features.shard import VideoRecord, read_shard_record, shard_records
from vtlearn.media.features.spec import FeatureSpec, num_vectors
from vtlearn.storage.progress import track
from vtlearn.storage.strings import Strings

__all__: list[str] = []

_CACHE = ".vtlearn"
_IDS, _TABLE, _UNREADABLE = "ids", "videos.npy", "unreadable.json"
_ROW = np.dtype(
    [
        ("shard", np.int32),
        ("vectors", np.int64),
        ("duration", np.float64),
        ("first", np.float64),
    ]
)
_MANY = 100  # shards from which on a bar shows how far their indexing has come
_UNFINISHED, _LEFT = ".unfinished-", 86400  # seconds after which such a folder is nobody's
_STORED = {"F16": "float16", "F32": "float32"}


class FeatureIndex(NamedTuple):
    """The videos of a store; no Python object a video.

    Attributes:
        ids: Their ids, shard by shard.
        table: (videos,): ``shard``, ``vectors``, ``duration`` and ``first`` of each: how long it is
            and when its first frame is shown, in seconds.
        unreadable: Why other videos have no vectors, by id.
    """

    ids: Strings
    table: NDArray[np.void]
    unreadable: dict[str, dict[str, str]]

    def save(self, folder: Path) -> None:
        """Write it to a folder.

        Args:
            folder: An empty one.
        """
        self.ids.save(folder, _IDS)
        np.save(folder / _TABLE, self.table)
        (folder / _UNREADABLE).write_text(json.dumps(self.unreadable), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map one that was saved into memory.

        Args:
            folder: Where it is.

        Raises:
            EOFError, OSError, ValueError, VTLearnError: If it is damaged, or not there any more.
        """
        table: NDArray[np.void] = np.load(folder / _TABLE, mmap_mode="r")
        reasons = json.loads((folder / _UNREADABLE).read_text(encoding="utf-8"))
        ids = Strings.load(folder, _IDS)
        if table.dtype != _ROW or table.shape != (len(ids),) or not isinstance(reasons, dict):
            message = f"the files in {folder} do not belong together"
            raise ValueError(message)
        return cls(ids, table, reasons)


def open_index(folder: Path, spec: FeatureSpec, layout: dict[str, Any]) -> FeatureIndex:
    """Open a store's index, building it first where there is none or the shards are others now.

    It is kept below ``.vtlearn`` in the store; where nobody may write there, in memory. Any number
    of processes may open a store at once, the first time as well.

    Args:
        folder: The store.
        spec: What its vectors are.
        layout: What its metadata file says of its shards.

    Returns:
        The index.

    Raises:
        FeatureError: If the store is unfinished, a shard is damaged, or does not hold what the
            metadata file and its own record say.
    """
    shards = list(shard_records(folder))
    _require_all(folder, shards, layout)
    home = folder / _CACHE / _key(shards, spec)
    known = _loaded(home)
    if known is not None:
        return known
    index = _build(folder, spec, [number for number, _ in shards])
    with suppress(OSError):  # the store may be read-only, or another process may have been faster
        _keep(index, home)
    kept = _loaded(home)
    return index if kept is None else kept


def _require_all(folder: Path, shards: Sequence[tuple[int, Path]], layout: dict[str, Any]) -> None:
    if not shards:
        message = f"{folder} has no whole shard yet: run the command that fills it to its end"
        raise FeatureError(message)
    if "videos" in layout and "videos_per_shard" in layout:
        wanted = -(-int(layout["videos"]) // int(layout["videos_per_shard"]))
        if len(shards) != wanted:
            message = (
                f"{folder} has {len(shards)} of its {wanted} shards: run the command that fills it "
                "once more, it resumes"
            )
            raise FeatureError(message)


def _key(shards: Sequence[tuple[int, Path]], spec: FeatureSpec) -> str:
    digest = hashlib.sha256(repr(spec).encode())
    for number, path in shards:
        for file in (path, path.with_suffix(".safetensors")):
            try:
                stat = file.stat()
            except FileNotFoundError as error:
                message = f"{file} is missing: remove its .json, and fill the store again"
                raise FeatureError(message) from error
            digest.update(f"{number} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _build(folder: Path, spec: FeatureSpec, shards: Sequence[int]) -> FeatureIndex:
    rows: list[NDArray[np.void]] = []
    unreadable: dict[str, dict[str, str]] = {}
    seen: dict[str, int] = {}
    for shard in track(shards, "Indexing features") if len(shards) >= _MANY else shards:
        record = read_shard_record(folder, shard)
        _check_shard(folder, shard, record.videos, spec)
        for video_id in record.videos:
            if seen.setdefault(video_id, shard) != shard:
                message = f"{folder}: {video_id} is in shards {seen[video_id]:05d} and {shard:05d}"
                raise FeatureError(message)
        entries = [
            (shard, video.vectors, video.duration, video.first) for video in record.videos.values()
        ]
        rows.append(np.array(entries, _ROW))
        unreadable |= record.unreadable
    return FeatureIndex(Strings.of(seen), np.concatenate(rows), unreadable)


def _check_shard(
    folder: Path, shard: int, videos: dict[str, VideoRecord], spec: FeatureSpec
) -> None:
    """Hold a shard's tensors against its record, and both against the metadata file."""
    path = folder / f"{shard:05d}.safetensors"
    stored = {video_id: (shape, dtype) for video_id, shape, dtype in _tensors(path)}
    if stored.keys() != videos.keys():
        odd = sorted(stored.keys() ^ videos.keys())
        message = (
            f"{path} and its .json are of other videos, {len(odd)} of them, the first {odd[0]}"
        )
        raise FeatureError(message)
    for video_id, video in videos.items():
        expected = num_vectors(video.duration, spec.fps)
        if video.vectors != expected:
            message = (
                f"{path}: {video_id} has {video.vectors} vectors, but lasts {video.duration} s, "
                f"which makes {expected} at fps={spec.fps}. One of the two is wrong"
            )
            raise FeatureError(message)
        if stored[video_id] != ([video.vectors, spec.dim], spec.dtype):
            shape, dtype = stored[video_id]
            message = (
                f"{path}: {video_id} is {tuple(shape)} of {dtype}; features.json and the shard's "
                f".json say ({video.vectors}, {spec.dim}) of {spec.dtype}"
            )
            raise FeatureError(message)


def _tensors(path: Path) -> Iterator[tuple[str, list[int], str]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                entry = file.get_slice(name)
                kind = entry.get_dtype()
                yield name, entry.get_shape(), _STORED.get(kind, kind)
    except (OSError, SafetensorError) as error:
        message = f"{path} is damaged or missing: {error}. Remove its .json, fill the store again"
        raise FeatureError(message) from error


def _loaded(home: Path) -> FeatureIndex | None:
    """Map an index; None where there is none that is whole, as after a power cut."""
    try:
        return FeatureIndex.load(home)
    except (EOFError, OSError, ValueError, VTLearnError):
        return None


def _keep(index: FeatureIndex, home: Path) -> None:
    """Save an index whole or not at all; of two processes that do so at once, one wins."""
    home.parent.mkdir(exist_ok=True)
    unfinished = home.parent / f"{_UNFINISHED}{uuid4().hex}"
    unfinished.mkdir()
    try:
        index.save(unfinished)
        _sync(unfinished)
        if _loaded(home) is not None:  # another process was faster, and may be at work with it
            return
        if home.is_dir():  # damaged: it is moved away at once, since no folder replaces a full one
            shutil.rmtree(home.replace(home.parent / f"{_UNFINISHED}{uuid4().hex}"))
        unfinished.replace(home)
        _remove_old(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Have the disk write files, which their folder's name says are whole."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _remove_old(home: Path) -> None:
    """Remove the indices of what the shards were before, and what was left half-written."""
    for old in home.parent.iterdir():
        unfinished = old.name.startswith(_UNFINISHED)
        if unfinished and old.stat().st_mtime > time.time() - _LEFT:
            continue
        if old != home and (unfinished or not old.name.startswith(".")):
            shutil.rmtree(old, ignore_errors=True)
