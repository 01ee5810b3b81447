"""What all corpora share: finding their videos, drawing samples, and living with broken files."""

import json
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np
from torch.utils.data import Dataset

from vtlearn.batch import Sample
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    LostClipsError,
    TooManyUnreadableError,
    TranscriptError,
    UnreadableVideoError,
)
from vtlearn.media.clips import ClipReader
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.ids import VideoNames, distinct_ids, video_stem
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

__all__ = [
    "Corpus",
    "SampleKey",
    "UnreadableLog",
    "UnreadableRecord",
    "clip_reader",
    "find_videos",
    "first_readable",
    "forget_unreadable",
    "generator",
    "require_paths",
    "video_names",
]

_LOG = logging.getLogger(__name__)
_RECORD = b'{"id": "'  # how a line of the quarantine file begins

SampleT = TypeVar("SampleT")


class SampleKey(NamedTuple):
    """Which sample of which epoch: all that its random choices depend on, beside the seed.

    Attributes:
        epoch: From 0.
        sample: Position in the corpus.
    """

    epoch: int
    sample: int


class Corpus(Dataset[Sample], ABC):
    """What is trained on: samples by ``SampleKey``, and an account of what could not be read.

    Attributes:
        quarantine: That account.
    """

    quarantine: "UnreadableLog"

    @abstractmethod
    def __len__(self) -> int:
        """Return how many samples an epoch has."""

    @abstractmethod
    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Draw a sample.

        Args:
            key: Which sample of which epoch; an integer is a sample of epoch 0.
        """


def generator(seed: int, key: SampleKey) -> np.random.Generator:
    """Make the generator of one sample: a function of (seed, epoch, sample) and nothing else.

    Example:
        >>> a, b = (generator(0, SampleKey(epoch=3, sample=7)).random() for _ in range(2))
        >>> a == b
        True
    """
    return np.random.default_rng((seed, key.epoch, key.sample))


def require_paths(corpus: str, expected: Mapping[Path, str], source: str) -> None:
    """Refuse to go on without a corpus's files.

    Args:
        corpus: Its name.
        expected: Files or folders, each with what it should hold.
        source: Where its authors publish it.

    Raises:
        CorpusNotFoundError: If any of them is not there; it lists all of them.
    """
    if all(path.exists() for path in expected):
        return
    lines = [
        f"{path}: {holds}{'' if path.exists() else '  (not there)'}"
        for path, holds in expected.items()
    ]
    raise CorpusNotFoundError(corpus, lines, source)


def find_videos(folder: Path) -> dict[str, Path]:
    """List the videos below a folder, however deep, by id.

    Args:
        folder: Where to look; links to folders are followed. An id is a file's name less its video
            suffix; where a name occurs in several folders, it is the path below ``folder``, less
            the suffix. Names that begin with a dot are skipped.

    Returns:
        Paths by id, sorted by id; of several files that differ in their suffix only, the first in
        alphabetical order, which is logged.

    Raises:
        ArgumentError: If a folder in it cannot be listed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("lesson1/part1.mp4", "lesson2/part1.mp4", "lesson2/1. Intro.mp4"):
        ...         Path(root, name).parent.mkdir(exist_ok=True)
        ...         Path(root, name).touch()
        ...     list(find_videos(Path(root)))
        ['1. Intro', 'lesson1/part1', 'lesson2/part1']
    """
    files: dict[str, str] = {}
    doubled = 0
    top = len(os.fspath(folder))
    for where, names in _walk(folder):
        below = where[top:].strip("/")
        for name in names:
            stem = video_stem(name)
            if stem == name or name.startswith("."):
                continue
            place = f"{below}/{stem}" if below else stem
            path = f"{where}/{name}"
            doubled += place in files
            files[place] = min(path, files.get(place, path))
    if doubled:
        _LOG.warning(
            "%s: %d files have the id of another; the first by name is taken", folder, doubled
        )
    places = _less_links(files)
    found = sorted(zip(distinct_ids(places), places, strict=True))
    return {video_id: Path(files[place]) for video_id, place in found}


def video_names(folder: Path, found: Mapping[str, Path]) -> VideoNames:
    """Say what the videos of a folder may be called.

    Args:
        folder: The folder.
        found: What :func:`find_videos` found in it.

    Returns:
        Their names.
    """
    return VideoNames(
        {
            video_id: video_stem(path.relative_to(folder).as_posix())
            for video_id, path in found.items()
        }
    )


def _less_links(files: Mapping[str, str]) -> list[str]:
    """List the places of videos; of several that are links to one file, the first."""
    twins: dict[str, list[str]] = {}
    for place in files:
        twins.setdefault(place.rpartition("/")[2], []).append(place)
    again: set[str] = set()
    for group in twins.values():
        seen: set[tuple[int, int]] = set()
        for place in sorted(group) if len(group) > 1 else ():
            try:
                status = os.stat(files[place])  # noqa: PTH116 - files are strings here
            except OSError:  # a broken link, which is found out when it is opened
                continue
            if (status.st_dev, status.st_ino) in seen:
                again.add(place)
            seen.add((status.st_dev, status.st_ino))
    return [place for place in files if place not in again]


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below one, and the names of its files, once however it is linked to."""

    def refuse(error: OSError) -> None:
        message = f"{error.filename} cannot be listed: {error.strerror}"
        raise ArgumentError(message) from error

    seen: set[tuple[int, int]] = set()
    for where, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        status = os.stat(where)  # noqa: PTH116 - a string, for a million files
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield where, names


