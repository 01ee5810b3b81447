"""The windows of all videos below a folder as vectors, kept on disk and up to date.

An index is made once and is looked at in a moment after: vectors are float16 in one file that is
mapped into memory. It lies in the user's cache, never among the videos, and under a name that says
which folder it is of, and which model made it of clips read in which way.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.files import find_videos
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.unreadable import UnreadableLog, read_or_record
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.inference.index_files import FileStamp, IndexedVideo, IndexFolder, PackedVideos
from vtlearn.storage.atomic import replace_text
from vtlearn.storage.progress import count_up
from vtlearn.storage.user_cache import user_cache

__all__ = ["SearchIndex"]

_LOG = logging.getLogger(__name__)


class _Vectors(Protocol):
    @property
    def vectors(self) -> Tensor: ...

    @property
    def spans(self) -> Tensor: ...


class WindowEncoder(Protocol):
    """What an index is made by: a :class:`~vtlearn.inference.model.Model`."""

    @property
    def sha256(self) -> str:
        """Another one for another model."""

    @property
    def reading(self) -> Reading:
        """How clips are read."""

    def encode_video(self, video: Path, *, stride: float = 1.0) -> _Vectors:
        """Encode windows over a whole video, or raise UnreadableVideoError."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchIndex:
    """The windows of all readable videos below a folder.

    Made by :meth:`open`. ``vectors.float() @ model.encode_text([...]).T`` are similarities.

    Attributes:
        folder: The folder of videos.
        home: The folder of the index.
        model_sha256: Which model made it.
        ids: The videos' ids.
        paths: Their files.
        vectors: (windows, dim), float16, video by video; mapped from a file.
        spans: Start and end of each window in seconds, (windows, 2), float64.
        owners: Which video each window is of, (windows,), int64.
        unreadable: Videos that cannot be read and so are not found.

    Example:
        >>> import tempfile
        >>> from vtlearn.datasets.reading import ClipSampling
        >>> from vtlearn.encoders.text import TinyText
        >>> from vtlearn.encoders.video import TinyVideo
        >>> from vtlearn.heads import S2DTW
        >>> from vtlearn.inference import Model
        >>> from vtlearn.kitchen.writer import write_video
        >>> from vtlearn.learner import VideoTextLearner
        >>> learner = VideoTextLearner(TinyVideo(dim=8), TinyText(dim=8), S2DTW())
        >>> learner.text_encoder.build(["chop the carrot", "stir the soup"])
        >>> model = Model(learner, reading=Reading(sampling=ClipSampling(fps=4.0)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     videos, home = Path(folder, "videos"), Path(folder, "indexes")
        ...     videos.mkdir()
        ...     frames = torch.zeros(16, 32, 32, 3, dtype=torch.uint8).numpy()
        ...     write_video(videos / "soup.mp4", frames, size=32, fps=4)
        ...     index = SearchIndex.open(model, videos, home=home)
        ...     hits = model.search("chop the carrot", index, top=1)
        >>> index.describe(), hits[0].id
        ('4 windows of 1 videos', 'soup')
    """

    folder: Path
    home: Path
    model_sha256: str
    ids: list[str]
    paths: list[Path]
    vectors: Tensor
    spans: Tensor
    owners: Tensor
    unreadable: list[Unreadable]

    @classmethod
    def open(
        cls,
        model: WindowEncoder,
        folder: Path | str,
        *,
        home: Path | str | None = None,
        stride: float = 1.0,
        max_unreadable_fraction: float = 0.01,
        show: bool = False,
    ) -> "SearchIndex":
        """Open the index of a folder, and bring it up to date first.

        Videos that are new, or whose size or time of change is another, are encoded; those that are
        gone are dropped. An interruption loses at most the video in work. A video that cannot be
        read is tried again when its file changes.

        Args:
            model: Encodes windows: what :func:`vtlearn.load` gives.
            folder: Where videos are, nested or not.
            home: Where indexes are kept; None for the user's cache.
            stride: Seconds from the start of a window to the start of the next.
            max_unreadable_fraction: Stop when more of the videos than this cannot be read.
            show: Whether to show progress on standard error.

        Returns:
            The index.

        Raises:
            ArgumentError: If ``folder`` is not a directory or has no video, the index would be kept
                in it, or a number makes no sense.
            TooManyUnreadableError: If more videos cannot be read than may be, or none can.
            OSError, VTLearnError: If the index cannot be written.
        """
        require_positive(stride=stride)
        folder = Path(folder).expanduser()
        if not folder.is_dir():
            message = f"{folder} is not a directory; give the folder of the videos to search in"
            raise ArgumentError(message)
        found = find_videos(folder)
        if not found:
            message = f"no video is in {folder}; give a folder of videos to search in"
            raise ArgumentError(message)
        settings = {
            "version": 1,
            "folder": os.fsencode(folder.resolve()).decode("utf-8", "backslashreplace"),
            "model_sha256": model.sha256,
            "clips": model.reading.clip_settings(),
            "stride": stride,
        }
        files = IndexFolder(_choose_home(home, folder, settings), settings)
        update = _Update(model, stride, files, folder, found, max_unreadable_fraction)
        packed = update.run(show=show)
        counts = torch.tensor([len(video.vectors) for video in packed.videos])
        return cls(
            folder=folder,
            home=files.folder,
            model_sha256=model.sha256,
            ids=list(found),
            paths=list(found.values()),
            vectors=packed.vectors,
            spans=packed.spans,
            owners=torch.arange(len(counts)).repeat_interleave(counts),
            unreadable=list(update.log.read().values()),
        )

    def describe(self) -> str:
        """Say what it holds, in a sentence without its period."""
        readable = len(self.ids) - len(self.unreadable)
        lost = f"; {len(self.unreadable)} cannot be read" if self.unreadable else ""
        return f"{len(self.spans)} windows of {readable} videos{lost}"


