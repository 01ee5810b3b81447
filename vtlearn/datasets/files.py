"""Find the files of a corpus: videos however deep, and what else there has to be."""

import logging
import os
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.media.ids import (
    COMMON_SUFFIXES,
    VideoNames,
    distinct_ids,
    format_stem,
    possible_format_stem,
    video_stem,
)
from vtlearn.media.video.probing import has_picture
from vtlearn.media.video.sound import SOUND_SUFFIXES
from vtlearn.unicode import escape_name

__all__ = ["find_videos", "video_names"]

_LOG = logging.getLogger(__name__)
_SOURCE_CODE = (".ts", ".mts")  # of TypeScript, where it is text
_BEGINNING = 512  # bytes
_CONTROLS = frozenset(range(32)) - set(b"\t\n\f\r")


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
            the suffix. Names that begin with a dot are skipped, and so is TypeScript, that is, text
            in a ``.ts``.

    Returns:
        Paths by id, sorted by id; of several files that differ in their suffix only, the first in
        alphabetical order that has a picture, those of common formats (MP4, WebM, MKV, AVI, MOV)
        first. Formats that yt-dlp left unmerged beside one another (``a.f251.webm``, which is sound
        only, and ``a.f399.mp4``) are one video ``a``: the file with the picture, unless ``a.mp4``
        is there as well; formats are called by numbers, by protocols (``a.fhls-720.mp4``), or by
        any word if exactly one of the files has a picture, and the others sound. Both are logged.

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
    others: dict[str, list[str]] = {}
    sounds: set[str] = set()
    top = len(os.fspath(folder))
    for where, names in _walk(folder):
        below = where[top:].strip("/")
        for name in names:
            stem = video_stem(name)
            place = f"{below}/{stem}" if below else stem
            if name.startswith("."):
                continue
            if stem == name or _is_source_code(where, name):
                sounds.update(_unmerged_sound(place))
            elif place in files:
                others.setdefault(place, []).append(f"{where}/{name}")
            else:
                files[place] = f"{where}/{name}"
    _choose(folder, files, others)
    _merge_formats(folder, files, sounds)
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
            video_id: _renamed(
                escape_name(video_stem(path.relative_to(folder).as_posix())), video_id
            )
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


def _choose(folder: Path, files: dict[str, str], others: Mapping[str, list[str]]) -> None:
    """Choose the file of each place that has several."""
    for place, paths in others.items():
        files[place] = _first_with_picture(sorted([files[place], *paths], key=_preference))
    if others:
        _LOG.warning(
            "%s: %d files have the id of another; the first by name that has a picture is taken",
            folder,
            sum(map(len, others.values())),
        )


def _preference(path: str) -> tuple[bool, str]:
    return not path.lower().endswith(COMMON_SUFFIXES), path


def _is_source_code(folder: str, name: str) -> bool:
    """Tell whether a file is TypeScript, or other text that is called like a video's stream."""
    if not name.lower().endswith(_SOURCE_CODE):
        return False
    try:
        with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 - files are strings here
            beginning = file.read(_BEGINNING)
    except OSError:  # which is found out when it is opened
        return False
    return bool(beginning) and _CONTROLS.isdisjoint(beginning)


def _merge_formats(folder: Path, files: dict[str, str], sounds: Container[str]) -> None:
    """Make one video of the formats of one that stand beside each other, if one has a picture."""
    formats: dict[str, list[str]] = {}
    for place in files:
        stem = possible_format_stem(place)
        if stem != place:
            formats.setdefault(stem, []).append(place)
    merged: list[str] = []
    for stem, places in formats.items():
        named = [place for place in places if format_stem(place) == stem]
        own, film = named, _numbered_film(files, named, has_sound=_is_sound(stem, files, sounds))
        if film is None:
            own, film = places, _only_film(files, places)
        if film is None:
            continue  # videos of their own, whose names happen to end like this
        merged += own
        shown = files[film]
        files[stem] = _first_with_picture([files[stem], shown]) if stem in files else shown
    for place in merged:
        del files[place]
    if merged:
        _LOG.warning(
            "%s: %d files are formats that yt-dlp has left unmerged (first: %s); of each video "
            "the file with the picture is taken",
            folder,
            len(merged),
            merged[0],
        )


def _is_sound(stem: str, files: Mapping[str, str], sounds: Container[str]) -> bool:
    """Tell whether there is sound beside the formats of a video."""
    return stem in sounds or (stem in files and has_picture(files[stem]) is False)


def _numbered_film(
    files: Mapping[str, str], places: Sequence[str], *, has_sound: bool
) -> str | None:
    """Return the first of formats called by numbers that has a picture.

    None where there is no sound beside it, or no such format: then they are parts of a film.
    """
    if len(places) + has_sound < 2:
        return None
    pictures = {place: has_picture(files[place]) for place in sorted(places)}
    films = [place for place, found in pictures.items() if found is not False]
    return films[0] if films and (has_sound or len(films) < len(places)) else None


def _only_film(files: Mapping[str, str], places: Sequence[str]) -> str | None:
    """Return the one of several files that has a picture; None unless the others are sound."""
    films: list[str] = []
    for place in places:
        found = has_picture(files[place])
        films += [place] if found else []
        if found is None or len(films) > 1:  # of many files few need be opened
            return None
    return films[0] if films and len(places) > 1 else None


def _first_with_picture(paths: Sequence[str]) -> str:
    """Return the first file that has a picture; or else that may have one, or else any."""
    unclear: list[str] = []
    for path in paths:
        found = has_picture(path)
        if found:
            return path
        if found is None:
            unclear.append(path)
    return [*unclear, *paths][0]


def _unmerged_sound(place: str) -> list[str]:
    """Return the place of the video that a file of sound is a format of, if it is one."""
    stem, suffix = os.path.splitext(place)  # noqa: PTH122 - called for a million names
    video = format_stem(stem)
    return [video] if suffix.lower() in SOUND_SUFFIXES and video != stem else []


def _renamed(path: str, video_id: str) -> str:
    """Give a path the name of an id, which may lack the format that a file's name has."""
    return f"{path[: path.rfind('/') + 1]}{video_id.rpartition('/')[2]}"


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
