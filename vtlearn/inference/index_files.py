"""The files of a search index: one of all videos, and beside it one for each that is new.

A video's file is written as soon as the video is encoded, so that an interruption loses the one in
work. At the end they are packed into one, which is mapped into memory by the next call. Each file
is whole or not there, and says of each video which file of the user's it was made of: any number of
processes may write at once, and the worst that comes of it is that a video is encoded again.
"""

import hashlib
import json
import logging
import mmap
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from vtlearn.errors import VTLearnError
from vtlearn.storage.atomic import remove_leftovers, replace_text, replacing

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_FORMAT, _VERSION = "vtlearn-search-index", "1"
_PACK, _SETTINGS, _LOOSE = "videos.safetensors", "index.json", "new"
_ABANDONED = 3600.0  # seconds after which an unfinished file is; writing one takes a few


class FileStamp(NamedTuple):
    """What tells a user's file from what it was before.

    Attributes:
        place: Its path below the searched folder, with ``/`` between the parts.
        size: Bytes; -1 where there is no file.
        mtime_ns: When it was last changed, in nanoseconds since 1970.
    """

    place: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, folder: Path, path: Path) -> Self:
        """Look at a file, or where it should be.

        Args:
            folder: The searched folder.
            path: The file, below it.
        """
        place = path.relative_to(folder).as_posix()
        try:
            status = path.stat()
        except OSError:  # a broken link, or gone since it was listed: who reads it says why
            return cls(place, -1, 0)
        return cls(place, status.st_size, status.st_mtime_ns)


class IndexedVideo(NamedTuple):
    """What is kept of one video.

    Attributes:
        stamp: The file it was made of.
        vectors: (windows, dim), float16; without rows where the video cannot be read.
        spans: Start and end of each window in seconds, (windows, 2), float64.
        stage: How far reading came, and empty where the video could be read.
        reason: Why it cannot be read.
    """

    stamp: FileStamp
    vectors: Tensor
    spans: Tensor
    stage: str = ""
    reason: str = ""


class PackedVideos(NamedTuple):
    """Videos whose vectors are one tensor.

    Attributes:
        videos: Each video, with its rows of the tensors.
        vectors: (windows, dim), float16, of all of them.
        spans: (windows, 2), float64, seconds.
    """

    videos: list[IndexedVideo]
    vectors: Tensor
    spans: Tensor

    @classmethod
    def of(cls, videos: Sequence[IndexedVideo]) -> Self:
        """Put the vectors of videos together, in their order.

        Args:
            videos: Them.
        """
        readable = [video for video in videos if len(video.vectors)]
        if not readable:
            return cls(list(videos), torch.zeros(0, 0).half(), torch.zeros(0, 2).double())
        vectors = torch.cat([video.vectors for video in readable])
        return cls(list(videos), vectors, torch.cat([video.spans for video in readable]))