class _Update:
    """Brings an index up to date."""

    def __init__(
        self,
        model: WindowEncoder,
        stride: float,
        files: IndexFolder,
        folder: Path,
        found: Mapping[str, Path],
        max_unreadable_fraction: float,
    ) -> None:
        self._model, self._stride, self._files = model, stride, files
        self._found = found
        self._stamps = {video_id: FileStamp.of(folder, path) for video_id, path in found.items()}
        report = files.folder / "unreadable.jsonl"
        self.log = UnreadableLog(report, found.keys(), max_unreadable_fraction)

    def run(self, *, show: bool) -> PackedVideos:
        packed, new = self._files.read()
        known = {video.stamp: video for video in packed.videos} | new
        missing = [one for one, stamp in self._stamps.items() if stamp not in known]
        self._report(known)
        added = self._encode_all(missing, show=show)
        known |= added
        videos = [known[stamp] for stamp in self._stamps.values()]
        if not any(len(video.vectors) for video in videos):
            raise self.log.nothing_readable()
        if [video.stamp for video in packed.videos] != list(self._stamps.values()):
            packed = PackedVideos.of(videos)
            self._files.pack(packed, [*new, *added])
        return packed

    def _report(self, known: Mapping[FileStamp, IndexedVideo]) -> None:
        """Name the videos of which is known that they cannot be read."""
        lost = [
            self._unreadable(video_id, known[stamp])
            for video_id, stamp in self._stamps.items()
            if stamp in known and known[stamp].reason
        ]
        if lost or self.log.path.exists():
            lines = [json.dumps(record._asdict()) + "\n" for record in lost]
            replace_text(self.log.path, "".join(lines))
        self.log.add_all([])  # reads the file, and counts

    def _encode_all(self, ids: list[str], *, show: bool) -> dict[FileStamp, IndexedVideo]:
        """Encode videos, and keep each as soon as it is done."""
        added: dict[FileStamp, IndexedVideo] = {}
        seconds, begun = 0.0, time.monotonic()
        with count_up("Indexing videos", len(ids), show=show and bool(ids)) as advance:
            for video_id in ids:
                stamp = self._stamps[video_id]
                video = self._files.find(stamp)  # another process may be at the same work
                if video is None:
                    video = self._encode(video_id, stamp)
                    self._files.add(video)
                added[stamp] = video
                if video.reason:
                    self.log.add(self._unreadable(video_id, video))
                seconds += float(video.spans[-1, 0]) if len(video.spans) else 0.0
                speed = seconds / max(time.monotonic() - begun, 1e-9)
                advance(1, f"{speed:.0f} x real time")
        return added

    def _encode(self, video_id: str, stamp: FileStamp) -> IndexedVideo:
        path = self._found[video_id]

        def encode() -> IndexedVideo:
            found = self._model.encode_video(path, stride=self._stride)
            if not len(found.vectors):
                reason = "none of its windows has all of its frames"
                raise UnreadableVideoError(str(path), reason, "decode")
            vectors = found.vectors.detach().cpu().half()
            if not vectors.isfinite().all():
                message = f"{path}: the model's vectors are not finite, or too large for float16"
                raise ArgumentError(message)
            return IndexedVideo(stamp, vectors, found.spans.cpu().double())

        result = read_or_record(video_id, encode)
        if isinstance(result, IndexedVideo):
            return result
        nothing = PackedVideos.of([])
        return IndexedVideo(stamp, nothing.vectors, nothing.spans, result.stage, result.reason)

    def _unreadable(self, video_id: str, video: IndexedVideo) -> Unreadable:
        return Unreadable(video_id, str(self._found[video_id]), video.stage, video.reason)


def _choose_home(home: Path | str | None, folder: Path, settings: Mapping[str, Any]) -> Path:
    """Return the folder of an index, which is never among the videos."""
    root = user_cache() / "search" if home is None else Path(home).expanduser()
    if root.resolve().is_relative_to(folder.resolve()):
        message = (
            f"the index would be in {root}, which is inside {folder}, the folder that is searched: "
            "give another folder for it by --index DIR (home= in Python)"
        )
        raise ArgumentError(message)
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
    return root / key
