"""Find shards, and know what each holds before anything is read.

Shards of ours have an index beside them, which ``writer`` writes. Shards of others are counted,
once, and the counts are kept. Home-made although webdataset exists: it does not know how much a
shard holds, which even shares and the length of an epoch take.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.webdataset.braces import expand_braces
from vtlearn.media.webdataset.parts import part_folders
from vtlearn.media.webdataset.reader import (
    PICTURES,
    TEXTS,
    VIDEOS,
    read_pairs,
    read_shard,
    require_distinct,
)
from vtlearn.storage.atomic import replace_text
from vtlearn.storage.progress import track
from vtlearn.storage.strings import Strings

__all__ = [
    "INDEX",
    "Shard",
    "ShardEntry",
    "ShardIndex",
    "id_prefixes",
    "open_shards",
    "read_entries",
]

_LOG = logging.getLogger(__name__)

INDEX = "index.jsonl"
"""The file beside packed shards: a line of JSON about the packing, one a shard, and an end."""


class ShardEntry(NamedTuple):
    """What an index says of a shard.

    Attributes:
        shard: The file's name.
        samples: How many pairs it holds, of a video or picture and a text.
        bytes: The file's size.
        keys: The pairs' keys, in their order.
        sha256: Of the file, where we packed it.
        incomplete: Samples that are no pairs.
        modified: When the file was, in nanoseconds, where it was counted afterwards.
        ids: The pairs' ids, where any is not its key; they stand in their ``.json`` as well.
    """

    shard: str
    samples: int
    bytes: int
    keys: Sequence[str]
    sha256: str | None = None
    incomplete: int = 0
    modified: int | None = None
    ids: Sequence[str] | None = None

    def as_record(self) -> dict[str, Any]:
        """Return what an index holds of the shard: its fields, but for ``ids`` where keys do."""
        record = self._asdict()
        if self.ids is None:
            del record["ids"]
        return record

    def sample_ids(self) -> Sequence[str]:
        """Return the pairs' ids, in their order."""
        return self.keys if self.ids is None else self.ids


class Shard(NamedTuple):
    """A shard that is there and has been counted.

    Attributes:
        path: The file.
        samples: How many pairs it holds.
        prefix: What stands before a sample's key in its id; nothing where keys do not repeat.
    """

    path: Path
    samples: int
    prefix: str = ""


class ShardIndex(NamedTuple):
    """The shards of a corpus.

    Attributes:
        shards: In the order of their names, or as they were listed.
        keys: The ids of all pairs, shard by shard: mostly their keys (see
            :func:`~vtlearn.media.webdataset.reader.sample_id`), or where these repeat,
            ``<shard>/<id>``.
    """

    shards: Sequence[Shard]
    keys: Strings


def open_shards(
    source: Path | Sequence[Path], *, cache: Path | None = None, progress: bool = True
) -> ShardIndex:
    """Find shards and learn what they hold, from their index where they have one.

    Args:
        source: A folder of tar files, or of what several machines packed, the folders
            ``part-1-of-4`` and so on; one tar file, a pattern such as ``data/{00000..00012}.tar``,
            several of these joined by ``::``, or a list of them.
        cache: Where the counts of shards without an index are kept; ``.vtlearn`` beside the shards
            by default. A shard is counted again when its size or time has changed.
        progress: Whether to show a bar while counting.

    Returns:
        The shards and their samples' ids, each of which is there once: see :func:`id_prefixes`.

    Raises:
        ShardError: If there is none, one cannot be read, or one is not what its index says.
        ArgumentError: If the cache cannot be written to.

    Example:
        >>> open_shards(Path("absent"))
        Traceback (most recent call last):
            ...
        vtlearn.errors.ShardError: absent is not there: give a folder of .tar files, ...
    """
    paths = _find(source)
    entries: dict[Path, ShardEntry] = {}
    for folder in dict.fromkeys(path.parent for path in paths):
        own = [path for path in paths if path.parent == folder]
        entries |= _entries(folder, own, cache or folder / ".vtlearn", progress=progress)
    held = [entries[path].sample_ids() for path in paths]
    if not any(held):
        found = sum(entry.incomplete for entry in entries.values())
        message = (
            f"{paths[0]} and the rest of {len(paths)} shards hold no pair of a video or picture "
            f"(.{', .'.join((*VIDEOS, *PICTURES))}) and a text (.{', .'.join(TEXTS)}), but {found} "
            "samples without one or the other; the members of a sample have to follow each other"
        )
        raise ShardError(message)
    prefixes = id_prefixes(paths, chain.from_iterable(held))
    shards = [
        Shard(path, entries[path].samples, prefix)
        for path, prefix in zip(paths, prefixes, strict=True)
    ]
    ids = (shard.prefix + one for shard, own in zip(shards, held, strict=True) for one in own)
    return ShardIndex(shards, Strings.of(ids))


