"""The videos of a large folder, listed once for all processes of a machine.

To list a million videos takes half a minute and a gigabyte, in each process that trains, and again
in the next training. Here one process lists them, into arrays in a file beside the captions' table;
the others map these. Whether the folder is still the same is told by the times of its folders.
"""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtlearn.datasets.files import find_videos, video_names
from vtlearn.errors import VTLearnError
from vtlearn.media.ids import VideoNames, possible_format_stem, video_stem
from vtlearn.storage.mapped import map_array
from vtlearn.storage.strings import Strings

__all__: list[str] = []

CACHE = ".vtlearn"
"""The folder beside the captions where lists are kept, as the captions' table is."""

_LARGE = 10_000  # videos; fewer are listed in no time
_RECENT = 2 * 10**9  # nanoseconds, within which a folder may change and keep its time
_DAY = 86400.0  # seconds
_TEXT = (".ts", ".mts")  # may be source code, which only the files tell


class Listing(NamedTuple):
    """The videos of a folder.

    Attributes:
        names: What each may be called.
        sources: Their files, by id, sorted by id.
    """

    names: VideoNames
    sources: Mapping[str, str]


def list_videos(folder: Path, cache: Path) -> Listing:
    """List the videos below a folder as ``find_videos`` does, or find them listed.

    Args:
        folder: Where the videos are; nothing is written there.
        cache: Where lists of many videos are kept, about 250 bytes each; where it cannot be written
            to, they are listed each time. Processes may do this at once.

    Returns:
        The videos. Of a kept list nothing is read before it is needed.

    Raises:
        ArgumentError: If a folder in it cannot be listed.
    """
    folder, cache = folder.absolute(), cache.absolute()
    kept = cache / f"videos-{_digest(os.path.relpath(folder.resolve(), cache.resolve()))}"
    for place in sorted(cache.glob(f"{kept.name}-*")):
        listing = _open(place, folder)
        if listing is not None:
            return listing
    survey = _survey(folder)
    found = find_videos(folder)
    names = video_names(folder, found)
    if len(found) == survey.videos >= _LARGE:  # or a choice was made by what is in the files
        _keep(kept, folder, found, names, survey)
    return Listing(names, {video_id: str(path) for video_id, path in found.items()})


class _Survey(NamedTuple):
    """The folders below one, when each changed last, and how many files are videos by name."""

    folders: list[str]
    states: list[tuple[int, int]]
    videos: int


def _survey(folder: Path) -> _Survey:
    """Look at a folder; of one whose list may change though no folder does, count no videos."""
    begun = time.time_ns()
    folders: list[str] = []
    states: list[tuple[int, int]] = []
    videos, is_told_by_names = 0, True
    seen: set[tuple[int, int]] = set()
    for where, below, names in os.walk(folder, followlinks=True):
        status = os.stat(where)  # noqa: PTH116 - a string, for a million folders
        if (status.st_dev, status.st_ino) in seen:  # links may lead round in circles
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.append(where)
        states.append((status.st_ino, status.st_mtime_ns))
        for name in names:
            stem = video_stem(name)
            if name.startswith(".") or stem == name:
                continue
            videos += 1
            if name.lower().endswith(_TEXT) or possible_format_stem(stem) != stem:
                is_told_by_names = False
    newest = max((state[1] for state in states), default=0)
    if not is_told_by_names or newest > begun - _RECENT:
        videos = 0
    return _Survey(folders, states, videos)


def _state(folder: str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_ino, status.st_mtime_ns


def _keep(
    kept: Path, folder: Path, found: Mapping[str, Path], names: VideoNames, survey: _Survey
) -> None:
    """Write a list into a folder that gets its name once it is whole."""
    top = len(os.fspath(folder)) + 1
    unfinished = kept.with_name(f".{kept.name}-{uuid.uuid4().hex}")
    try:
        unfinished.mkdir(parents=True)
        Strings.of(found).save(unfinished, "ids")
        Strings.of(os.fspath(path)[top:] for path in found.values()).save(unfinished, "files")
        Strings.of(names.paths[video_id] for video_id in found).save(unfinished, "names")
        below = (each[top:] for each in survey.folders)
        Strings.of(below).save(unfinished, "folders")
        (unfinished / "states").write_bytes(np.array(survey.states, "<i8").tobytes())
        for old in kept.parent.glob(f"{kept.name}-*"):
            if old.stat().st_mtime < time.time() - _DAY:  # a younger one may be another machine's
                shutil.rmtree(old, ignore_errors=True)
        unfinished.rename(kept.with_name(f"{kept.name}-{_digest(survey.states)}"))
    except OSError:  # it cannot be written to, or another process was faster
        shutil.rmtree(unfinished, ignore_errors=True)


def _open(place: Path, folder: Path) -> Listing | None:
    """Open a list, if it is whole and what it lists has not changed."""
    try:
        states = map_array(place / "states", np.int64).reshape(-1, 2)
        folders = Strings.load(place, "folders")
        for below, state in zip(folders, states.tolist(), strict=True):
            if _state(os.path.join(folder, below)) != tuple(state):  # noqa: PTH118 - a string
                return None
        ids, files, names = (Strings.load(place, name) for name in ("ids", "files", "names"))
    except (OSError, ValueError, VTLearnError):
        return None
    paths = _Column(ids, names)
    return Listing(VideoNames(paths), _Column(ids, files, f"{os.fspath(folder).rstrip('/')}/"))


def _digest(facts: object) -> str:
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


class _Column(Mapping[str, str]):
    """One string of each video, by its id."""

    def __init__(self, ids: Strings, values: Strings, prefix: str = "") -> None:
        self.ids, self.values_in_order, self.prefix = ids, values, prefix

    def __getitem__(self, video_id: str) -> str:
        try:
            return self.prefix + self.values_in_order[self.ids.index(video_id)]
        except ValueError as error:
            raise KeyError(video_id) from error

    def __contains__(self, video_id: object) -> bool:
        return video_id in self.ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def items(self) -> ItemsView[str, str]:
        return _Pairs(self)


class _Pairs(ItemsView[str, str]):
    """Pairs in their order, none of which has to be looked up."""

    def __init__(self, column: _Column) -> None:
        super().__init__(column)
        self._column = column

    def __iter__(self) -> Iterator[tuple[str, str]]:
        column = self._column
        for video_id, value in zip(column.ids, column.values_in_order, strict=True):
            yield video_id, column.prefix + value
