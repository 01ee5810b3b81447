"""The layouts that the captions of whole corpora come in, read one video after another.

What is wrong with one video's captions is noted beside its id; an error is what spoils the whole
source.
"""

import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import MetadataError, TranscriptError
from vtlearn.media.captions.caption import (
    MAX_BAD_CUES,
    Caption,
    Track,
    no_captions,
    require_most,
    validate_captions,
)
from vtlearn.media.captions.csv_corpus import group_rows
from vtlearn.media.captions.json_layouts import LAYOUTS, json_columns
from vtlearn.media.captions.json_stream import stream_object
from vtlearn.media.captions.naming import kind_rank, meant_stems, transcript_stem
from vtlearn.media.captions.pickles import load_plain
from vtlearn.media.captions.pseudolabels import EVERYTHING, Kept, label_files, read_tracks
from vtlearn.media.captions.transcripts import SUFFIXES, read_track
from vtlearn.media.ids import distinct_ids
from vtlearn.storage.progress import track
from vtlearn.storage.utf8 import decode_blocks
from vtlearn.unicode import escape_bytes, parse_json, replace_surrogates

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_BLOCK = 2**20  # bytes; what the progress bar of a file counts
_LARGEST = 2**26  # bytes of one video's captions, unpacked


class FileState(NamedTuple):
    """What tells a file from another version of it.

    Attributes:
        name: Its path inside the source; the file's own name where it is the source.
        size: In bytes.
        modified: In nanoseconds since 1970.
    """

    name: str
    size: int
    modified: int


class Entry(NamedTuple):
    """The captions of one video of a corpus.

    Attributes:
        video_id: Its id.
        track: Its captions; none where they are damaged, or where nothing is said.
        reason: What is wrong with them; empty where nothing is.
        file: The transcript's path below the source; empty where the source is one file.
    """

    video_id: str
    track: Track
    reason: str = ""
    file: str = ""


def file_states(source: Path) -> list[FileState]:
    """List the files of a source.

    Args:
        source: A file, or a folder whose transcripts are listed, however nested; what begins with
            a dot is skipped.

    Returns:
        The files, sorted by their paths.

    Raises:
        TranscriptError: If the source is not there, or cannot be listed.
    """
    try:
        return _states(source)
    except TranscriptError as error:
        message = f"{source} cannot be read as captions: {error}"
        raise TranscriptError(message) from error


def read_entries(
    source: Path,
    scratch: Path,
    *,
    progress: bool,
    kept: Kept = EVERYTHING,
    max_bad_cues: float = MAX_BAD_CUES,
) -> Iterator[Entry]:
    """Read the captions of a corpus.

    Args:
        source: A folder of transcripts, one file per video; a transcript's id is its name less its
            suffix and a language before that (its path, where a name occurs in several folders). Of
            several files of a video, the id goes to the first in the order of
            :data:`~vtlearn.media.captions.transcripts.SUFFIXES` and of the alphabet; others that
            could be a video's own, such as ``<id>.en``, are read under their whole names. Or a
            ``.json`` file ``{id: {"start": [...], "end": [...], "text": [...]}}``; a ``.csv`` file
            with the columns ``vid,timestamp,text`` (HTM-AA: the caption lasts no time) or
            ``vid,start,end,text``, in any order; or a ``.pickle`` or ``.pkl`` file that maps ids to
            such lists (HowToCaption, UniVL), or to their JSON (MMPT; bytes: packed by zlib). Or
            :mod:`~vtlearn.media.captions.pseudolabels`, a folder or a ``.jsonl`` file.
        scratch: An empty folder for temporary files.
        progress: Show a progress bar.
        kept: Which captions are kept, of those that have scores.
        max_bad_cues: The share of a video's captions that may be unreadable.

    Yields:
        One entry per video. Captions that cannot be read are left out, with the reason; a video
        with too many of them is damaged. Bytes that are not UTF-8, in a file of all videos, are
        U+FFFD in texts and escaped in ids, which is logged. An empty transcript, list or mapping,
        and a row of nothing but an id, say that a video has none. Memory does not grow with the
        source, except that a pickle is loaded whole. What yt-dlp writes about a video is left out.

    Raises:
        TranscriptError: If the source as a whole cannot be read.
    """
    try:
        for entry in _entries(source, scratch, progress=progress, kept=kept):
            if entry.video_id:
                yield _checked(entry, max_bad_cues)
            else:
                _report_nameless(source, entry)
    except TranscriptError as error:
        message = f"{source} cannot be read as captions: {error}"
        raise TranscriptError(message) from error


