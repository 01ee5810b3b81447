"""Which captions are of which video, once both are known.

A transcript belongs to the video whose name it bears, or that name and a language: to ``a.en`` and
not to ``a`` where both are there. What yt-dlp adds to a format's name counts only where nothing
is called the rest. Of videos of one name a transcript belongs to the one whose path it shares the
most of. What may be of two videos, or two transcripts of one, is left out and named.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.index import CaptionIndex
from vtlearn.media.captions.naming import (
    kind_rank,
    language_distance,
    mark_rank,
    meant_stems,
    require_language,
    transcript_stem,
)
from vtlearn.media.ids import VideoNames, closeness, format_stem
from vtlearn.storage.strings import Strings
from vtlearn.unicode import escape_name

__all__ = ["CaptionMatch", "match_captions"]


class CaptionMatch(NamedTuple):
    """Captions and the videos they are of.

    Attributes:
        keys: The id that a video's captions have in their index, by the video's id.
        collisions: Why a video has no captions although some may be its own, by the video's id.
        unclaimed: Ids of captions that are of none of the videos, one per video that is missing.

    A transcript that says nothing is not in it: its video is one without captions.
    """

    keys: dict[str, str]
    collisions: dict[str, str]
    unclaimed: list[str]


def match_captions(
    captions: CaptionIndex, videos: VideoNames, language: str | None = None
) -> CaptionMatch:
    """Find each video's captions.

    Args:
        captions: Those of a corpus. Ids in one file of all are never cut: such an id is a video's
            id, or its path.
        videos: The videos there are.
        language: The language of transcripts, such as ``en``: those of another are left out, as
            their names say, or where these say none, the transcripts themselves (what speech
            recognition writes, WebVTT's header, TTML's root); those of which nothing says come
            last. None for all.

    Returns:
        Which are whose. Of several transcripts of a video, it has the one that names its path best,
        and of these one that can be read, in the wanted language, of all that is said (which
        ``.forced`` is not), and the first in the order of
        :data:`~vtlearn.media.captions.transcripts.SUFFIXES` and of the alphabet; where two of one
        kind lie in different folders, none.

    Raises:
        ArgumentError: If a language is wanted of captions that are in one file, or it is none.
    """
    if language is not None:
        require_language(language)
    if captions.files is not None:
        return _Transcripts(captions, captions.files, videos, language).match()
    if language is not None:
        message = (
            f"language={language} chooses among transcripts, <id>.{language}.vtt, and "
            f"{captions.source} has the captions of all videos in one place: leave it out"
        )
        raise ArgumentError(message)
    return _by_id(captions, videos)


def _by_id(captions: CaptionIndex, videos: VideoNames) -> CaptionMatch:
    keys: dict[str, str] = {}
    collisions: dict[str, str] = {}
    # looking one up in the index takes much longer
    spoken = [key for key in captions if key not in captions.silent]
    known = dict(zip(spoken, spoken, strict=True))
    for key in spoken:
        if "%" in key:  # a name, where ids are escaped names
            known.setdefault(escape_name(key), key)
    claimed: set[str] = set()
    for video_id, path in videos.paths.items():
        if path in known or video_id in known:
            keys[video_id] = known[path] if path in known else known[video_id]
            claimed.add(keys[video_id])
            continue
        name = video_id.rpartition("/")[2]
        stem = format_stem(name)
        if stem != name and stem in known and videos.called(stem) == [video_id]:
            keys[video_id] = known[stem]
            claimed.add(known[stem])
            continue
        if name != video_id and name in known and name not in videos.paths:
            collisions[video_id] = (
                f"{captions.source}: the captions of {name!r} may be of "
                f"{_either(videos.called(name))}; give them the id of one"
            )
            claimed.add(known[name])
    return CaptionMatch(keys, collisions, [key for key in spoken if key not in claimed])


class _Claim(NamedTuple):
    """A transcript that may be a video's; the best one is the least."""

    distance: tuple[int, bool]
    damaged: bool
    language: int
    marks: int
    rank: int
    file: str
    row: int


class _Named(NamedTuple):
    """A transcript, and the part of its name that is a video's."""

    row: int
    stem: str