def clip_reader(features: Path | None = None, time_budget: float | None = None) -> ClipReader:
    """Choose what clips are read by.

    Args:
        features: A feature store to look vectors up in; None to decode pixels.
        time_budget: Seconds that the clips of one video may take to decode; where given, decoding
            runs in a process that can be killed.

    Returns:
        The reader.
    """
    if features is not None:
        return FeatureReader(features)
    return VideoReader() if time_budget is None else SubprocessVideoReader(time_budget)


class UnreadableRecord(NamedTuple):
    """One line of the quarantine file.

    Attributes:
        id: The video's id.
        path: Its file.
        stage: How far reading came: ``open``, ``decode``, ``time`` or ``captions``.
        error: The exception's name.
        reason: Its words, the decoder's among them.
    """

    id: str
    path: str
    stage: str
    error: str
    reason: str

    @classmethod
    def of(cls, video_id: str, error: UnreadableVideoError | TranscriptError) -> Self:
        """Describe what happened to a video."""
        name, reason = type(error).__name__, str(error)
        if isinstance(error, UnreadableVideoError):
            return cls(video_id, str(error.args[0]), error.stage, name, reason)
        return cls(video_id, "", "captions", name, reason)


class UnreadableLog:
    """A file that names the videos that could not be read, and why; kept by all processes together.

    One line of JSON a video. Writing is an append, so that workers and processes need not know of
    each other; the count is that of the distinct ids in the file. Where processes share no disk,
    :meth:`add_all` brings together what each has met.

    Args:
        path: The file; it appears with the first unreadable video.
        ids: The corpus; other ids in the file do not count.
        max_fraction: The largest share of them that may be unreadable.

    Raises:
        ArgumentError: If that is no share.
    """

    def __init__(self, path: Path, ids: Collection[str], max_fraction: float) -> None:
        if not 0 <= max_fraction <= 1:
            message = f"max_unreadable_fraction={max_fraction} is a share, from 0 to 1"
            raise ArgumentError(message)
        self.path = path
        self.ids = ids
        self.max_fraction = max_fraction
        self._known: dict[str, UnreadableRecord] = {}
        self._damaged: set[str] = set()
        self._read_up_to = 0

    def require_writable(self) -> None:
        """See now, and not at the first bad video, that the file can be written.

        Raises:
            ArgumentError: If it cannot.
        """
        there = next(path for path in (self.path, *self.path.absolute().parents) if path.exists())
        if not os.access(there, os.W_OK) or self.path.is_dir():
            message = f"{self.path} cannot be written, where unreadable videos are to be named"
            raise ArgumentError(message)

    def add(self, video_id: str, error: UnreadableVideoError | TranscriptError) -> None:
        """Note an unreadable video.

        Args:
            video_id: Its id. A second time changes nothing.
            error: What happened.

        Raises:
            TooManyUnreadableError: If there are now more than may be.
        """
        if video_id not in self._known:
            self.add_all([UnreadableRecord.of(video_id, error)])

    def add_all(self, records: Iterable[UnreadableRecord]) -> None:
        """Note what other processes have met.

        Args:
            records: Theirs; what is known already changes nothing.

        Raises:
            TooManyUnreadableError: If there are now more than may be.
        """
        self.read()
        for record in records:
            if record.id not in self._known:
                _LOG.warning("left out: %s", record.reason)
                self._append(record)
                self._known[record.id] = record
        if len(self._known) > self.max_fraction * len(self.ids):
            raise TooManyUnreadableError(
                len(self._known), len(self.ids), self.max_fraction, str(self.path)
            )

    def log_damaged(self, video_id: str, error: LostClipsError) -> None:
        """Say, once a video, that a readable one was passed over; it stays in the corpus.

        Args:
            video_id: Its id.
            error: What happened.
        """
        if video_id not in self._damaged:
            self._damaged.add(video_id)
            _LOG.warning("passed over this time: %s", error)

    def __contains__(self, video_id: str) -> bool:
        """Whether this process knows already that a video cannot be read."""
        return video_id in self._known

    def read(self) -> dict[str, UnreadableRecord]:
        """Return what any process that shares the file has noted so far, by id."""
        if self.path.exists():
            if self.path.stat().st_size < self._read_up_to:  # another training began anew
                self._read_up_to = 0
            with self.path.open("rb") as file:
                file.seek(self._read_up_to)
                for line in file:
                    if not line.endswith(b"\n"):  # one that is being written
                        break
                    self._read_up_to += len(line)
                    record = _record(line)
                    if record is not None and record.id in self.ids:
                        self._known.setdefault(record.id, record)
        return dict(self._known)

    def _append(self, record: UnreadableRecord) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record._asdict()).encode() + b"\n"
        with self.path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            torn = size > 0 and file.read(1) != b"\n"  # a killed process left half a line
            file.write(b"\n" + line if torn else line)


