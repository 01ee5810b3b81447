"""The captions of a whole corpus, which all processes of a machine share.

HowTo100M's captions are 136 million: as Python lists they take tens of gigabytes, again in each of
a loader's workers. Here they are read once, into a table of plain arrays beside their source, and
mapped into memory from then on: opening takes milliseconds, and workers share every page.
"""

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vtlearn.checks import require_share
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.caption import (
    MAX_BAD_CUES,
    Caption,
    Skipped,
    Transcript,
    make_captions,
)
from vtlearn.media.captions.pseudolabels import EVERYTHING, Kept, label_files, missing_shards
from vtlearn.media.captions.sources import FileState, file_states, read_entries
from vtlearn.media.captions.table import VERSION, open_table, write_table
from vtlearn.media.video_shards import hash_ids
from vtlearn.storage.strings import Strings

__all__ = ["CaptionIndex", "open_captions"]

_LOG = logging.getLogger(__name__)
_DAY = 86400.0  # seconds
_LONGEST = 100  # bytes of a source's name that its table's has, to which a hundred are added


class CaptionIndex(Mapping[str, list[Caption]]):
    """The captions of each video of a corpus, by its id; made by :func:`open_captions`.

    Videos whose captions are damaged are in it, so that asking for one says what is wrong
    with it; ``damaged`` names them, and ``silent`` those of which nothing is said. It pickles as a
    path, and workers, forked or spawned, hold no captions of their own.

    Args:
        folder: The table.

    Raises:
        TranscriptError: If the table is not there, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table = open_table(folder)
        self._text = self._table.text.data

    @property
    def ids(self) -> Strings:
        """The videos' ids in the order of their source."""
        return self._table.ids

    @property
    def files(self) -> Strings | None:
        """The transcripts' paths below their folder, in the order of ``ids``; None for one file."""
        return self._table.files

    @property
    def languages(self) -> Strings | None:
        """What transcripts say that they are in, in the order of ``ids``; None: none says so."""
        return self._table.languages

    @property
    def source(self) -> str:
        """The name of the folder or file that the captions come from."""
        return self._table.summary.source

    @property
    def num_captions(self) -> int:
        """How many captions all videos have."""
        return self._table.summary.captions

    @cached_property
    def spans_sha256(self) -> str:
        """SHA-256 of when all captions start and end, in hexadecimal."""
        digest = hashlib.sha256()
        for array in (self._table.videos, self._table.spans):
            digest.update(array.tobytes())
        return digest.hexdigest()

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the videos' ids and all of their captions, in hexadecimal."""
        table = self._table
        digest = hashlib.sha256(hash_ids(self.ids).encode())
        for array in (table.videos, table.spans, table.cuts, table.text):
            digest.update(array.data)
        return digest.hexdigest()

    @property
    def num_left_out(self) -> int:
        """How many captions of the source are not here, since they could not be read."""
        return self._table.summary.left_out

    @property
    def num_videos_left_out(self) -> int:
        """How many videos those are of."""
        return self._table.summary.videos_left_out

    @cached_property
    def damaged(self) -> dict[str, str]:
        """What is wrong with the captions of which video."""
        reasons: dict[str, str] = json.loads(self._table.reasons.read_bytes())
        return reasons

    @cached_property
    def silent(self) -> frozenset[str]:
        """The videos that have no captions, though nothing is wrong with their transcripts."""
        videos = self._table.videos
        empty = np.flatnonzero(videos[:, 0] == videos[:, 1]).tolist()
        return frozenset(self.ids[row] for row in empty) - self.damaged.keys()

    @cached_property
    def skipped(self) -> dict[str, list[Skipped]]:
        """What was left out of which video's captions: lines, and what is wrong there."""
        of_videos: dict[str, Any] = json.loads(self._table.skipped.read_bytes())
        return {key: [Skipped(*each) for each in pairs] for key, pairs in of_videos.items()}

    def __len__(self) -> int:
        """Return how many videos there are, damaged and silent ones included."""
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        """Yield the ids in their order."""
        return iter(self.ids)

    def __contains__(self, video_id: object) -> bool:
        """Return whether there is such a video, with captions or not."""
        return video_id in self.ids

    def __getitem__(self, video_id: str) -> Transcript:
        """Return a video's captions, sorted by their start, with what was left out.

        Args:
            video_id: Its id.

        Raises:
            KeyError: If there is no such video.
            TranscriptError: If its captions are damaged, or there are none.
        """
        start, end = self._captions_of(video_id)
        begins, ends = self._table.spans[start:end].T.tolist()
        captions = make_captions(begins, ends, self._texts(start, end))
        return Transcript(captions, self.skipped.get(video_id, ()))

    def last_end(self, video_id: str) -> float:
        """Return when the last caption of a video ends.

        Args:
            video_id: Its id.

        Returns:
            Seconds from the start of the video.

        Raises:
            KeyError: If there is no such video.
            TranscriptError: If its captions are damaged, or there are none.
        """
        start, end = self._captions_of(video_id)
        return float(self._table.spans[start:end, 1].max())

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Pickle as a path."""
        return CaptionIndex, (self._folder,)

    def __repr__(self) -> str:
        """Say what it holds."""
        return f"CaptionIndex({len(self)} videos, {self.num_captions} captions)"

    def _captions_of(self, video_id: str) -> tuple[int, int]:
        """Return the first caption of a video, and the one after its last."""
        try:
            row = self.ids.index(video_id)
        except ValueError as error:
            raise KeyError(video_id) from error
        start, end = self._table.videos[row].tolist()
        if start == end:
            reason = self.damaged.get(video_id, "it holds no caption")
            message = f"{self.source} has no captions of video {video_id}: {reason}"
            raise TranscriptError(message)
        return start, end

    def _texts(self, start: int, end: int) -> list[str]:
        cuts = self._table.cuts[start : end + 1].tolist()
        first, last = cuts[0], cuts[-1]
        together = str(self._text[first:last], "utf-8", "surrogatepass")
        if len(together) == last - first:  # all ASCII: bytes are characters
            return [together[a - first : b - first] for a, b in pairwise(cuts)]
        pieces = (self._text[a:b] for a, b in pairwise(cuts))
        return [str(piece, "utf-8", "surrogatepass") for piece in pieces]


def open_captions(
    source: Path,
    *,
    cache: Path | None = None,
    progress: bool = True,
    min_score: float | None = None,
    keep: float | None = None,
    max_bad_cues: float = MAX_BAD_CUES,
) -> CaptionIndex:
    """Open the captions of a corpus; the first time, and whenever they changed, read them.

    The layouts that can be read are those of
    :func:`~vtlearn.media.captions.sources.read_entries`: a folder of transcripts, one JSON or csv
    file of all videos, a pickle, or pseudolabels.

    Args:
        source: The folder or file.
        cache: Where the table is kept, which takes about as much room as the captions; None for
            the folder ``.vtlearn`` beside the source. Processes may build it at once.
        progress: Show a progress bar while it is built.
        min_score: Of captions with scores, the lowest that is kept.
        keep: Of captions with scores, the share that is kept, those with the highest.
        max_bad_cues: The share of a video's captions that may be unreadable and are then left out;
            the captions of a video with more are damaged.

    Returns:
        The captions. How many are damaged or left out is logged.

    Raises:
        TranscriptError: If the source as a whole cannot be read.
        ArgumentError: If the cache cannot be written to, ``min_score``, ``keep`` or
            ``max_bad_cues`` is outside its range, or captions to be chosen by scores have none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     source = Path(folder, "raw_caption.json")
        ...     said = '{"nVbIUDjzWY4": {"start": [4.13], "end": [6.5], "text": ["so we"]}}'
        ...     _ = source.write_text(said)
        ...     open_captions(source, progress=False)["nVbIUDjzWY4"]
        [Caption(start=4.13, end=6.5, text='so we')]
    """
    require_share(max_bad_cues=max_bad_cues)
    source, kept = Path(source).absolute(), Kept(min_score, keep)
    cache = source.parent / ".vtlearn" if cache is None else Path(cache).absolute()
    states = file_states(source)
    _require_scores(source, kept)
    label = _label(source, cache, kept, max_bad_cues)
    folder = cache / f"{label}{_digest(VERSION, *states)}"
    index = _existing(folder)
    if index is None:
        if folder.exists():
            _LOG.warning("%s is damaged: it is built again", folder)
        options = {"progress": progress, "kept": kept, "max_bad_cues": max_bad_cues}
        _build(source, states, folder, options)
        _remove_others(folder, label)
        index = CaptionIndex(folder)
    _report(source, index)
    return index


def _label(source: Path, cache: Path, kept: Kept, max_bad_cues: float) -> str:
    """Return what the names of all tables of a source begin with, wherever both are moved."""
    way = os.path.relpath(source.resolve(), cache.resolve())
    facts = [way, *(() if kept == EVERYTHING else kept)]  # trainings may keep other shares of it
    if max_bad_cues != MAX_BAD_CUES:
        facts.append(f"{max_bad_cues=}")
    name = os.fsencode(source.resolve().name)
    shown = os.fsdecode(name) if len(name) <= _LONGEST else name[:_LONGEST].decode(errors="ignore")
    return f"captions-{shown}-{_digest(*facts)[:8]}-"


def _require_scores(source: Path, kept: Kept) -> None:
    """Refuse to choose by score among captions that have none."""
    kept.require_sense()
    if kept != EVERYTHING and source.exists() and label_files(source) is None:
        message = (
            f"min_score and keep choose captions by their scores, and {source} has none: leave "
            "them out, or give a folder that `vtlearn pseudolabel` wrote"
        )
        raise ArgumentError(message)


def _digest(*facts: object) -> str:
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def _existing(folder: Path) -> CaptionIndex | None:
    """Open a table, if it is there and whole."""
    try:
        return CaptionIndex(folder)
    except TranscriptError:
        return None


def _build(source: Path, states: list[FileState], folder: Path, options: Mapping[str, Any]) -> None:
    """Build a table in a folder of its own, which gets its name once it is whole."""
    try:
        with _unfinished(folder) as unfinished:
            table, scratch = unfinished / "table", unfinished / "scratch"
            table.mkdir()
            scratch.mkdir()
            write_table(table, source, read_entries(source, scratch, **options))
            if file_states(source) != states:
                message = f"{source} changed while it was read; open it when it is complete"
                raise TranscriptError(message)
            _move(table, folder)
    except OSError as error:
        message = (
            f"the captions of {source} are kept as a table in {folder.parent}, which cannot be "
            f"written to ({error.strerror or error}); give another folder as cache"
        )
        raise ArgumentError(message) from error


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")  # pids differ on one machine only
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _move(table: Path, folder: Path) -> None:
    """Give a table its name, unless another process was faster."""
    if folder.exists() and _existing(folder) is None:
        folder.rename(table.with_name("damaged"))  # and removed with what was unfinished
    try:
        table.rename(folder)
    except OSError:
        if _existing(folder) is None:
            raise


def _remove_others(folder: Path, label: str) -> None:
    """Remove tables of what the source was before, and what killed processes left."""
    for path in folder.parent.iterdir():
        name = path.name
        is_old = name.startswith(label) and name != folder.name
        if is_old or (name.startswith(f".{label}") and time.time() - _last_change(path) > _DAY):
            shutil.rmtree(path, ignore_errors=True)


def _last_change(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # another process has just removed it
        return time.time()


def _is_extra(index: CaptionIndex, key: str) -> bool:
    """Tell whether a damaged file stands beside a transcript, as ``<id>.info.json`` does."""
    while index.files is not None and "." in key:
        key = key.rpartition(".")[0]
        if key in index and key not in index.damaged:
            return True
    return False


def _report(source: Path, index: CaptionIndex) -> None:
    """Say in one line what of a source is not there."""
    parts: list[str] = []
    if missing := missing_shards(source):
        parts.append(f"{missing} shards are not there yet, and their videos have no captions")
    damaged = {key: reason for key, reason in index.damaged.items() if not _is_extra(index, key)}
    if damaged:
        video_id, reason = next(iter(damaged.items()))
        share = f"{len(damaged)} of {len(index)} videos"
        parts.append(f"the captions of {share} are damaged (first: {video_id}: {reason})")
    if index.num_left_out:
        video_id, skipped = next(iter(index.skipped.items()))
        share = f"{index.num_left_out} captions of {index.num_videos_left_out} videos"
        first = f"(first: {video_id}: {skipped[0].reason})"
        parts.append(f"{share} are left out, since they cannot be read {first}")
    if parts:
        _LOG.warning("%s: %s", source, "; ".join(parts))