class _Transcripts:
    """The transcripts of a folder, which have to be matched by their names."""

    def __init__(
        self, captions: CaptionIndex, files: Strings, videos: VideoNames, language: str | None
    ) -> None:
        self._captions = captions
        self._language = language
        self._files = files
        self._told: Sequence[str] = captions.languages or ()
        self._videos = videos
        self._named: dict[str, list[_Named]] = {}  # those that name a video
        self._shared: dict[int, list[str]] = {}  # of which nothing tells which video they name

    def match(self) -> CaptionMatch:
        nameless: dict[str, str] = {}
        silent = self._captions.silent
        for row, (key, file) in enumerate(zip(self._captions.ids, self._files, strict=True)):
            if key not in silent and not self._claim(row, file):
                self._leave(nameless, row, file)
        keys: dict[str, str] = {}
        collisions: dict[str, str] = {}
        for video_id, named in self._named.items():
            if len(named) == 1 and named[0].row not in self._shared:  # as nearly all are
                keys[video_id] = self._captions.ids[named[0].row]
                continue
            best, *others = self._claims(video_id, named)
            problem = self._problem(video_id, best, others)
            if problem:
                collisions[video_id] = problem
            else:
                keys[video_id] = self._captions.ids[best.row]
            for other in others:
                if other.distance[0] > best.distance[0]:
                    self._leave(nameless, other.row, other.file)
        unclaimed = [key for stem, key in nameless.items() if not self._is_metadata(stem, key)]
        return CaptionMatch(keys, collisions, unclaimed)

    def _claim(self, row: int, file: str) -> bool:
        """Note which video a transcript names, or which several; tell whether there is any."""
        whole = transcript_stem(file)
        for stem in meant_stems(whole):
            meant = self._videos.meant(stem)
            if meant:
                if self._distance(row, whole.removeprefix(stem)) is None:
                    return True  # of a video that is there, in a language that is not wanted
                for video_id in meant:
                    self._named.setdefault(video_id, []).append(_Named(row, stem))
                if len(meant) > 1:
                    self._shared[row] = meant
                return True
        return False

    def _claims(self, video_id: str, named: Sequence[_Named]) -> list[_Claim]:
        """Judge the transcripts that name a video; the best one comes first."""
        path = self._videos.paths[video_id]
        return sorted(self._judged(path, each) for each in named)

    def _judged(self, path: str, named: _Named) -> _Claim:
        file, escaped = self._files[named.row], escape_name(named.stem)
        without_format, _ = closeness(format_stem(escaped), format_stem(path))
        common, equal = max(
            closeness(escaped, path), closeness(named.stem, path), (without_format, False)
        )
        rest = transcript_stem(file).removeprefix(named.stem)
        language = self._distance(named.row, rest) or 0
        damaged = self._captions.ids[named.row] in self._captions.damaged
        marks = mark_rank(rest)
        distance = (-common, not equal)
        return _Claim(distance, damaged, language, marks, kind_rank(file), file, named.row)

    def _distance(self, row: int, rest: str) -> int | None:
        """Measure how well a transcript's language fits, by its name, or else by what it says."""
        return language_distance(self._language, rest, self._told[row] if self._told else "")

    def _problem(self, video_id: str, best: _Claim, others: Sequence[_Claim]) -> str:
        """Say why it is not known which transcript is a video's; nothing where it is."""
        where = self._captions.source
        equals = [best, *(other for other in others if other.distance == best.distance)]
        for claim in equals:
            if claim.row in self._shared:
                videos = self._shared[claim.row]
                return (
                    f"{where}/{claim.file} may be of {_either(videos)}; name it by the video's "
                    f"path, such as {where}/{videos[0]}{_suffix(claim.file)}"
                )
        for claim in equals:
            if claim[:5] == best[:5] and _folder(claim.file) != _folder(best.file):
                return (
                    f"{where}/{best.file} and {where}/{claim.file} are both of {video_id}, and "
                    "nothing tells which is right; remove one"
                )
        return ""

    def _is_metadata(self, stem: str, key: str) -> bool:
        """Tell whether a file is not a transcript but stands beside a video: ``<id>.info.json``."""
        while key in self._captions.damaged and "." in stem.rpartition("/")[2]:
            stem = stem.rpartition(".")[0]
            if self._videos.meant(stem):
                return True
        return False

    def _leave(self, nameless: dict[str, str], row: int, file: str) -> None:
        """Note a transcript without a video; of several that name one, that with its id."""
        *_, shortest = meant_stems(transcript_stem(file))
        key = self._captions.ids[row]
        if shortest not in nameless or shortest in (key, f"{_folder(file)}/{key}"):
            nameless[shortest] = key


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _suffix(file: str) -> str:
    return file[len(transcript_stem(file)) :]


def _either(names: Sequence[str]) -> str:
    return " or of ".join(names)
