"""The files that the captions of a corpus are kept in: arrays of numbers, and one text.

A table is a folder. Row ``v`` of ``videos`` says which captions are the video's, row ``c`` of
``spans`` when a caption starts and ends, and ``cuts[c]`` to ``cuts[c + 1]`` which bytes of ``text``
it says. ``ids``, the transcripts' ``files`` where there is one per video, and what is wrong with
whom stand beside them, and ``meta.json``, written last, how many bytes each file has.

Plain arrays, though Arrow, HDF5 and LMDB exist: numpy maps them, so no worker imports another
library, and all of them share the pages.
"""

import json
from array import array
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Track
from vtlearn.media.captions.sources import Entry
from vtlearn.storage.mapped import map_array
from vtlearn.storage.strings import Strings

__all__: list[str] = []

VERSION = 5
"""Of the files' layout; another one is built again."""


class Summary(NamedTuple):
    """What a table holds.

    Attributes:
        source: The name of what it was built from.
        captions: How many captions it has.
        left_out: How many it has not, since they could not be read.
        videos_left_out: How many videos those are of.
    """

    source: str
    captions: int
    left_out: int
    videos_left_out: int


class CaptionTable(NamedTuple):
    """The captions of a corpus, mapped into memory.

    Attributes:
        summary: What it holds.
        ids: The videos' ids.
        videos: The first caption of each video and the one after its last, (videos, 2), int64.
        spans: Start and end in seconds, (captions, 2), float64.
        cuts: Where the captions' texts begin and the last one ends, (captions + 1,), int64.
        text: All texts, one after another, in UTF-8.
        reasons: What is wrong with the captions of which video; these have none in the table.
        skipped: What was left out of which video's captions, as pairs of a line and the reason.
        files: The transcripts' paths below the source; None where the source is one file.
        languages: What the transcripts themselves say that they are in, empty where they do not;
            None where none says so.
    """

    summary: Summary
    ids: Strings
    videos: NDArray[np.int64]
    spans: NDArray[np.float64]
    cuts: NDArray[np.int64]
    text: NDArray[np.uint8]
    reasons: Path
    skipped: Path
    files: Strings | None
    languages: Strings | None


def write_table(folder: Path, source: Path, entries: Iterable[Entry]) -> None:
    """Write the table of a corpus as its captions are read.

    Args:
        folder: An empty folder.
        source: What the entries come from.
        entries: The captions, one entry per video. An id that comes again spoils its captions.

    Raises:
        TranscriptError: If there is no video; and whatever the entries raise.
        OSError: If the folder cannot be written to.
    """
    with ExitStack() as stack:
        writer = _Writer(folder, stack)
        for entry in entries:
            writer.add(entry)
    if not writer.ids:
        message = f"{source} holds no captions of any video"
        raise TranscriptError(message)
    writer.finish(source)


def open_table(folder: Path) -> CaptionTable:
    """Map a table into memory.

    Args:
        folder: Where :func:`write_table` wrote it.

    Returns:
        The table, of which nothing but its description is read.

    Raises:
        TranscriptError: If it is not there, or its files are not what they were.
    """
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        sizes = {name: (folder / name).stat().st_size for name in meta["sizes"]}
        if meta["version"] != VERSION or sizes != meta["sizes"]:
            message = f"{folder} is damaged: its files have {sizes} bytes, not {meta['sizes']}"
            raise TranscriptError(message)
        return CaptionTable(
            Summary(**meta["summary"]),
            Strings.load(folder, "ids"),
            map_array(folder / "videos", np.int64).reshape(-1, 2),
            map_array(folder / "spans", np.float64).reshape(-1, 2),
            map_array(folder / "cuts", np.int64),
            map_array(folder / "text", np.uint8),
            folder / "reasons.json",
            folder / "skipped.json",
            *(
                Strings.load(folder, name) if f"{name}.text" in sizes else None
                for name in ("files", "languages")
            ),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = f"{folder} holds no table of captions: {error}; open their source again"
        raise TranscriptError(message) from error


class _Writer:
    """Appends to the files of a table; of the captions, only their videos' ids stay in memory."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.ids: list[str] = []
        self._files: list[str] = []
        self._languages: list[str] = []
        self._folder = folder
        self._rows: dict[str, int] = {}
        self._videos = array("q")  # first caption and the one after the last, in turn
        self._reasons: dict[str, str] = {}
        self._captions = self._bytes = 0
        self._skipped: dict[str, list[tuple[int, str]]] = {}
        self._spans, self._cuts, self._text = (
            stack.enter_context((folder / name).open("wb", buffering=2**20))
            for name in ("spans", "cuts", "text")
        )
        self._cuts.write(np.zeros(1, "<i8").tobytes())

    def add(self, entry: Entry) -> None:
        """Append a video's captions, or note what is wrong with them."""
        video_id, track, reason, file = entry
        if video_id in self._rows:
            self._spoil(video_id)
            return
        self._rows[video_id] = len(self.ids)
        self.ids.append(video_id)
        self._files.append(file)
        self._languages.append(track.language)
        if track.skipped:
            self._skipped[video_id] = list(track.skipped)
        if reason:
            self._reasons[video_id] = reason
        self._videos.extend((self._captions, self._captions + len(track.texts)))
        self._captions += len(track.texts)
        self._append(track)

    def finish(self, source: Path) -> None:
        """Write what stands beside the arrays, and last of all that the table is whole."""
        videos = np.array(self._videos, "<i8").reshape(-1, 2)
        (self._folder / "videos").write_bytes(videos.tobytes())
        Strings.of(self.ids).save(self._folder, "ids")
        for name, strings in (("files", self._files), ("languages", self._languages)):
            if any(strings):
                Strings.of(strings).save(self._folder, name)
        (self._folder / "reasons.json").write_text(json.dumps(self._reasons), encoding="utf-8")
        (self._folder / "skipped.json").write_text(json.dumps(self._skipped), encoding="utf-8")
        kept = int((videos[:, 1] - videos[:, 0]).sum())
        left_out = sum(map(len, self._skipped.values()))
        summary = Summary(source.name, kept, left_out, len(self._skipped))
        sizes = {path.name: path.stat().st_size for path in sorted(self._folder.iterdir())}
        meta = {"version": VERSION, "summary": summary._asdict(), "sizes": sizes}
        (self._folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")

    def _append(self, track: Track) -> None:
        encoded = [text.encode("utf-8", "surrogatepass") for text in track.texts]
        cuts = np.cumsum([len(each) for each in encoded], dtype="<i8") + self._bytes
        self._spans.write(track.spans.astype("<f8", copy=False).tobytes())
        self._cuts.write(cuts.astype("<i8", copy=False).tobytes())
        self._bytes += self._text.write(b"".join(encoded))

    def _spoil(self, video_id: str) -> None:
        """Take away the captions of an id that comes again: either may be wrong."""
        row = self._rows[video_id]
        self._videos[2 * row + 1] = self._videos[2 * row]
        self._reasons[video_id] = "it is there more than once"