def id_prefixes(paths: Sequence[Path], *listings: Iterable[str]) -> list[str]:
    """Tell what each shard puts before its samples' keys, so that all ids differ.

    img2dataset numbers the samples of every data set from 0, so that keys repeat where several are
    read together. Then a sample is called after its shard too: by the file's name, with as many of
    the folders above as it takes to tell the shards apart.

    Args:
        paths: The shards, all different.
        listings: The keys of all of them. One with a key twice makes prefixes necessary.

    Returns:
        One prefix a shard; empty ones where no key repeats.

    Example:
        >>> id_prefixes([Path("/data/a/0.tar"), Path("/data/b/0.tar")], ["000", "000"])
        ['a/0.tar/', 'b/0.tar/']
        >>> id_prefixes([Path("/data/0.tar"), Path("/data/1.tar")], ["nVbIUDjzWY4", "x_9-"])
        ['', '']
    """
    if not any(_repeats(list(keys)) for keys in listings):
        return [""] * len(paths)
    parts = [path.absolute().parts for path in paths]
    depth = next(depth for depth in count(1) if not _repeats([each[-depth:] for each in parts]))
    return ["/".join(each[-depth:]) + "/" for each in parts]


def read_entries(path: Path) -> tuple[dict[str, object], list[ShardEntry], bool]:
    """Read an index.

    Args:
        path: The file.

    Returns:
        What its first line says of the packing, the shards, and whether packing was finished. A
        last line that a killed process left unfinished is skipped.

    Raises:
        ShardError: If it is no index.
    """
    head: dict[str, object] = {}
    entries: list[ShardEntry] = []
    finished = False
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if not line.endswith("\n"):
                break
            record = _record(path, number, line)
            if number == 0:
                head = record
            elif "end" in record:
                finished = True
            else:
                entries.append(_entry(path, number, record))
    return head, entries, finished


def _repeats(items: Sequence[object]) -> bool:
    return len(set(items)) < len(items)


def _find(source: Path | Sequence[Path]) -> list[Path]:
    if isinstance(source, Path):
        named = [Path(one) for part in str(source).split("::") for one in expand_braces(part)]
        paths = [path for one in named for path in _tars(one)]
    else:
        paths = [path for one in source for path in _find(Path(one))]
    if not paths:
        message = f"{source} names no shard: give a folder of .tar files, or a list of them"
        raise ShardError(message)
    return list({path.absolute(): path for path in paths}.values())  # one given in two ways is one


def _tars(path: Path) -> list[Path]:
    if not path.exists():
        message = (
            f"{path} is not there: give a folder of .tar files, one of them, or a pattern such as "
            "shards/{00000..00012}.tar"
        )
        raise ShardError(message)
    if not path.is_dir():
        return [path]
    parts = part_folders(path)
    if parts:
        return [tar for part in parts for tar in _tars(part)]
    paths = sorted({*path.glob("[!.]*.tar"), *(path / name for name in _packed(path))})
    if not paths:
        message = f"{path} holds no .tar file; `vtlearn data pack` writes some"
        raise ShardError(message)
    missing = [shard for shard in paths if not shard.exists()]
    if missing:
        message = (
            f"{missing[0]} is not there, but in {INDEX}; bring it, or name the shards "
            "to do with by a pattern"
        )
        raise ShardError(message)
    return paths


