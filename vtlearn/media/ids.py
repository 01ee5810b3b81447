"""What a video is called: the one place that makes an id of a file's name.

An id is the name less its video suffix, dots and all. Where a name occurs twice below a folder,
each of these *twins* has its path as its id: ``lesson1/part1`` and ``lesson2/part1``. An id is
UTF-8, whatever bytes the name holds: see :func:`~vtlearn.unicode.escape_name`.
"""

import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence

from vtlearn.unicode import escape_name

__all__ = [
    "COMMON_SUFFIXES",
    "VIDEO_SUFFIXES",
    "VideoNames",
    "closeness",
    "distinct_ids",
    "format_stem",
    "former_id",
    "outgrown_ids",
    "path_tails",
    "possible_format_stem",
    "video_stem",
]

COMMON_SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v")
"""Of :data:`VIDEO_SUFFIXES` those that nothing but videos has, and that come first."""

VIDEO_SUFFIXES = (
    *COMMON_SUFFIXES,
    *(".mpg", ".mpeg", ".m2ts", ".ts", ".mts", ".flv", ".wmv", ".3gp", ".ogv"),
)
"""What the names of videos end with, in lower case."""

_SUFFIXES = frozenset(VIDEO_SUFFIXES)
_PROTOCOLS = "dash|hds|hls|http|https|ism|m3u8|mpd|mss|rtmp"
_FORMAT = re.compile(rf"\.f(?:\d+(?:-[A-Za-z0-9]+)*|(?:{_PROTOCOLS})[-_=][^./\s]+)$")
_ANY_FORMAT = re.compile(r"\.f[^./\s]+$")


def video_stem(path: str) -> str:
    """Take the video suffix off a name or path.

    Args:
        path: The name, with folders or without.

    Returns:
        The same less its suffix, where that is one of :data:`VIDEO_SUFFIXES` in any case.

    Example:
        >>> [video_stem(name) for name in ("a/1. Intro.MP4", "1. Intro", "a.f137.webm")]
        ['a/1. Intro', '1. Intro', 'a.f137']
    """
    stem, suffix = os.path.splitext(path)  # noqa: PTH122 - called for a million names
    return stem if suffix.lower() in _SUFFIXES else path


def format_stem(name: str) -> str:
    """Take off what yt-dlp adds to the name of one format of a video, before it merges several.

    Args:
        name: A name or path, less its suffix.

    Returns:
        The same less such an end, if it has one: a number, or what begins with a protocol.

    Example:
        >>> names = ("a/b.f137", "b.f140-drc", "b.fhls-audio-high", "b.final", "b")
        >>> [format_stem(name) for name in names]
        ['a/b', 'b', 'b', 'b.final', 'b']
    """
    return _FORMAT.sub("", name) if ".f" in name else name


def possible_format_stem(name: str) -> str:
    """Take off what yt-dlp may have added, some of whose formats are called by any word.

    Args:
        name: A name or path, less its suffix.

    Returns:
        The same less such an end, if it has one. Only what is in the files tells whether it is one.

    Example:
        >>> [possible_format_stem(name) for name in ("a/b.faudio", "b.final", "b.part1")]
        ['a/b', 'b', 'b.part1']
    """
    return _ANY_FORMAT.sub("", name) if ".f" in name else name


def distinct_ids(paths: Sequence[str]) -> list[str]:
    r"""Make an id of each path: its last part, or all of it where another ends in the same part.

    Args:
        paths: All different, below one folder, with ``/`` between their parts and no suffixes.

    Returns:
        One id per path, all different, with bytes that are not UTF-8 escaped.

    Example:
        >>> distinct_ids(["lesson1/part1", "lesson2/part1", "lesson2/part2", "caf\udce9"])
        ['lesson1/part1', 'lesson2/part1', 'part2', 'caf%E9']
    """
    paths = [escape_name(path) for path in paths]
    names = [_name(path) for path in paths]
    seen: set[str] = set()
    twins: set[str] = set()
    for name in names:
        (twins if name in seen else seen).add(name)
    return [path if name in twins else name for path, name in zip(paths, names, strict=True)]


def path_tails(path: str) -> Iterable[str]:
    """Yield a path and what is left of it without its first folders, the longest first.

    Example:
        >>> list(path_tails("/data/lesson1/part1"))
        ['data/lesson1/part1', 'lesson1/part1', 'part1']
    """
    rest = path.strip("/")
    while rest:
        yield rest
        rest = rest.partition("/")[2]


