"""Write tar shards: whole or not there, the same bytes every time, and continued after a kill.

Home-made although webdataset has a ShardWriter, which does none of the three.
"""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.video_shards import describe_differences
from vtlearn.media.webdataset.index import INDEX, ShardEntry, read_entries
from vtlearn.media.webdataset.reader import LARGEST, leads_outside, split_member
from vtlearn.storage.atomic import remove_leftovers, replacing

__all__ = ["Content", "ShardWriter", "require_unfinished"]

Content = bytes | Path
"""What a member holds: bytes, or a file whose bytes are taken over as they are."""

_BLOCK = tarfile.BLOCKSIZE
_COPIED = 1 << 20  # bytes at a time


class _Pending(NamedTuple):
    key: str
    id: str
    files: Mapping[str, Content]
    size: int


def require_unfinished(
    folder: Path,
    *,
    max_samples: int,
    max_bytes: int,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Refuse a folder that shards cannot be written to, before what they hold is made.

    Args:
        folder: Where they are to be; made if it is not there.
        max_samples: The most samples of a shard.
        max_bytes: The most bytes of a shard.
        settings: Those of :class:`ShardWriter` that are known by now; others are not compared.

    Raises:
        ArgumentError: As :class:`ShardWriter`.
    """
    wanted = _head(max_samples, max_bytes, settings)
    with _refusing_unwritable(folder):
        there, entries = _unfinished(folder)
        _require_same(folder, {name: there.get(name) for name in wanted}, wanted, entries)
        tempfile.TemporaryFile(dir=folder).close()


class ShardWriter:
    """Lay samples into ``00000.tar``, ``00001.tar``, ..., and keep an index of them.

    A shard appears under its name when it is whole; the index gets a line for it then, and its last
    line when all is done. Where packing was interrupted, the same samples in the same order give
    the same bytes as if it had not been: ``done`` says which need not be given again.

    Args:
        folder: Where to write.
        max_samples: The most samples of a shard.
        max_bytes: The most bytes of a shard; one sample that is larger has a shard of its own.
        settings: What the samples are made of and how they are chosen, in what JSON can hold; the
            index keeps it.

    Attributes:
        done: The keys that earlier, interrupted packing brought into shards.
        entries: The shards that are whole.

    Raises:
        ArgumentError: If a limit is not positive; if shards in the folder were created with other
            limits or settings, are finished, or are others'; or if it cannot be written to.
        ShardError: While writing, if a shard cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with ShardWriter(Path(folder), max_samples=2) as writer:
        ...         for key in "abc":
        ...             writer.add(key, {"txt": b"chop the carrot"})
        ...     [(entry.shard, entry.samples) for entry in writer.entries]
        [('00000.tar', 2), ('00001.tar', 1)]
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_samples: int = 1000,
        max_bytes: int = 1_000_000_000,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._head = _head(max_samples, max_bytes, settings)
        self.folder = folder
        self.max_samples = max_samples
        self.max_bytes = max_bytes
        self.entries: list[ShardEntry] = []
        self._pending: list[_Pending] = []
        with _refusing_unwritable(folder):
            self._begin()
        self.done = {key for entry in self.entries for key in entry.keys}

    def __enter__(self) -> Self:
        """Begin; what was packed stays whatever happens."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish, unless something went wrong."""
        if error is None:
            self.finish()

    def add(self, key: str, files: Mapping[str, Content], *, video_id: str | None = None) -> None:
        """Append a sample.

        Args:
            key: Its name, without a dot in the last part.
            files: What it holds, by extension in lower case.
            video_id: Its id, where the key is
                :func:`~vtlearn.media.webdataset.reader.sample_key` of that; its ``.json`` has to
                say so too.

        Raises:
            ArgumentError: If the sample could not be read back, or its key has been there; nothing
                is written then, and others may follow.
            ShardError: If a file is not there, or the shard that is full cannot be written.
        """
        sizes = {extension: _size(content) for extension, content in files.items()}
        _require_readable(key, sizes)
        if key in self.done:
            message = f"{key!r} is packed already; each sample needs a key of its own"
            raise ArgumentError(message)
        size = sum(_BLOCK + _padded(size) for size in sizes.values())
        total = sum(sample.size for sample in self._pending) + size + 2 * _BLOCK
        if len(self._pending) == self.max_samples or total > self.max_bytes:
            self._write()
        self._pending.append(_Pending(key, key if video_id is None else video_id, files, size))
        self.done.add(key)

    def finish(self) -> None:
        """Write the last shard and the end of the index."""
        self._write()
        samples = sum(entry.samples for entry in self.entries)
        self._note({"end": True, "shards": len(self.entries), "samples": samples})

    def _begin(self) -> None:
        there, self.entries = _unfinished(self.folder)
        _require_same(self.folder, there, self._head, self.entries)
        if there:
            remove_leftovers(self.folder)
            self._continue(self.folder / INDEX)
        else:
            self._note(self._head)

    def _continue(self, index: Path) -> None:
        """Drop the line that a killed process left unfinished, and resume after the last shard."""
        for entry in self.entries:
            path = self.folder / entry.shard
            if not path.exists() or path.stat().st_size != entry.bytes:
                message = f"{path} is not what {INDEX} says; remove {self.folder} and start again"
                raise ArgumentError(message)
        with replacing(index) as unfinished:
            lines = [self._head, *(entry.as_record() for entry in self.entries)]
            unfinished.write_text("".join(map(_line, lines)), encoding="utf-8")

    def _write(self) -> None:
        if not self._pending:
            return
        path = self.folder / f"{len(self.entries):05d}.tar"
        try:
            with replacing(path) as unfinished, unfinished.open("wb") as file:
                sha256 = _write_tar(file, self._pending)
                size = file.tell()
            keys = [sample.key for sample in self._pending]
            ids = [sample.id for sample in self._pending]
            entry = ShardEntry(
                path.name, len(keys), size, keys, sha256, ids=None if ids == keys else ids
            )
            self._note(entry.as_record())
        except OSError as error:  # a video that is gone or shorter by now, or a full disk
            message = f"{path} cannot be written: {error}"
            raise ShardError(message) from error
        self.entries.append(entry)
        self._pending = []

    def _note(self, record: Mapping[str, Any]) -> None:
        with (self.folder / INDEX).open("a", encoding="utf-8") as file:
            file.write(_line(record))


def _head(
    max_samples: int, max_bytes: int, settings: Mapping[str, Any] | None
) -> dict[str, object]:
    """Return the first line of an index; refuse limits that make no sense."""
    if max_samples < 1 or max_bytes < 1:
        message = f"max_samples={max_samples} and max_bytes={max_bytes} have to be 1 or more"
        raise ArgumentError(message)
    limits = {"max_samples": max_samples, "max_bytes": max_bytes}
    return {"format": "vtlearn shards", "version": 1, **limits, **(settings or {})}


@contextmanager
def _refusing_unwritable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = (
            f"{folder} cannot be written to ({error.strerror or error}); choose another folder for "
            "the shards"
        )
        raise ArgumentError(message) from error


def _unfinished(folder: Path) -> tuple[dict[str, object], list[ShardEntry]]:
    """Return the settings and shards of interrupted packing; make the folder where there is none.

    Raises:
        ArgumentError: If packing was finished, or the shards are others'.
    """
    index = folder / INDEX
    if not index.exists():
        first = next(folder.glob("*.tar"), None)
        if first is not None:
            message = f"{first} is there, but no {INDEX}; choose another folder for the shards"
            raise ArgumentError(message)
        folder.mkdir(parents=True, exist_ok=True)
        return {}, []
    there, entries, finished = read_entries(index)
    if finished:
        message = f"{folder} holds finished shards; choose another folder, or remove it"
        raise ArgumentError(message)
    return there, entries


def _require_same(
    folder: Path,
    there: Mapping[str, object],
    wanted: Mapping[str, object],
    entries: Sequence[ShardEntry],
) -> None:
    """Refuse to continue shards that were created with other settings."""
    differences = describe_differences(there, wanted)
    if entries and differences:
        message = (
            f"the shards in {folder} were created with other settings: {differences}. Resume with "
            "the same settings, or choose another folder"
        )
        raise ArgumentError(message)


class _Hashing(io.RawIOBase):
    """A file to write to that hashes what goes through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()


def _write_tar(file: IO[bytes], samples: Sequence[_Pending]) -> str:
    """Write a tar file and return the SHA-256 of its bytes."""
    sink = _Hashing(file)
    with tarfile.open(fileobj=sink, mode="w:", copybufsize=_COPIED) as archive:  # type: ignore[call-overload]
        for sample in samples:
            for extension, content in sorted(sample.files.items()):
                _append(archive, f"{sample.key}.{extension}", content)
    return sink.sha256.hexdigest()


def _append(archive: tarfile.TarFile, name: str, content: Content) -> None:
    member = tarfile.TarInfo(name)  # its time, owner and group are 0
    member.mode = 0o644
    member.size = _size(content)
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        archive.addfile(member, file)


def _size(content: Content) -> int:
    if isinstance(content, bytes):
        return len(content)
    try:
        return content.stat().st_size
    except OSError as error:
        message = f"{content} cannot be packed: {error.strerror}"
        raise ShardError(message) from error


def _require_readable(key: str, sizes: Mapping[str, int]) -> None:
    """Refuse what the reader would refuse."""
    named = all(split_member(f"{key}.{each}") == (key, each) for each in sizes)
    if not sizes or not named or leads_outside(key):
        message = (
            f"a sample {key!r} of {sorted(sizes)} could not be read back: the last part of a key "
            "has no dot, it leads nowhere outside, and extensions are in lower case"
        )
        raise ArgumentError(message)
    extension = max(sizes, key=sizes.__getitem__)
    if sizes[extension] > LARGEST:
        message = (
            f"a sample {key!r} could not be read back: its .{extension} has {sizes[extension]} "
            f"bytes; {LARGEST} are the most, as it is read into memory whole"
        )
        raise ArgumentError(message)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"