def _entries(
    folder: Path, paths: Sequence[Path], cache: Path, *, progress: bool
) -> dict[Path, ShardEntry]:
    """Look the shards of a folder up in their index; count those that are in none."""
    packed = _packed(folder)
    found = {path: packed[path.name] for path in paths if path.name in packed}
    for path, entry in found.items():
        _require_size(path, entry)
    others = [path for path in paths if path.name not in packed]
    if others:
        found |= _counted(others, _counts_file(folder, cache), progress=progress)
    return found


def _packed(folder: Path) -> dict[str, ShardEntry]:
    path = folder / INDEX
    if not path.exists():
        return {}
    _, entries, finished = read_entries(path)
    if not finished:
        message = f"{folder} was not packed to the end; the same `vtlearn data pack` resumes"
        raise ShardError(message)
    return {entry.shard: entry for entry in entries}


def _require_size(path: Path, entry: ShardEntry) -> None:
    size = path.stat().st_size
    if size != entry.bytes:
        message = f"{path} has {size} bytes, but {INDEX} says {entry.bytes}; download it again"
        raise ShardError(message)


def _counts_file(folder: Path, cache: Path) -> Path:
    """Return where the counts of a folder's shards are; others may share the cache with it."""
    way = os.path.relpath(folder.resolve(), cache.resolve())  # so that both can be moved together
    digest = hashlib.blake2b(os.fsencode(way), digest_size=8).hexdigest()
    return cache / f"shards-{digest}.jsonl"


def _counted(paths: Sequence[Path], file: Path, *, progress: bool) -> dict[Path, ShardEntry]:
    """Count the pairs of shards that have no index, unless that has been done."""
    known = {entry.shard: entry for entry in read_entries(file)[1]} if file.exists() else {}
    stale = [path for path in paths if not _is_current(path, known.get(path.name))]
    if stale:
        with _keeping(paths[0], file.parent):  # before the minutes that counting may take
            file.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=file.parent).close()
        shown = track(stale, "Counting the samples of shards") if progress else stale
        known |= {path.name: _count(path) for path in shown}
        records: list[object] = [{"format": "vtlearn counts", "version": 1}]
        records += [entry.as_record() for _, entry in sorted(known.items())]
        with _keeping(paths[0], file.parent):
            replace_text(file, "".join(json.dumps(record) + "\n" for record in records))
    found = {path: known[path.name] for path in paths}
    incomplete = sum(entry.incomplete for entry in found.values())
    if incomplete:
        message = (
            "%d of %d samples have no video or picture, or no text, and are skipped; `vtlearn data "
            "check --data Shards` names them"
        )
        whole = sum(entry.samples for entry in found.values())
        _LOG.warning(message, incomplete, incomplete + whole)
    return found


@contextmanager
def _keeping(path: Path, cache: Path) -> Iterator[None]:
    """Say of what cannot be written what it is for."""
    try:
        yield
    except OSError as error:
        message = (
            f"{path} has no {INDEX}: its samples are counted, and the counts kept in {cache}, "
            f"which cannot be written to ({error.strerror or error}); give another folder as cache"
        )
        raise ArgumentError(message) from error


def _is_current(path: Path, entry: ShardEntry | None) -> bool:
    status = path.stat()
    return entry is not None and (entry.bytes, entry.modified) == (
        status.st_size,
        status.st_mtime_ns,
    )


def _count(path: Path) -> ShardEntry:
    status = path.stat()
    samples = list(read_shard(path, ()))
    keys = [sample.key for sample in samples if sample.is_pair]
    require_distinct(path, keys)
    ids = None
    if any("%" in key for key in keys):  # they may be escaped; the others need not be read
        ids = [sample.id for sample in read_pairs(path, ("json",))]
    return ShardEntry(
        path.name,
        len(keys),
        status.st_size,
        keys,
        incomplete=len(samples) - len(keys),
        modified=status.st_mtime_ns,
        ids=None if ids == keys else ids,
    )


def _record(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or (number == 0 and record.get("version") != 1):
        message = f"{path}, line {number + 1}, is not a line of an index that this version writes"
        raise ShardError(message)
    return record


def _entry(path: Path, number: int, record: dict[str, object]) -> ShardEntry:
    try:
        return ShardEntry(**record)  # type: ignore[arg-type]
    except TypeError as error:
        message = f"{path}, line {number + 1}, does not describe a shard: {error}"
        raise ShardError(message) from error
