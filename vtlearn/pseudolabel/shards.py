"""Pseudolabels as what a walk writes to: JSON lines in shards of the list of videos."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction import ChunkResults, StoreWriter
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.pseudolabels import (
    METADATA,
    keep_threshold,
    read_records,
)
from vtlearn.media.video_shards import VideoShards, hash_ids
from vtlearn.pseudolabel.windows import Span
from vtlearn.storage.atomic import replace_text

__all__ = ["LabelStore", "LabelWriter"]

_FORMAT, _VERSION = "vtlearn-pseudolabels", 1
_DECIMALS = 4  # of a score; of times in seconds as well


class WindowResult(NamedTuple):
    """What was made of a window.

    Attributes:
        span: The window.
        frames: When the frames are shown that were captioned, in seconds.
        candidates: What was written of each.
        caption: The best of them that was not dropped; None where all were.
        score: Its score.
        dropped: Why others were dropped, one entry each.
    """

    span: Span
    frames: list[float]
    candidates: list[str]
    caption: str | None
    score: float
    dropped: list[str]


class LabelledVideo(NamedTuple):
    """What is kept of a video.

    Attributes:
        duration: How long it is, in seconds.
        windows: Its windows, those without a caption as well.
        lost: How many of them had no frame that could be read.
    """

    duration: float
    windows: list[WindowResult]
    lost: int


class LabelRecord(NamedTuple):
    """What a shard says of its videos.

    Attributes:
        videos: ``duration``, ``windows``, ``captions`` and ``dropped`` of those that were read.
        unreadable: ``stage`` and ``reason`` of the others.
        sources: What they were made of.
    """

    videos: dict[str, dict[str, Any]]
    unreadable: dict[str, dict[str, str]]
    sources: dict[str, str]


class LabelStore(VideoShards):
    """A folder of pseudolabels that is being filled.

    Args:
        folder: Where it is; made where there is none.
        ids: The videos, the same and in the same order at each attempt.
        settings: How the captions are made, in what JSON can hold; the same at each attempt.
        videos_per_shard: How many videos a shard has.

    Raises:
        ArgumentError: If the folder was created with other settings, which are named, or
            something else is in it.
    """

    kept, error = "captions", ArgumentError

    def __init__(
        self,
        folder: Path,
        ids: Sequence[str],
        settings: Mapping[str, Any],
        videos_per_shard: int = 64,
    ) -> None:
        super().__init__(folder, ids, videos_per_shard)
        self.settings = {
            **settings,
            "videos": len(ids),
            "videos_per_shard": videos_per_shard,
            "ids_sha256": hash_ids(ids),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"pseudolabels cannot be kept in {folder}: {error.strerror}"
            raise ArgumentError(message) from error
        self._begin()

    def record(self, shard: int) -> LabelRecord:
        """See :class:`~vtlearn.media.video_shards.VideoShards`."""
        path = self._path(shard, "json")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return LabelRecord(content["videos"], content["unreadable"], content["sources"])
        except (OSError, LookupError, ValueError, TypeError) as error:
            message = f"{path} is damaged ({type(error).__name__}: {error}); remove it and resume"
            raise ArgumentError(message) from error

    def is_whole(self, shard: int) -> bool:
        """See :class:`~vtlearn.media.video_shards.VideoShards`."""
        try:
            record = json.loads(self._path(shard, "json").read_text(encoding="utf-8"))
            return bool(record["bytes"] == self._path(shard, "jsonl").stat().st_size)
        except (OSError, LookupError, ValueError, TypeError):
            return False

    def write(
        self,
        shard: int,
        videos: Mapping[str, LabelledVideo],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str],
    ) -> None:
        """Write a shard, or write it again: the same captions give the same bytes.

        Args:
            shard: Its number.
            videos: Captions of its videos, by id.
            unreadable: Its other videos, by id.
            sources: What tells the files apart that they were made of.
        """
        ids = self.shard_ids(shard)
        lines = [
            json.dumps(self._line(video_id, window))
            for video_id in ids
            if video_id in videos
            for window in videos[video_id].windows
            if window.caption is not None
        ]
        text = "".join(f"{line}\n" for line in lines)
        record = {
            "bytes": len(text.encode()),
            "videos": {one: _counts(videos[one]) for one in ids if one in videos},
            "unreadable": {
                one: {"stage": unreadable[one].stage, "reason": unreadable[one].reason}
                for one in ids
                if one in unreadable
            },
            "sources": dict(sources),
        }
        self._path(shard, "json").unlink(missing_ok=True)  # it would be of other lines
        replace_text(self._path(shard, "jsonl"), text)
        replace_text(self._path(shard, "json"), json.dumps(record, indent=1) + "\n")

    def _line(self, video_id: str, window: WindowResult) -> dict[str, Any]:
        return {
            "video": video_id,
            "start": round(window.span.start, _DECIMALS),
            "end": round(window.span.end, _DECIMALS),
            "caption": window.caption,
            "score": round(window.score, _DECIMALS) + 0.0,  # no -0.0
            "frames": [round(time, _DECIMALS) for time in window.frames],
            "candidates": window.candidates,
            "captioner": self.settings["captioner"],
            "scorer": self.settings["scorer"],
        }

    def _begin(self) -> None:
        path = self.folder / METADATA
        if self.holds_others(METADATA, ".jsonl"):
            message = f"{self.folder} holds other files, but no {METADATA}: give another folder"
            raise ArgumentError(message)
        if not path.is_file():
            content = {"format": _FORMAT, "version": _VERSION, "settings": self.settings}
            replace_text(path, json.dumps(content, indent=1) + "\n")
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            settings = {**there["settings"]}
        except (ValueError, LookupError, TypeError) as error:
            message = f"{path} does not say how the captions were made ({error}); remove the folder"
            raise ArgumentError(message) from error
        self.require_settings(settings, self.settings)

    def _path(self, shard: int, suffix: str) -> Path:
        return self.folder / f"{shard:05d}.{suffix}"


class LabelWriter(StoreWriter[list[WindowResult], LabelledVideo]):
    """Keep the best caption of each window.

    The results of a chunk are those of its windows.

    Args:
        store: The folder.
    """

    name = "pseudolabels"

    def __init__(self, store: LabelStore) -> None:
        super().__init__(store)
        self.store: LabelStore = store

    def video(
        self,
        chunks: Sequence[ChunkResults[list[WindowResult]]],
        duration: float,
        first: float = 0.0,
    ) -> LabelledVideo | None:
        """Put the windows of a video together; None where it has some, and no frame at all."""
        del first  # captions before it are left out by what reads them
        windows = [window for chunk in chunks for window in chunk.results]
        lost = sum(not window.frames for window in windows)
        if windows and lost == len(windows):
            return None
        return LabelledVideo(duration, windows, lost)

    def write(
        self,
        shard: int,
        videos: Mapping[str, LabelledVideo],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str],
    ) -> None:
        """See :class:`~vtlearn.datasets.extraction.writer.ShardWriter`."""
        self.store.write(shard, videos, unreadable, sources)

    def summary(self) -> str:
        """Count captions, windows and videos, and say what was dropped and why."""
        records = [self.store.record(shard) for shard in range(self.num_shards)]
        videos = [video for record in records for video in record.videos.values()]
        dropped: Counter[str] = Counter()
        for video in videos:
            dropped.update(video["dropped"])
        windows, captions = (sum(video[key] for video in videos) for key in ("windows", "captions"))
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
        return (
            f"captions of {captions} of {windows} windows of {len(videos)} videos in {self.folder}"
            f"{f'; dropped: {why}' if why else ''}"
        )

    def half(self) -> str | None:
        """Name the score at which half of the captions is kept; None while shards are missing."""
        if self.pending():
            return None
        files = [self.folder / f"{shard:05d}.jsonl" for shard in range(self.num_shards)]
        scores = [record["score"] for record in read_records(files)]
        if not scores:
            return "no window has a caption: nothing to keep"
        score = round(keep_threshold(scores, 0.5), _DECIMALS)  # all digits, or it keeps others
        return f"half of them is kept at min_score={score} (or keep=0.5)"


def _counts(video: LabelledVideo) -> dict[str, Any]:
    """Say in a shard's record what became of a video's windows."""
    reasons = Counter(reason for window in video.windows for reason in window.dropped)
    dropped = {f"sentences {reason}": count for reason, count in sorted(reasons.items())}
    if video.lost:
        dropped["windows without a frame"] = video.lost
    return {
        "duration": video.duration,
        "windows": len(video.windows),
        "captions": sum(window.caption is not None for window in video.windows),
        "dropped": dropped,
    }