def closeness(name: str, path: str) -> tuple[int, bool]:
    """Measure how well a name fits a video's path.

    Args:
        name: What names the video, with folders or without.
        path: The video's path less its suffix.

    Returns:
        How many parts the two have in common, from the last one on, and whether they are equal; a
        larger tuple is a better fit.

    Example:
        >>> closeness("en/lesson1/part1", "lesson1/part1"), closeness("part1", "lesson1/part1")
        ((2, False), (1, False))
    """
    common = 0
    for one, other in zip(reversed(name.split("/")), reversed(path.split("/")), strict=False):
        if one != other:
            break
        common += 1
    return common, name == path


class VideoNames:
    """The videos that there are, by what they may be called.

    Args:
        paths: Their paths below their folder, less the suffix and escaped as ids are, by id; where
            only ids are known, the ids themselves.

    Example:
        >>> names = VideoNames({"lesson1/part1": "lesson1/part1", "lesson2/part1": "lesson2/part1",
        ...     "part2": "lesson1/part2"})
        >>> names.meant("videos/lesson2/part1"), names.meant("part2"), names.meant("part1")
        (['lesson2/part1'], ['part2'], ['lesson1/part1', 'lesson2/part1'])
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.paths = paths
        self._twins: dict[str, list[str]] = {}
        self._formats: dict[str, list[str]] = {}
        for video_id in paths:
            if "/" in video_id:
                self._twins.setdefault(_name(video_id), []).append(video_id)
            if ".f" in video_id and (stem := format_stem(_name(video_id))) != _name(video_id):
                self._formats.setdefault(stem, []).append(video_id)
        for name, ids in self._twins.items():
            if name in paths:  # one of them lies in the folder itself
                ids.append(name)

    def meant(self, name: str) -> list[str]:
        """Find the videos that a name means.

        Args:
            name: A video's name or path, less its suffix, as the file is called; an id that is
                escaped already is found as well.

        Returns:
            The ids of the videos of this name whose paths it fits best: none, one, or several of
            which nothing tells which is meant.
        """
        escaped = escape_name(name)
        return self._meant(escaped) or ([] if escaped == name else self._meant(name))

    def _meant(self, name: str) -> list[str]:
        ids = self.called(_name(name))
        if len(ids) < 2:
            return ids
        fits = [closeness(name, self.paths[video_id]) for video_id in ids]
        best = max(fits)
        return [video_id for video_id, fit in zip(ids, fits, strict=True) if fit == best]

    def called(self, name: str) -> list[str]:
        """Return the ids of all videos of a name, whatever their folders.

        Args:
            name: A name without folders and suffix. Where no video has it, it is that of the only
                one that has it but for the format which yt-dlp adds; or else, if it has a format
                itself, of those that have none.

        Example:
            >>> names = VideoNames({"a.f137": "a.f137", "b": "b"})
            >>> names.called("a"), names.called("b.f251")
            (['a.f137'], ['b'])
        """
        found = self._exactly(name)
        if found:
            return found
        formats = self._formats.get(name, [])
        return formats if len(formats) == 1 else self._exactly(format_stem(name))

    def _exactly(self, name: str) -> list[str]:
        return self._twins.get(name) or ([name] if name in self.paths else [])


def former_id(video_id: str) -> str:
    """Return the id that a video had in former versions: no folders, up to the first dot.

    Example:
        >>> former_id("lesson1/1. Intro")
        '1'
    """
    return _name(video_id).partition(".")[0]


def outgrown_ids(old: Container[str], ids: Iterable[str]) -> dict[str, list[str]]:
    """Find ids of former versions that several videos had.

    Args:
        old: Ids that may be of a former version.
        ids: The videos' ids of today.

    Returns:
        The ids of today that shared an old one, by the old one, where there are several.

    Example:
        >>> outgrown_ids(["1", "a"], ["1. Intro", "1. Outro", "a", "b"])
        {'1': ['1. Intro', '1. Outro']}
    """
    groups: dict[str, list[str]] = {}
    for video_id in ids:
        former = former_id(video_id)
        if former in old:
            groups.setdefault(former, []).append(video_id)
    return {former: group for former, group in groups.items() if len(group) > 1}


def _name(path: str) -> str:
    return path.rpartition("/")[2]
