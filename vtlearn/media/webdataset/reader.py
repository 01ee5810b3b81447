"""Read tar shards: samples laid end to end in large files, which disks and networks read fastest.

The layout is WebDataset's, and so img2dataset's: the members of a sample follow each other and
share a name up to the first dot, its key (``000000012.jpg``, ``000000012.txt``). An id with dots
is therefore escaped in its key, and stands in the sample's ``.json``. Reading writes nothing to
disk, and a member that would lie outside of its folder is refused all the same.

Home-made although webdataset exists: it takes a damaged or missing header for the end of a shard,
without a word, and runs a source that begins with "pipe:" as a command.
"""

import json
import tarfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from vtlearn.errors import ShardError
from vtlearn.media.ids import COMMON_SUFFIXES, VIDEO_SUFFIXES
from vtlearn.unicode import escape_bytes

__all__ = [
    "PICTURES",
    "TEXTS",
    "WANTED",
    "ShardSample",
    "read_pairs",
    "read_shard",
    "require_distinct",
    "sample_key",
]

VIDEOS = tuple(suffix[1:] for suffix in VIDEO_SUFFIXES)
PICTURES = ("jpg", "jpeg", "png", "webp")
TEXTS = ("json", "txt")
_BEFORE_PICTURES = VIDEOS[: len(COMMON_SUFFIXES)]  # "ts" may hold anything, such as times
_MEDIA = (*_BEFORE_PICTURES, *PICTURES, *VIDEOS[len(COMMON_SUFFIXES) :])
WANTED = frozenset((*VIDEOS, *PICTURES, *TEXTS))  # what trains

LARGEST = 4 << 30
"""The most bytes a member may have unless told otherwise, since it is read into memory whole."""

_BLOCK = tarfile.BLOCKSIZE


class ShardSample(NamedTuple):
    """One sample of a shard.

    Attributes:
        key: What its members are called up to the first dot, folders included.
        files: Their contents by what follows that dot, in lower case.
        unread: The members that were not asked for.
    """

    key: str
    files: dict[str, bytes]
    unread: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """What the sample is called: see :func:`sample_id`; its ``.json`` has to be read."""
        return sample_id(self.key, self.files.get("json"))

    @property
    def media(self) -> str | None:
        """The extension of the sample's video, or else of its picture; None without either."""
        return next((name for name in _MEDIA if self._has(name)), None)

    @property
    def is_pair(self) -> bool:
        """Whether there is both a video or a picture, and a text."""
        return not self.lacks

    @property
    def lacks(self) -> str:
        """What it lacks of a video or picture and a text; empty for a pair."""
        lacking = [] if any(self._has(name) for name in TEXTS) else ["text"]
        if self.media is None:
            lacking.insert(0, "video or picture")
        return " and no ".join(lacking)

    def _has(self, extension: str) -> bool:
        return extension in self.files or extension in self.unread


def read_pairs(path: Path, wanted: Collection[str] | None = None) -> Iterator[ShardSample]:
    """Read the samples of a shard that have a video or picture and a text, and no others.

    Args:
        path: The shard.
        wanted: The extensions to read; None for what trains: videos, pictures and texts.

    Yields:
        The samples in their order, as an index counts them.

    Raises:
        ShardError: As :func:`read_shard` does.
    """
    samples = read_shard(path, WANTED if wanted is None else wanted)
    return (sample for sample in samples if sample.is_pair)