def _record(line: bytes) -> UnreadableRecord | None:
    """Read a line; None for one that a killed process left unfinished."""
    try:
        return UnreadableRecord(**json.loads(line))
    except (ValueError, TypeError):
        return None


def forget_unreadable(path: Path) -> None:
    """Remove the report of an earlier training, and nothing that a user keeps under its name.

    Args:
        path: The report; it need not be there.

    Raises:
        ArgumentError: If something else is there.

    Example:
        >>> forget_unreadable(Path("absent.jsonl"))
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{path} cannot be read, where unreadable videos are named: {error.strerror}"
        raise ArgumentError(message) from error
    if not all(_is_of_a_report(line) for line in lines):
        message = (
            f"{path} is there, and is not a report of unreadable videos; move it, or give "
            "quarantine another name"
        )
        raise ArgumentError(message)
    path.unlink(missing_ok=True)


def _is_of_a_report(line: bytes) -> bool:
    """Say whether a line is a record, or the beginning of one that a killed process left."""
    try:
        content = json.loads(line)
    except ValueError:
        return line.startswith(_RECORD) or _RECORD.startswith(line)
    return content == {} or _record(line) is not None  # of an empty one nothing is lost


def first_readable(
    ids: Sequence[str],
    key: SampleKey,
    seed: int,
    quarantine: UnreadableLog,
    read: Callable[[int], SampleT],
) -> SampleT:
    """Read the sample that was drawn, or, where its video cannot be read, another in its place.

    The order in which others are tried is a function of (seed, epoch, sample), so that any number
    of workers and processes trains on the same videos.

    Args:
        ids: The corpus.
        key: Which sample.
        seed: The corpus's.
        quarantine: Takes note of what cannot be read.
        read: Makes the sample of a video, by its place in ``ids``.

    Returns:
        The first sample that could be read.

    Raises:
        TooManyUnreadableError: If more videos are unreadable than may be.
    """
    for index in _candidates(len(ids), key, seed):
        video_id = ids[index]
        if video_id in quarantine:  # it may have cost a time budget to find that out
            continue
        try:
            return read(index)
        except (UnreadableVideoError, TranscriptError) as error:
            quarantine.add(video_id, error)
        except LostClipsError as error:
            quarantine.log_damaged(video_id, error)
    total = len(ids)
    raise TooManyUnreadableError(total, total, quarantine.max_fraction, str(quarantine.path))


def _candidates(count: int, key: SampleKey, seed: int) -> Iterator[int]:
    yield key.sample
    # another stream than the sample's own, so that replacing draws nothing from it
    rng = np.random.default_rng((seed, key.epoch, key.sample, 1))
    others: Iterable[int] = rng.permutation(count)
    yield from (int(index) for index in others if index != key.sample)
