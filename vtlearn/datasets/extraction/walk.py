"""One walk over the videos of a corpus: plan, skip what is whole, gather, write, resume."""

import logging
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import torch

from vtlearn.batch import Batch, Unreadable
from vtlearn.datasets.clips import clip_reader
from vtlearn.datasets.extraction.plan import (
    WHOLE,
    Part,
    log_unreadable,
    name_first,
    probe_videos,
    whole_shards,
)
from vtlearn.datasets.extraction.writer import ChunkResults, ShardWriter
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.distributed import gather_objects, process

__all__ = ["Extraction", "ShardWalk"]

_LOG = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
VideoT = TypeVar("VideoT")


class ShardWalk(Generic[ResultT, VideoT]):
    """Plan which shards of a corpus are to be made, gather videos into them, write them, resume.

    It plans when it is created: shards that are whole are skipped, the others are divided among the
    processes of this part. A shard is written as soon as its last video has ended; a process that
    is killed loses the shard it was at. The same call resumes, with any number of processes or
    parts, and leaves the same bytes.

    All processes of a part create it at once, since they wait for each other there, and only there;
    the processes of other parts are never waited for.

    Args:
        writer: What keeps the results.
        videos: The corpus, in the order that the writer has.
        part: The share of this machine.
        workers: How many processes look at the videos beforehand.
        show: Whether to show progress on standard error.

    Attributes:
        shards: The shards that this process is to make, in order.
        positions: Which videos of the corpus those have, in order.
        durations: How long these are in seconds, (positions,); of unreadable ones anything.
        unreadable: Why some of them cannot be read, by id.

    Raises:
        TooManyUnreadableError: If more videos are unreadable than may be. Each part counts its own,
            against all videos of the corpus.
        VTLearnError: If the writer holds results of files that were replaced.
    """

    def __init__(
        self,
        writer: ShardWriter[ResultT, VideoT],
        videos: VideoList,
        *,
        part: Part = WHOLE,
        workers: int = 1,
        show: bool = False,
    ) -> None:
        gather_objects(None)  # the writer of every process is open: nothing writes its metadata now
        self._writer, self._part, self._paths = writer, part, videos.paths
        self._log = UnreadableLog(
            writer.folder / part.log_name, frozenset(videos.ids), videos.max_unreadable_fraction
        )
        rank, world = process()
        if rank == 0 and not part.shards(writer.num_shards):
            _LOG.warning(
                "part %s has nothing to do: there are %d shards for %d parts; write smaller ones",
                part,
                writer.num_shards,
                part.total,
            )
        if rank == 0:
            writer.remove_leftovers()
            self._log.path.unlink(missing_ok=True)  # what is in whole shards follows
        whole = whole_shards(writer, videos.paths, part, show=show)
        pending = sorted(set(part.shards(writer.num_shards)) - set(whole))
        self.shards: list[int] = pending[rank::world]
        self.positions = [index for shard in self.shards for index in writer.shard_range(shard)]
        probed = probe_videos(videos, self.positions, max(1, workers), show=show)
        self.durations, self.unreadable = probed.durations, probed.unreadable
        self._firsts = {
            videos.ids[index]: float(first)
            for index, first in zip(self.positions, probed.firsts, strict=True)
            if first
        }
        log_unreadable(self._log, writer, videos, self.unreadable, whole)
        self._written = 0
        self._left: Iterator[int] = iter(self.shards)
        self._begin_shard()

    def end_video(
        self,
        video_id: str,
        path: str,
        duration: float,
        chunks: Sequence[ChunkResults[ResultT]],
        unreadable: Unreadable | None = None,
    ) -> None:
        """Take what was made of the next video, and write the shard that it completes.

        Args:
            video_id: Its id; videos come in the order of ``positions``, and all of them.
            path: Its file.
            duration: How long it is, in seconds.
            chunks: All results of it, in temporal order.
            unreadable: Why it cannot be read; None where it can.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
            VTLearnError: If the writer refuses the results.
        """
        first = self._firsts.get(video_id, 0.0)
        video = None if unreadable else self._writer.video(chunks, duration, first)
        if video is not None:
            self._videos[video_id] = video
        else:
            reason = "none of its windows has all of its frames"
            lost = unreadable or Unreadable(video_id, path, "decode", reason)
            self._lost_videos[video_id] = lost
            self._log.add(lost)
        done = len(self._videos) + len(self._lost_videos)
        if done == len(self._writer.shard_range(self._shard)):
            self._writer.write(self._shard, self._videos, self._lost_videos, self._sources)
            self._written += 1
            self._begin_shard()

    def closing_line(self) -> str | None:
        """Say what is there in the end, and what is missing; call it after the last chunk.

        No process waits for the others, which may take longer than a process group's time-out: the
        last one to end finds the part whole.

        Returns:
            A line to print; None where another process has it.
        """
        writer, part = self._writer, self._part
        pending = writer.pending()
        own = [shard for shard in pending if shard in part.shards(writer.num_shards)]
        if process().rank > 0 and (own or not self._written):
            return None
        if not pending:
            return f"{writer.name}: {writer.summary()}{self._lost()}"
        missing = f"{len(pending)} of {writer.num_shards} shards are not in {writer.folder} yet"
        if not own:
            return f"{writer.name}: part {part} is whole; {missing}{self._others(pending)}"
        share = "" if part == WHOLE else f", {len(own)} of them of part {part}"
        return (
            f"{writer.name}: {missing}{share}. Unless other processes are at work on them, run the "
            "same command again: it resumes"
        )

    def _begin_shard(self) -> None:
        self._shard = next(self._left, -1)
        # now, and not when it is written: a video that is replaced in between will be found out
        self._sources = {} if self._shard < 0 else self._writer.sources(self._shard, self._paths)
        self._videos: dict[str, VideoT] = {}
        self._lost_videos: dict[str, Unreadable] = {}

    def _others(self, pending: Sequence[int]) -> str:
        """Say which parts are missing where this one is whole."""
        total = self._part.total
        parts = [str(Part(number + 1, total)) for number in sorted({n % total for n in pending})]
        return (
            f" ({'part' if len(parts) == 1 else 'parts'} {name_first(parts)}). Unless other "
            "machines are at work on them, run these parts, or copy their folders into this one; "
            "the same command without a part then makes what is still missing"
        )

    def _lost(self) -> str:
        """Say which videos are left out, and how to try them again."""
        writer, part = self._writer, self._part
        lost = {shard: list(writer.unreadable(shard)) for shard in range(writer.num_shards)}
        names = [video_id for found in lost.values() for video_id in found]
        if not names:
            return ""
        again = name_first([writer.record_name(shard) for shard, found in lost.items() if found])
        log = part.log_name.replace(f"-{part.number}-", "-*-")  # of each part
        return (
            f"; {len(names)} cannot be read: {name_first(names)} (why: {writer.folder / log}). To "
            f"try them again, remove {again} there and run the same command; what took too long "
            "is tried again anyway"
        )