def read_shard(
    path: Path, wanted: Collection[str] | None = None, *, largest: int = LARGEST
) -> Iterator[ShardSample]:
    """Read the samples of a shard, one after another.

    Args:
        path: An uncompressed tar file.
        wanted: The extensions to read; the contents of others are skipped, which costs next to
            nothing. None reads all.
        largest: The most bytes a member may have, since it is read into memory whole.

    Yields:
        The samples in their order. Members without a dot in their names belong to none.

    Raises:
        ShardError: If the shard cannot be read or is cut short; if a member has an absolute name,
            one with ``..``, or is not an ordinary file or folder; if it is too large.

    Example:
        >>> import io, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "00000.tar")
        ...     with tarfile.open(path, "w") as archive:
        ...         member = tarfile.TarInfo("000000012.txt")
        ...         member.size = 10
        ...         archive.addfile(member, io.BytesIO(b"two apples"))
        ...     list(read_shard(path))
        [ShardSample(key='000000012', files={'txt': b'two apples'}, unread=frozenset())]
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = _members(path, archive, file, largest)
            for key, group in groupby(members, key=lambda member: member.key):
                yield _sample(path, archive, key, group, wanted)
    # beside its own errors, tarfile lets some of int's and of decoding through; a long chain of
    # extended headers ends its recursion
    except (OSError, tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        message = f"{path} cannot be read as an uncompressed tar file: {reason}; download it again"
        raise ShardError(message) from error


def sample_key(video_id: str) -> str:
    """Make a key of a video's id, by escaping the dots of its last part.

    Args:
        video_id: The id.

    Returns:
        The key; different ids have different ones.

    Example:
        >>> [sample_key(video_id) for video_id in ("nVbIUDjzWY4", "lesson1/1. Intro", "50%")]
        ['nVbIUDjzWY4', 'lesson1/1%2E Intro', '50%25']
    """
    folder, slash, name = video_id.rpartition("/")
    return folder + slash + name.replace("%", "%25").replace(".", "%2E")


def sample_id(key: str, record: bytes | None) -> str:
    """Look up the id of a sample.

    Args:
        key: Its key.
        record: Its ``.json``; None where it has none.

    Returns:
        The ``id`` in the ``.json`` if the key was made of that, or else the key: other programs'
        shards may have anything there. Where the ``.json`` is damaged, what the key was made of.

    Example:
        >>> sample_id("1%2E Intro", b'{"id": "1. Intro"}'), sample_id("000000012", b'{"id": "7"}')
        ('1. Intro', '000000012')
    """
    folder, slash, name = key.rpartition("/")
    if "%" not in name or record is None:  # the key of anything else is that itself
        return key
    made_of = folder + slash + name.replace("%2E", ".").replace("%25", "%")
    if sample_key(made_of) != key:
        return key
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return made_of
    return made_of if isinstance(found, dict) and found.get("id") == made_of else key


def require_distinct(path: Path, keys: Sequence[str]) -> None:
    """Refuse a shard in which two samples have one key: nobody could tell which is meant.

    Args:
        path: The shard, for what the error says.
        keys: Its samples' keys.

    Raises:
        ShardError: If one comes twice.
    """
    if len(set(keys)) < len(keys):
        key = Counter(keys).most_common(1)[0][0]
        message = (
            f"{path} has samples {key!r} in several places; the members of a sample have to follow "
            "each other, and each sample needs a key of its own"
        )
        raise ShardError(message)


def split_member(name: str) -> tuple[str, str]:
    """Split a member's name into its sample's key and its extension, as WebDataset does.

    Returns:
        The name up to the first dot of its last part, and what follows in lower case; twice nothing
        where either is missing.

    Example:
        >>> split_member("./train/00012.seg.PNG"), split_member("train/.DS_Store")
        (('train/00012', 'seg.png'), ('', ''))
    """
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    if not stem or not extension:
        return "", ""
    return f"{folder}{slash}{stem}".removeprefix("./"), extension.lower()


def leads_outside(name: str) -> bool:
    """Tell whether a member's name would put it outside of the folder it is unpacked in.

    Example:
        >>> [leads_outside(name) for name in ("a/b.jpg", "/etc/passwd", "a/../../b", "C:b")]
        [False, True, True, True]
    """
    path = PureWindowsPath(name)  # it knows both kinds of slashes, and drives
    return bool(path.anchor) or ".." in path.parts


class _Member(NamedTuple):
    key: str
    extension: str
    info: tarfile.TarInfo


def _members(
    path: Path, archive: tarfile.TarFile, file: IO[bytes], largest: int
) -> Iterator[_Member]:
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # or it remembers every one
        _require_harmless(path, info, largest)
        key, extension = split_member(escape_bytes(info.name))
        if key and info.isreg():
            yield _Member(key, extension, info)
    # tarfile takes a damaged header for the end
    file.seek(archive.offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        message = (
            f"{path} has no end: it is damaged or cut short after {archive.offset} bytes; "
            "download it again"
        )
        raise ShardError(message)


def _require_harmless(path: Path, info: tarfile.TarInfo, largest: int) -> None:
    if leads_outside(info.name):
        wrong = "it would lie outside of its folder; unpack this file nowhere"
    elif not (info.isreg() or info.isdir()) or info.issparse():
        wrong = f"it is not an ordinary file but {_kind(info)}; unpack this file nowhere"
    elif not 0 <= info.size <= largest:
        wrong = f"it has {info.size} bytes; {largest} are the most, as it is read into memory whole"
    else:
        return
    message = f"{path} has a member {info.name!r} that is refused: {wrong}"
    raise ShardError(message)


def _kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return f"a link to {info.linkname!r}"
    return "a device" if info.isdev() else "a sparse file, or of an unknown kind"


def _sample(
    path: Path,
    archive: tarfile.TarFile,
    key: str,
    members: Iterable[_Member],
    wanted: Collection[str] | None,
) -> ShardSample:
    files: dict[str, bytes] = {}
    unread: set[str] = set()
    for _, extension, info in members:
        if extension in files or extension in unread:
            message = f"{path} has the member {info.name!r} twice in one sample"
            raise ShardError(message)
        if wanted is None or extension in wanted:
            files[extension] = _contents(archive, info)
        else:
            unread.add(extension)
    return ShardSample(key, files, frozenset(unread))


def _contents(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    if file is None:  # a folder, and those belong to no sample
        message = f"{info.name} has no contents"
        raise tarfile.ReadError(message)
    return file.read()