def _checked(entry: Entry, max_bad_cues: float) -> Entry:
    try:
        require_most(entry.track, max_bad_cues)
    except TranscriptError as error:
        where = f"{entry.file}: " if entry.file else ""
        return _damaged(entry.video_id, f"{where}{error}", entry.file)
    return entry


def _report_nameless(source: Path, entry: Entry) -> None:
    captions = len(entry.track.texts) + len(entry.track.skipped)
    if captions or entry.reason:
        what = entry.reason or f"there are {captions}"
        _LOG.warning("%s: captions that name no video are left out (%s)", source, what)


def _entries(source: Path, scratch: Path, *, progress: bool, kept: Kept) -> Iterator[Entry]:
    suffix = source.suffix.lower()
    labels = label_files(source)
    if labels is not None:
        return (_entry(*track_of) for track_of in read_tracks(labels, kept, progress=progress))
    if source.is_dir():
        return _from_folder(source, progress=progress)
    if suffix == ".json":
        return _from_json(_pieces(source, progress=progress))
    if suffix == ".csv":
        by_video = group_rows(_pieces(source, progress=progress), scratch)
        return (_entry(*columns_of) for columns_of in by_video)
    if suffix in {".pickle", ".pkl"}:
        return _from_pickle(source, progress=progress)
    message = "it is neither a folder nor a .json, .jsonl, .csv, .pickle or .pkl file"
    raise TranscriptError(message)


def _states(source: Path) -> list[FileState]:
    try:
        labels = label_files(source)
        if labels is not None:
            facts_of = [(path.name, path.stat()) for path in labels]
            return [FileState(name, one.st_size, one.st_mtime_ns) for name, one in facts_of]
        if not source.is_dir():
            facts = source.stat()
            return [FileState(source.name, facts.st_size, facts.st_mtime_ns)]
        return sorted(_below(source, ""))
    except OSError as error:
        culprit = Path(error.filename or source)
        where = "" if culprit == source else f"{culprit}: "
        way_out = " (a broken link; fix or remove it)" if culprit.is_symlink() else ""
        message = f"{where}{error.strerror}{way_out}"
        raise TranscriptError(message) from error


