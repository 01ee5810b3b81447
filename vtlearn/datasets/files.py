"""Find the files of a corpus: videos however deep, and what else there has to be."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.media.ids import VideoNames, distinct_ids, video_stem
from vtlearn.unicode import escape_name

__all__ = ["find_videos", "video_names"]

_LOG = logging.getLogger(__name__)


def require_paths(corpus: str, expected: Mapping[Path, str], source: str) -> None:
    """Refuse to go on without a corpus's files.

    Args:
        corpus: Its name.
        expected: Files or folders, each with what it should hold.
        source: Where its authors publish it; empty for a user's own data.

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
            video_id: escape_name(video_stem(path.relative_to(folder).as_posix()))
            for video_id, path in found.items()
        }
    )


def why_unreadable(error: Exception) -> str:
    r"""Say why a file of text could not be read.

    Args:
        error: What was raised when it was opened, decoded or parsed.

    Example:
        >>> why_unreadable(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))
        'it is not UTF-8; save it as UTF-8'
    """
    if isinstance(error, UnicodeError):
        return "it is not UTF-8; save it as UTF-8"
    return str((isinstance(error, OSError) and error.strerror) or error)


def first_file(root: Path, names: Sequence[str], folders: Sequence[str] = ("",)) -> Path:
    """Find a file that has one of several names, in one of several folders.

    Args:
        root: The corpus's folder.
        names: Its names, those to be preferred first.
        folders: Where it may be, below ``root``.

    Returns:
        The first that is there; where none is, where the first would be.

    Example:
        >>> first_file(Path("msrvtt"), ["MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv"]).name
        'MSRVTT_JSFUSION_test.csv'
    """
    places = [root / folder / name for name in names for folder in folders]
    return next((path for path in places if path.is_file()), places[0])


def first_files(
    root: Path, alternatives: Sequence[Sequence[str]], folders: Sequence[str] = ("",)
) -> list[Path]:
    """Find the files that hold something between them, which come in several sets.

    Args:
        root: The corpus's folder.
        alternatives: The names of each set, that to be preferred first.
        folders: Where a file may be, below ``root``.

    Returns:
        What is there of the first set of which anything is; where nothing is, where the first file
        of the first set would be.

    Example:
        >>> [path.name for path in first_files(Path("m"), [["all.json"], ["a.json", "b.json"]])]
        ['all.json']
    """
    for names in alternatives:
        found = [first_file(root, [name], folders) for name in names]
        if any(path.is_file() for path in found):
            return [path for path in found if path.is_file()]
    return [first_file(root, alternatives[0][:1], folders)]


def locate_videos(folder: Path, ids: Sequence[str]) -> dict[str, Path]:
    """Find the files of some videos below a folder, however deep.

    Args:
        folder: Where they are; it need not be there.
        ids: The videos.

    Returns:
        Their files by id; where one is not there, where it might be.

    Raises:
        ArgumentError: If several files have the id of one.
    """
    found = find_videos(folder) if folder.is_dir() else {}
    names = video_names(folder, found)
    files = {video_id: names.called(escape_name(video_id)) for video_id in ids}
    twins = next((called for called in files.values() if len(called) > 1), None)
    if twins is not None:
        places = " and ".join(str(found[one]) for one in twins)
        message = f"{places} have the same id; pass videos, the folder of those to be read"
        raise ArgumentError(message)
    return {
        video_id: found[called[0]] if called else folder / f"{video_id}.mp4"
        for video_id, called in files.items()
    }


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
