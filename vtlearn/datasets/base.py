"""What all corpora share: finding their videos, drawing samples, and living with broken files."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from vtlearn.errors import (
    CorpusNotFoundError,
    TooManyUnreadableError,
    TranscriptError,
    UnreadableVideoError,
)

__all__ = ["Draw", "Quarantine", "find_videos", "first_readable", "generator", "require_paths"]

_LOG = logging.getLogger(__name__)
_SUFFIXES = frozenset({".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v"})

SampleT = TypeVar("SampleT")


class Draw(NamedTuple):
    """Which sample of which epoch: all that its random choices depend on, beside the seed.

    Attributes:
        epoch: From 0.
        sample: Position in the corpus.
    """

    epoch: int
    sample: int


def generator(seed: int, draw: Draw) -> np.random.Generator:
    """Make the generator of one sample: a function of (seed, epoch, sample) and nothing else.

    Example:
        >>> a, b = (generator(0, Draw(epoch=3, sample=7)).random() for _ in range(2))
        >>> a == b
        True
    """
    return np.random.default_rng((seed, draw.epoch, draw.sample))


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
        folder: Where to look. An id is a file's name up to the first dot.

    Returns:
        Paths by id, sorted by id; of several files with one id the first in alphabetical order.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _SUFFIXES:
            found.setdefault(path.name.split(".", 1)[0], path)
    return dict(sorted(found.items()))


class Quarantine:
    """A file that names the videos that could not be read, and why; kept by all processes together.

    One line of JSON a video. Writing is an append, so that workers and processes need not know of
    each other; the count is that of the distinct ids in the file.

    Args:
        path: The file; it appears with the first unreadable video.
        ids: The corpus; other ids in the file do not count.
        max_fraction: The largest share of them that may be unreadable.
    """

    def __init__(self, path: Path, ids: Collection[str], max_fraction: float) -> None:
        self.path = path
        self.ids = frozenset(ids)
        self.max_fraction = max_fraction
        self._known: set[str] = set()

    def add(self, video_id: str, error: Exception) -> None:
        """Note an unreadable video.

        Args:
            video_id: Its id. A second time changes nothing.
            error: What happened.

        Raises:
            TooManyUnreadableError: If there are now more than may be.
        """
        if video_id in self._known:
            return
        self._known |= self.read().keys() & self.ids
        if video_id not in self._known:
            _LOG.warning("left out: %s", error)
            self._append({"id": video_id, "error": type(error).__name__, "reason": str(error)})
        self._known.add(video_id)
        if len(self._known) > self.max_fraction * len(self.ids):
            raise TooManyUnreadableError(
                len(self._known), len(self.ids), self.max_fraction, str(self.path)
            )

    def read(self) -> dict[str, str]:
        """Return the reason for each id that any process has noted so far."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines if line.endswith("}")]  # not one cut short
        return {record["id"]: record["reason"] for record in records}

    def _append(self, record: Mapping[str, str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def first_readable(
    ids: Sequence[str],
    draw: Draw,
    seed: int,
    quarantine: Quarantine,
    read: Callable[[str], SampleT],
) -> SampleT:
    """Read the sample that was drawn, or, where its video cannot be read, another in its place.

    The order in which others are tried is a function of (seed, epoch, sample), so that any number
    of workers and processes trains on the same videos.

    Args:
        ids: The corpus.
        draw: Which sample.
        seed: The corpus's.
        quarantine: Takes note of what cannot be read.
        read: Makes the sample of a video id.

    Returns:
        The first sample that could be read.

    Raises:
        TooManyUnreadableError: If more videos are unreadable than may be.
    """
    for index in _candidates(len(ids), draw, seed):
        try:
            return read(ids[index])
        except (UnreadableVideoError, TranscriptError) as error:
            quarantine.add(ids[index], error)
    total = len(ids)
    raise TooManyUnreadableError(total, total, quarantine.max_fraction, str(quarantine.path))


def _candidates(count: int, draw: Draw, seed: int) -> Iterator[int]:
    yield draw.sample
    # another stream than the sample's own, so that replacing draws nothing from it
    rng = np.random.default_rng((seed, draw.epoch, draw.sample, 1))
    others: Iterable[int] = rng.permutation(count)
    yield from (int(index) for index in others if index != draw.sample)