class Extraction(ShardWalk[ResultT, VideoT]):
    """Make something of all videos of a corpus, window by window, and keep it in shards.

    ``chunks`` are the windows to encode, in order; what was made of each goes to :meth:`add`.

    Args:
        writer: What keeps the results.
        videos: The corpus, in the order that the writer has.
        stride: Seconds from the start of a window to the start of the next.
        num_frames: Frames of a window.
        size: Height and width of a frame in pixels.
        windows_per_chunk: Windows that are encoded together.
        part: The share of this machine.
        workers: How many processes look at the videos beforehand.
        show: Whether to show progress on standard error.

    Attributes:
        chunks: This process's windows.

    Raises:
        ArgumentError: If ``stride`` or ``windows_per_chunk`` is not positive.
        TooManyUnreadableError: If more videos are unreadable than may be.
        VTLearnError: If the writer holds results of files that were replaced.
    """

    def __init__(
        self,
        writer: ShardWriter[ResultT, VideoT],
        videos: VideoList,
        *,
        stride: float,
        num_frames: int,
        size: int,
        windows_per_chunk: int = 16,
        part: Part = WHOLE,
        workers: int = 1,
        show: bool = False,
    ) -> None:
        super().__init__(writer, videos, part=part, workers=workers, show=show)
        self.chunks = WindowChunks(
            [videos.ids[index] for index in self.positions],
            [videos.paths[index] for index in self.positions],
            self.durations,
            unreadable=self.unreadable,
            reader=clip_reader(time_budget=videos.time_budget),
            stride=stride,
            num_frames=num_frames,
            fps=videos.fps,
            size=size,
            frame_at=videos.frame_at,
            pad=videos.pad,
            windows_per_chunk=windows_per_chunk,
        )
        self._results: list[ChunkResults[ResultT]] = []
        self._why: Unreadable | None = None

    def add(self, index: int, batch: Batch, results: ResultT) -> None:
        """Take what was made of the next chunk, and write the shard that it completes.

        Args:
            index: The chunk's number; they come in order, and all of them.
            batch: The chunk as it was read: a part of one video, or why that cannot be read; of a
                process that has no videos, nothing.
            results: What was made of the windows that could be read.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
            VTLearnError: If the writer refuses the results.
        """
        if not (batch.ids or batch.unreadable):
            return
        video_id, windows = self.chunks.windows(index)
        self._why = next(iter([*filter(None, [self._why]), *batch.unreadable]), None)
        if batch.ids:
            starts = [number * self.chunks.stride for number in windows]
            read = batch.clip_spans[:, 0].cpu()
            kept = torch.isin(torch.tensor(starts, dtype=torch.float64), read)
            self._results.append(ChunkResults(starts, kept, results))
        if self.chunks.is_last(index):
            path, duration = self.chunks.path(index), self.chunks.duration(index)
            chunks, why = self._results, self._why
            self._results, self._why = [], None
            self.end_video(video_id, path, duration, chunks, why)