def _below(folder: Path, prefix: str) -> Iterator[FileState]:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _below(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.name.lower().endswith(SUFFIXES):
                facts = entry.stat()
                yield FileState(prefix + entry.name, facts.st_size, facts.st_mtime_ns)


def _entry(video_id: str, columns: Any) -> Entry:
    if isinstance(columns, (Mapping, list)) and not columns:
        return Entry(video_id, no_captions())
    try:
        return Entry(video_id, validate_captions(json_columns(columns), leave_out=True))
    except TranscriptError as error:
        return _damaged(video_id, str(error))
    except RecursionError:  # what cannot even be shown
        return _damaged(video_id, "its lists are nested too deeply")


def _damaged(video_id: str, reason: str, file: str = "") -> Entry:
    return Entry(video_id, no_captions(), reason, file)


def _from_folder(source: Path, *, progress: bool) -> Iterator[Entry]:
    files = _by_id(source, [state.name for state in _states(source)])
    videos: Iterable[tuple[str, list[str]]] = sorted(files.items())
    if progress:
        videos = track(videos, f"Indexing {source.name}", len(files))
    for video_id, names in videos:
        entries = [_from_file(source, video_id, names[0])]
        if entries[0] is None or not entries[0].track.texts:  # other files have these suffixes, too
            entries += [_from_file(source, video_id, name) for name in names[1:]]
        found = [entry for entry in entries if entry is not None]
        if found:
            yield min(found, key=lambda entry: (not entry.track.texts, bool(entry.reason)))


def _from_file(source: Path, video_id: str, name: str) -> Entry | None:
    """Read a transcript; None where a file is metadata, and nothing is wrong with it."""
    try:
        return Entry(video_id, read_track(source / name, max_bad_cues=1.0), file=name)
    except MetadataError:
        return None
    except TranscriptError as error:
        if isinstance(error.__cause__, OSError):  # of the disk: it may be there next time
            message = f"{name}: {error}"
            raise TranscriptError(message) from error.__cause__
        return _damaged(video_id, f"{name}: {error}", name)


def _by_id(source: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """Say which transcripts may be a video's, the first first, and what they are called.

    That holds as long as no video claims them.
    """
    groups: dict[str, list[str]] = {}  # what may be of one video, as far as names tell
    for name in names:
        *_, shortest = meant_stems(transcript_stem(name))
        groups.setdefault(shortest, []).append(name)
    _report_others(source, groups)
    places = {stem: names for stem, found in groups.items() for stem, names in _placed(stem, found)}
    return dict(zip(distinct_ids(list(places)), places.values(), strict=True))


def _placed(shortest: str, found: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the path that each of a video's transcripts is known by, and its files.

    Those of other languages stay: ``talk.en.vtt`` is a transcript of ``talk.mp4``, unless there is
    a ``talk.en.mp4``, which is not known here.
    """
    by_stem: dict[str, list[str]] = {}
    for name in sorted(found, key=kind_rank):
        by_stem.setdefault(transcript_stem(name), []).append(name)
    first, *others = by_stem.items()
    yield shortest, first[1]
    for stem, names in others:
        yield (names[0] if stem == shortest else stem), names


def _report_others(source: Path, files: dict[str, list[str]]) -> None:
    several = [sorted(found, key=kind_rank) for found in files.values() if len(found) > 1]
    if several:
        first, other, *_ = several[0]
        message = (
            "%s: %d videos have several files, such as %s and %s; one of each is read: in the "
            "wanted `language`, if names such as <id>.en.vtt say so, the first with captions"
        )
        _LOG.warning(message, source, len(several), first, other)


def _pieces(source: Path, *, progress: bool) -> Iterator[str]:
    """Yield a file's text in pieces; bytes that are not UTF-8 are halves of surrogate pairs."""
    try:
        with source.open("rb") as file:
            blocks: Iterable[bytes] = iter(lambda: file.read(_BLOCK), b"")
            total = -(-source.stat().st_size // _BLOCK)
            if progress:
                blocks = track(blocks, f"Indexing {source.name}, MiB", total)
            yield from decode_blocks(blocks, source)
    except UnicodeError as error:
        message = "it is not UTF-8; save it as UTF-8"
        raise TranscriptError(message) from error
    except OSError as error:
        raise TranscriptError(str(error.strerror)) from error


def _from_json(pieces: Iterator[str]) -> Iterator[Entry]:
    for video_id, columns in stream_object(pieces):
        if video_id in {*Caption._fields, *LAYOUTS} and isinstance(columns, list):
            message = "it holds captions of one video, not of many; give the folder of such files"
            raise TranscriptError(message)
        yield _entry(_id(video_id), columns)


def _id(value: Any) -> str:
    if not isinstance(value, str):
        message = f"it must map video ids, which are strings, to captions, but has {value!r:.80}"
        raise TranscriptError(message)
    return replace_surrogates(escape_bytes(value))  # the name of a file may hold any bytes


def _from_pickle(source: Path, *, progress: bool) -> Iterator[Entry]:
    videos = load_plain(source)
    if not isinstance(videos, dict):
        message = f"it must map video ids to captions, but holds a {type(videos).__name__}"
        raise TranscriptError(message)
    ids: Iterable[Any] = list(videos)
    for video_id in track(ids, f"Indexing {source.name}", len(videos)) if progress else ids:
        captions = videos.pop(video_id)  # so that memory does not hold everything twice
        try:
            columns = _unpacked(captions)
        except (TranscriptError, ValueError, RecursionError, zlib.error) as error:
            yield _damaged(_id(video_id), f"its captions cannot be unpacked: {error}")
        else:
            yield _entry(_id(video_id), columns)


def _unpacked(captions: Any) -> Any:
    """Read captions that are JSON inside, or JSON packed by zlib; an empty list of nothing."""
    if isinstance(captions, (bytes, str)) and not captions:
        return []
    if isinstance(captions, bytes):
        packed = zlib.decompressobj()
        unpacked = packed.decompress(captions, _LARGEST)
        if not packed.eof:
            message = f"they are cut off, or larger than {_LARGEST} bytes"
            raise TranscriptError(message)
        captions = unpacked.decode()
    return parse_json(captions) if isinstance(captions, str) else captions
