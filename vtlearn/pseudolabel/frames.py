"""The frames of a shard's windows, in batches that end with the shard."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import ClipReader
from vtlearn.media.video.probing import probe
from vtlearn.pseudolabel.scorers import References
from vtlearn.pseudolabel.windows import Span, Windows, frame_times

__all__ = ["find_references"]

_REFERENCES = 17  # one more than are compared with: none is compared with its own video


class Video(NamedTuple):
    """A video to caption.

    Attributes:
        id: Its id.
        path: Its file.
        duration: How long it is, in seconds.
    """

    id: str
    path: str
    duration: float


class Frames(NamedTuple):
    """Frames of consecutive windows of one video.

    Attributes:
        video: Which of the shard's videos.
        spans: The windows.
        pixels: (windows x frames, 3, size, size), uint8; what could not be read is black.
        valid: Which frames could be read, (windows, frames).
        unreadable: Why the video cannot be read; None where it can.
    """

    video: int
    spans: list[Span]
    pixels: Tensor
    valid: Tensor
    unreadable: Unreadable | None = None


class VideoSpans(Dataset[list[Span] | Unreadable]):
    """The windows of each of some videos, or why it has none.

    Args:
        videos: The videos.
        windows: Lays them.
        reader: Reads frames, where these decide.
    """

    def __init__(self, videos: Sequence[Video], windows: Windows, reader: ClipReader) -> None:
        self._videos, self._windows, self._reader = videos, windows, reader

    def __len__(self) -> int:
        """Return how many videos there are."""
        return len(self._videos)

    def __getitem__(self, index: int) -> list[Span] | Unreadable:
        """Lay the windows of a video."""
        lay = partial(self._windows.spans, *self._videos[index], self._reader)
        return read_or_record(self._videos[index].id, lay)


class ShardFrames(Dataset[list[Frames]]):
    """The frames of a shard's windows, in batches of equally many windows.

    A batch has windows of several videos where these are short, and none of another shard, so that
    what a batch holds does not depend on how shards are divided among machines.

    Args:
        videos: Videos and their windows.
        reader: Reads them.
        frames: How many of a window.
        size: Their height and width in pixels.
        windows_per_batch: How many windows a batch has; the last one may have fewer.

    Raises:
        ArgumentError: If a number is not positive.
    """

    def __init__(
        self,
        videos: Sequence[tuple[Video, list[Span]]],
        reader: ClipReader,
        *,
        frames: int,
        size: int,
        windows_per_batch: int,
    ) -> None:
        require_positive(frames=frames, windows_per_batch=windows_per_batch)
        self._videos, self._reader = videos, reader
        self._frames, self._size = frames, size
        self._batches = list(_batches([len(spans) for _, spans in videos], windows_per_batch))
        self._unreadable: dict[str, Unreadable] = {}

    def __len__(self) -> int:
        """Return how many batches there are."""
        return len(self._batches)

    def __getitem__(self, index: int) -> list[Frames]:
        """Read a batch."""
        return [self._piece(*piece) for piece in self._batches[index]]

    def _piece(self, number: int, first: int, last: int) -> Frames:
        video, spans = self._videos[number]
        spans = spans[first:last]
        read = partial(self._read, number, video.path, spans)
        found = read_or_record(video.id, read, self._unreadable)
        if isinstance(found, Unreadable):
            nothing = torch.zeros(0, 3, self._size, self._size, dtype=torch.uint8)
            return Frames(number, spans, nothing, torch.zeros(0, self._frames).bool(), found)
        return found

    def _read(self, number: int, path: str, spans: list[Span]) -> Frames:
        times = frame_times(spans, self._frames)
        clips = self._reader.clips(path, times, num_frames=1, fps=1.0, size=self._size)
        # a copy: what another process decoded lies in a file that no queue of a loader takes
        pixels = clips.frames[:, 0].clone()
        return Frames(number, spans, pixels, clips.valid.reshape(-1, self._frames))


def find_references(videos: VideoList, reader: ClipReader, size: int) -> References:
    """Take a frame from the middle of each of some videos, the same whatever part asks.

    Args:
        videos: The corpus.
        reader: Reads them.
        size: Height and width of frames in pixels.

    Returns:
        Frames of the readable videos whose ids have the smallest SHA-256, 17 of them where there
        are so many: 16 for each video, none of them its own.
    """
    paths: Mapping[str, str] = dict(zip(videos.ids, videos.paths, strict=True))
    ids: list[str] = []
    frames = [torch.zeros(0, 3, size, size, dtype=torch.uint8)]
    for video_id in sorted(paths, key=_hash):
        frame = _middle(paths[video_id], reader, size, videos.time_budget)
        if frame is not None:
            ids.append(video_id)
            frames.append(frame)
        if len(ids) == _REFERENCES:
            break
    return References(ids, torch.cat(frames))


def _middle(path: str, reader: ClipReader, size: int, time_budget: float | None) -> Tensor | None:
    info = probe(path, time_budget)
    if isinstance(info, UnreadableVideoError):
        return None
    try:
        clips = reader.clips(path, [info.duration / 2], num_frames=1, fps=1.0, size=size)
    except UnreadableVideoError:
        return None
    return clips.frames[:, 0] if bool(clips.valid.all()) else None


def _hash(video_id: str) -> bytes:
    return hashlib.sha256(video_id.encode("utf-8", "surrogatepass")).digest()


def _batches(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, int, int]]]:
    """Deal the windows of videos to batches; yield of each the videos, and which windows."""
    batch: list[tuple[int, int, int]] = []
    room = size
    for number, count in enumerate(counts):
        first = 0
        while first < count:
            last = min(count, first + room)
            batch.append((number, first, last))
            room -= last - first
            first = last
            if room == 0:
                yield batch
                batch, room = [], size
    if batch:
        yield batch