class IndexFolder:
    """The folder of the index of one folder of videos, made by one model.

    Args:
        folder: Where it is; it is created if it is not there.
        settings: What it depends on, for people to read.

    Raises:
        OSError: If it cannot be written to.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        (folder / _LOOSE).mkdir(parents=True, exist_ok=True)
        if not (folder / _SETTINGS).exists():
            record = {"format": _FORMAT, **settings}
            replace_text(folder / _SETTINGS, json.dumps(record, indent=1) + "\n")

    def read(self) -> tuple[PackedVideos, dict[FileStamp, IndexedVideo]]:
        """Read what is there; what is damaged is left out, which is logged.

        Returns:
            The packed videos, and those that have not been packed yet, by stamp.
        """
        # First what is new: a file that is gone by now was packed before, and is in the other.
        new: dict[FileStamp, IndexedVideo] = {}
        for path in sorted((self.folder / _LOOSE).glob("*.safetensors")):
            new.update({video.stamp: video for video in self._read(path).videos})
        return self._read(self.folder / _PACK), new

    def find(self, stamp: FileStamp) -> IndexedVideo | None:
        """Return a video that another process has added in the meantime, if one has.

        Args:
            stamp: Its file, as it is now.
        """
        found = self._read(self._path(stamp)).videos
        return found[0] if found and found[0].stamp == stamp else None

    def add(self, video: IndexedVideo) -> None:
        """Keep a video, whole or not at all.

        Args:
            video: It.

        Raises:
            VTLearnError: If it cannot be written.
        """
        self._write(self._path(video.stamp), PackedVideos.of([video]))

    def pack(self, packed: PackedVideos, known: Iterable[FileStamp]) -> None:
        """Replace what is there by these videos.

        Args:
            packed: Them.
            known: Which videos that were added are among them, or no longer wanted.

        Raises:
            VTLearnError: If they cannot be written.
        """
        self._write(self.folder / _PACK, packed)
        for path in {self._path(stamp) for stamp in known}:
            path.unlink(missing_ok=True)
        remove_leftovers(self.folder, unused_for=_ABANDONED)

    def _path(self, stamp: FileStamp) -> Path:
        name = hashlib.sha256(os.fsencode(stamp.place)).hexdigest()[:32]
        return self.folder / _LOOSE / f"{name}.safetensors"

    def _write(self, path: Path, packed: PackedVideos) -> None:
        rows = [
            [*video.stamp, len(video.vectors), video.stage, video.reason] for video in packed.videos
        ]
        metadata = {"format": _FORMAT, "version": _VERSION, "videos": json.dumps(rows)}
        tensors = {"vectors": packed.vectors.contiguous(), "spans": packed.spans.contiguous()}
        with replacing(path) as unfinished:
            try:
                save_file(tensors, unfinished, metadata=metadata)
            except SafetensorError as error:  # which hides the system's
                message = (
                    f"the index in {self.folder} cannot be written ({error}): make room, or keep "
                    "it elsewhere by --index DIR"
                )
                raise VTLearnError(message) from error
            shutil.copymode(self.folder / _SETTINGS, unfinished)  # others may read it as well

    def _read(self, path: Path) -> PackedVideos:
        """Read a file of videos; where it is not there or damaged, there are none."""
        try:
            return _read_file(path)
        except FileNotFoundError:
            return PackedVideos.of([])
        except (ValueError, TypeError, KeyError) as error:
            _LOG.warning("%s is damaged (%s): what it held is made again", path, error)
            path.unlink(missing_ok=True)
            return PackedVideos.of([])


def _read_file(path: Path) -> PackedVideos:
    header, data = _map(path)
    metadata = header["__metadata__"]
    if (metadata["format"], metadata["version"]) != (_FORMAT, _VERSION):
        message = f"it is not {_FORMAT!r}, version {_VERSION}"
        raise ValueError(message)
    vectors = _tensor(header["vectors"], data, "F16", torch.float16)
    spans = _tensor(header["spans"], data, "F64", torch.float64)
    videos: list[IndexedVideo] = []
    first = 0
    for place, size, mtime_ns, windows, stage, reason in json.loads(metadata["videos"]):
        own = slice(first, first := first + windows)
        stamp = FileStamp(str(place), int(size), int(mtime_ns))
        videos.append(IndexedVideo(stamp, vectors[own], spans[own], stage, reason))
    if not len(vectors) == len(spans) == first:
        message = f"it has {len(vectors)} vectors and {len(spans)} spans of {first} windows"
        raise ValueError(message)
    return PackedVideos(videos, vectors, spans)


def _map(path: Path) -> tuple[dict[str, Any], memoryview]:
    """Map a file of safetensors into memory; return its header and its data.

    Not by ``safe_open``, which opens the file by its name once for each: a file that is replaced in
    between would be read by the header of another.
    """
    with path.open("rb") as file:  # privately: torch warns of memory that cannot be written
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    data = 8 + int.from_bytes(mapped[:8], "little")
    header = json.loads(bytes(mapped[8:data]))
    return header, mapped[data:]


def _tensor(entry: Mapping[str, Any], data: memoryview, kind: str, dtype: torch.dtype) -> Tensor:
    (rows, width), (first, last) = entry["shape"], entry["data_offsets"]
    count = rows * width
    if entry["dtype"] != kind or last - first != count * dtype.itemsize or last > len(data):
        message = "its data are not those that its header describes"
        raise ValueError(message)
    if not count:  # which torch refuses
        return torch.zeros(rows, width, dtype=dtype)
    return torch.frombuffer(data[first:last], dtype=dtype).view(rows, width)
