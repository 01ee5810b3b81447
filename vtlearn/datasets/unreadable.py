"""What cannot be read: one log of it for all processes, and one function that reads or goes on."""

import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import TypeVar

from vtlearn.batch import Unreadable
from vtlearn.checks import allowed_count, require_share
from vtlearn.errors import (
    ArgumentError,
    LostClipsError,
    NoCaptionsError,
    TooManyUnreadableError,
    TranscriptError,
    UnreadableVideoError,
)

__all__ = ["UnreadableLog", "forget_unreadable", "read_or_record"]

_LOG = logging.getLogger(__name__)
_RECORD = b'{"id": "'  # how a line of the file begins

ResultT = TypeVar("ResultT")


def read_or_record(
    sample_id: str,
    read: Callable[[], ResultT],
    known: MutableMapping[str, Unreadable] | None = None,
) -> ResultT | Unreadable:
    """Read a sample, or say why that cannot be done.

    Args:
        sample_id: Its id.
        read: Reads it.
        known: What could not be read before, by id; it is not tried again, since it may have cost a
            time budget to find that out. What cannot be read is added.

    Returns:
        The sample, or the record of an unreadable one.

    Example:
        >>> def read() -> str:
        ...     raise UnreadableVideoError("a.mp4", "moov atom not found")
        >>> read_or_record("a", read)
        Unreadable(id='a', path='a.mp4', stage='open', reason='moov atom not found')
    """
    if known is not None and sample_id in known:
        return known[sample_id]
    try:
        return read()
    except (UnreadableVideoError, TranscriptError) as error:
        record = Unreadable.of(sample_id, error)
    if known is not None:
        known[sample_id] = record
    return record


def read_or_replace(
    candidates: Iterable[tuple[str, Callable[[], ResultT]]], log: "UnreadableLog"
) -> Iterator[ResultT]:
    """Read samples in turn, each that cannot be read being replaced by the next.

    A file corpus takes the first result and offers the order in which others stand in for the
    sample that was drawn; a stream takes all results of what comes.

    Args:
        candidates: Ids, and what reads each.
        log: Takes note of what cannot be read.

    Yields:
        What could be read, in order.

    Raises:
        TooManyUnreadableError: If more is unreadable than may be; also where nothing at all could
            be read.
    """
    is_empty = True
    for sample_id, read in candidates:
        if sample_id in log:
            continue
        try:
            result = read_or_record(sample_id, read)
        except LostClipsError as error:  # a readable video, this time without a frame
            log.log_damaged(sample_id, error)
            continue
        except NoCaptionsError as error:
            log.log_silent(error)
            continue
        if isinstance(result, Unreadable):
            log.add(result)
            continue
        is_empty = False
        yield result
    if is_empty:
        raise log.nothing_readable()


class UnreadableLog:
    """A file that names the videos that could not be read, and why; kept by all processes together.

    One line of JSON per video. Writing is an append, so that workers and processes need not know of
    each other; the count is that of the distinct ids in the file. Where processes share no disk,
    :meth:`add_all` brings together what each has met.

    Args:
        path: The file; it appears with the first unreadable video.
        ids: The corpus; other ids in the file do not count.
        max_fraction: The largest share of them that may be unreadable; above 0 it allows one.

    Raises:
        ArgumentError: If that is not between 0 and 1.
    """

    def __init__(self, path: Path, ids: Collection[str], max_fraction: float) -> None:
        require_share(max_unreadable_fraction=max_fraction)
        self.path = path
        self.ids = ids
        self.max_fraction = max_fraction
        self._known: dict[str, Unreadable] = {}
        self._damaged: set[str] = set()
        self._has_silent = False
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

    def add(self, record: Unreadable) -> None:
        """Note an unreadable video.

        Args:
            record: What happened. A second one of the same id changes nothing.

        Raises:
            TooManyUnreadableError: If there are now more than may be.
        """
        if record.id not in self._known:
            self.add_all([record])

    def add_all(self, records: Iterable[Unreadable]) -> None:
        """Note what other processes have met.

        Args:
            records: Theirs; what is known already changes nothing.

        Raises:
            TooManyUnreadableError: If there are now more than may be.
        """
        self.read()
        for record in records:
            if record.id not in self._known:
                _LOG.warning("left out: %s", record.describe())
                self._append(record)
                self._known[record.id] = record
        if len(self._known) > allowed_count(self.max_fraction, len(self.ids)):
            raise self._too_many(len(self._known))

    def log_damaged(self, video_id: str, error: LostClipsError) -> None:
        """Say, once per video, that a readable one was skipped; it stays in the corpus.

        Args:
            video_id: Its id.
            error: What happened.
        """
        if video_id not in self._damaged:
            self._damaged.add(video_id)
            _LOG.warning("skipped this time: %s", error)

    def log_silent(self, error: NoCaptionsError) -> None:
        """Say, once, that samples without captions are skipped; they stay in the corpus.

        Args:
            error: What happened to one.
        """
        if not self._has_silent:
            self._has_silent = True
            _LOG.warning("samples without captions are skipped, such as: %s", error)

    def nothing_readable(self) -> TooManyUnreadableError:
        """Return the error to raise where nothing of the corpus could be read."""
        return self._too_many(len(self.read()) or len(self.ids))

    def __contains__(self, video_id: str) -> bool:
        """Whether this process knows already that a video cannot be read."""
        return video_id in self._known

    def read(self) -> dict[str, Unreadable]:
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

    def _too_many(self, unreadable: int) -> TooManyUnreadableError:
        total = len(self.ids)
        allowed = allowed_count(self.max_fraction, total)
        path = str(self.path)
        return TooManyUnreadableError(unreadable, total, self.max_fraction, path, allowed)

    def _append(self, record: Unreadable) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record._asdict()).encode() + b"\n"
        with self.path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            torn = size > 0 and file.read(1) != b"\n"  # a killed process left half a line
            file.write(b"\n" + line if torn else line)


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
            "unreadable_log another name"
        )
        raise ArgumentError(message)
    path.unlink(missing_ok=True)


def _record(line: bytes) -> Unreadable | None:
    """Read a line; None for one that a killed process left unfinished."""
    try:
        content = json.loads(line)
        content.pop("error", None)  # which reports of former versions have
        return Unreadable(**content)
    except (ValueError, TypeError, AttributeError):
        return None


def _is_of_a_report(line: bytes) -> bool:
    """Say whether a line is a record, or the beginning of one that a killed process left."""
    try:
        content = json.loads(line)
    except ValueError:
        return line.startswith(_RECORD) or _RECORD.startswith(line)
    return content == {} or _record(line) is not None  # of an empty one nothing is lost
