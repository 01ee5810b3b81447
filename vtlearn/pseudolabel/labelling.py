"""Caption the windows of a corpus, score what was written, and keep the best of each."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.clips import clip_reader
from vtlearn.datasets.extraction import ChunkResults, ShardWalk
from vtlearn.datasets.windows import VideoList
from vtlearn.media.clips import ClipReader
from vtlearn.pseudolabel.captioner import (
    FrameCaptioner,
    encode_frames,
    require_described,
    write_captions,
)
from vtlearn.pseudolabel.filters import Dropped, normalize, why_dropped
from vtlearn.pseudolabel.frames import Frames, ShardFrames, Video, VideoSpans
from vtlearn.pseudolabel.scorers import CaptionedWindow, Scorer
from vtlearn.pseudolabel.shards import LabelledVideo, LabelWriter, WindowResult
from vtlearn.pseudolabel.windows import Span, Windows, frame_times
from vtlearn.storage.progress import count_up

__all__ = ["Figures", "Labelling"]

_LOG = logging.getLogger(__name__)
_SAME = 0.9  # the share of windows that may say the same
_EARLY, _FEWEST = 100, 3  # windows that tell before a run ends, and when it has ended
_REMEMBERED = 10_000  # sentences; of more, rare ones are forgotten

ItemT = TypeVar("ItemT")

_NO_SCORES = torch.zeros(0)
_Results = list[ChunkResults[list[WindowResult]]]


class Figures(NamedTuple):
    """What a run did.

    Attributes:
        windows: How many windows it captioned.
        seconds: How long that took, in seconds of the clock.
        waited: How much of it was spent waiting for frames.
    """

    windows: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def __str__(self) -> str:
        """Say how fast it was."""
        if not self.windows:
            return "no window was left to caption"
        rate, share = self.windows / self.seconds, self.waited / self.seconds
        return (
            f"{self.windows} windows captioned in {self.seconds:.1f} s: {rate:.2f} windows per "
            f"second, {share:.0%} of the time waiting for frames"
        )


class Labelling:
    """Caption windows with one captioner and one scorer.

    Args:
        captioner: Writes a sentence per frame.
        scorer: Compares sentences with all frames of their window.
        windows: Lays windows.
        frames: How many frames of a window are captioned.
        windows_per_batch: How many windows are captioned together.
        workers: How many processes read frames; 0: this one does.

    Raises:
        ArgumentError: If a number makes no sense, or the captioner does not describe itself.
    """

    def __init__(
        self,
        captioner: FrameCaptioner,
        scorer: Scorer,
        windows: Windows,
        *,
        frames: int = 3,
        windows_per_batch: int = 16,
        workers: int = 0,
    ) -> None:
        require_positive(frames=frames, windows_per_batch=windows_per_batch)
        require_described(captioner)
        self._captioner, self._scorer, self._windows = captioner, scorer, windows
        self._frames, self._windows_per_batch, self._workers = frames, windows_per_batch, workers
        self._said, self._has_warned = _Said(), False

    def run(
        self,
        walk: ShardWalk[list[WindowResult], LabelledVideo],
        writer: LabelWriter,
        videos: VideoList,
        *,
        show: bool = False,
    ) -> Figures:
        """Caption what is missing of a corpus.

        Args:
            walk: Knows what is missing, and takes what is made.
            writer: What it writes to.
            videos: The corpus.
            show: Whether to show progress on standard error.

        Returns:
            How fast it was.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
        """
        done = _Stopwatch()
        reader = clip_reader(time_budget=videos.time_budget)
        with count_up("Captioning videos", len(walk.positions), show=show) as advance:
            for some in _by_shard(walk, writer, videos):
                for finished in self._shard(walk, some, reader, done):
                    advance(finished, done.rate())
                self._warn(_EARLY)
        self._warn(_FEWEST)
        return done.figures()

    def _shard(
        self,
        walk: ShardWalk[list[WindowResult], LabelledVideo],
        videos: Sequence[Video],
        reader: ClipReader,
        done: "_Stopwatch",
    ) -> Iterator[int]:
        """Caption a shard; yield how many videos have ended since the last time."""
        lost = {one.id: walk.unreadable[one.id] for one in videos if one.id in walk.unreadable}
        readable = [one for one in videos if one.id not in lost]
        laid: list[tuple[Video, list[Span]]] = []
        spans = self._loaded(
            VideoSpans(readable, self._windows, reader), self._windows.reads_frames
        )
        for video, found in zip(readable, done.waiting(spans), strict=True):
            if isinstance(found, Unreadable):
                lost[video.id] = found
            else:
                laid.append((video, found))
        batches = ShardFrames(
            laid,
            reader,
            frames=self._frames,
            size=self._captioner.size,
            windows_per_batch=self._windows_per_batch,
        )
        results: dict[str, _Results] = {}
        ended = 0
        for batch in done.waiting(self._loaded(batches, reads_frames=True)):
            for piece, chunk in zip(batch, self._label(batch, laid), strict=True):
                if piece.unreadable is not None:
                    lost[piece.unreadable.id] = piece.unreadable
                results.setdefault(laid[piece.video][0].id, []).append(chunk)
                self._said.add(chunk.results)
            done.windows += sum(len(piece.spans) for piece in batch)
            yield batch[-1].video - ended
            ended = batch[-1].video
        for video in videos:
            chunks = results.get(video.id, [])
            walk.end_video(*video, chunks, lost.get(video.id))
        yield len(videos) - ended

    def _loaded(self, dataset: Dataset[ItemT], reads_frames: bool) -> Iterable[ItemT]:
        """Read all items of a dataset, in order; with several processes where that takes long."""
        workers = self._workers if reads_frames else 0
        return DataLoader(dataset, batch_size=None, num_workers=workers, collate_fn=_unchanged)

    def _label(
        self, batch: Sequence[Frames], laid: Sequence[tuple[Video, list[Span]]]
    ) -> list[ChunkResults[list[WindowResult]]]:
        """Caption a batch and score what was written; one entry per piece."""
        pixels = torch.cat([piece.pixels[piece.valid.flatten()] for piece in batch])
        seen, texts = None, list[str]()
        if len(pixels):
            seen = encode_frames(self._captioner, pixels)
            texts = [*map(normalize, write_captions(self._captioner, seen, len(pixels)))]
        asked = list(_asked(batch, laid, texts))
        scores = iter(self._scorer.scores(pixels, seen, asked) if len(pixels) else [])
        windows = iter(asked)
        return [
            ChunkResults(
                frame_times(piece.spans, self._frames),
                piece.valid.flatten(),
                [
                    _result(piece, number, texts, next(windows), next(scores, _NO_SCORES))
                    for number in range(len(piece.valid))
                ],
            )
            for piece in batch
        ]

    def _warn(self, enough: int) -> None:
        """Say once that a captioner writes nothing, or always the same, of so many windows."""
        text, count, total = self._said.most_common()
        if self._has_warned or total < enough or count < _SAME * total:
            return
        self._has_warned = True
        if text:
            _LOG.warning(
                "%s says the same of %d of %d windows: %r", self._captioner.name, count, total, text
            )
        else:
            _LOG.warning(
                "%s writes nothing of %d of %d windows", self._captioner.name, count, total
            )


class _Said:
    """Counts what is said of windows that have a frame."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._total = 0

    def add(self, windows: Iterable[WindowResult]) -> None:
        texts = [_said(window) for window in windows if window.frames]
        self._total += len(texts)
        self._counts.update(texts)
        if len(self._counts) > _REMEMBERED:
            self._counts = Counter(dict(self._counts.most_common(_REMEMBERED // 2)))

    def most_common(self) -> tuple[str, int, int]:
        """Return what is said most often, of how many windows, and how many there are."""
        (text, count), *_ = [*self._counts.most_common(1), ("", 0)]
        return text, count, self._total


class _Stopwatch:
    """Counts windows, and how long frames were waited for."""

    def __init__(self) -> None:
        self.windows, self._begun, self._waited = 0, time.monotonic(), 0.0

    def waiting(self, items: Iterable[ItemT]) -> Iterator[ItemT]:
        """Yield items, and note how long each takes to come."""
        iterator = iter(items)
        while True:
            begun = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._waited += time.monotonic() - begun
            yield item

    def rate(self) -> str:
        return f"{self.windows / self._seconds():.1f} windows per second"

    def figures(self) -> Figures:
        return Figures(self.windows, self._seconds(), self._waited)

    def _seconds(self) -> float:
        return max(time.monotonic() - self._begun, 1e-9)  # a coarse clock may stand still


def _unchanged(item: ItemT) -> ItemT:
    """Keep torch from walking through what was read, in search of arrays."""
    return item


def _by_shard(
    walk: ShardWalk[list[WindowResult], LabelledVideo], writer: LabelWriter, videos: VideoList
) -> Iterator[list[Video]]:
    """Yield the videos of one shard after another."""
    first = 0
    for shard in walk.shards:
        last = first + len(writer.shard_range(shard))
        places = zip(walk.positions[first:last], walk.durations[first:last].tolist(), strict=True)
        yield [Video(videos.ids[index], videos.paths[index], seconds) for index, seconds in places]
        first = last


def _asked(
    batch: Sequence[Frames], laid: Sequence[tuple[Video, list[Span]]], texts: Sequence[str]
) -> Iterator[CaptionedWindow]:
    """Yield each window with the sentences that are to be scored."""
    first = 0
    for piece in batch:
        for valid in piece.valid:
            some = slice(first, first + int(valid.sum()))
            kept = dict.fromkeys(text for text in texts[some] if why_dropped(text) is None)
            yield CaptionedWindow(laid[piece.video][0].id, some, list(kept))
            first = some.stop


def _result(
    piece: Frames, number: int, texts: Sequence[str], window: CaptionedWindow, scores: Tensor
) -> WindowResult:
    """Choose the best sentence of a window; of equally good ones the first."""
    span, written = piece.spans[number], list(texts[window.frames])
    times = frame_times([span], piece.valid.shape[1])
    shown = list(compress(times, piece.valid[number].tolist()))
    dropped = [str(why) for text in written if (why := why_dropped(text)) is not None]
    finite = scores.isfinite().tolist()
    dropped += [str(Dropped.UNSCORED)] * finite.count(False)
    ranked = [
        (score, text)
        for score, text, fine in zip(scores.tolist(), window.candidates, finite, strict=True)
        if fine
    ]
    if not ranked:
        return WindowResult(span, shown, written, None, 0.0, dropped)
    score, best = max(ranked, key=lambda pair: pair[0])
    return WindowResult(span, shown, written, best, score, dropped)


def _said(window: WindowResult) -> str:
    """Return the caption, or of what was dropped the first that is not empty."""
    return window.caption or next(filter(None, window.candidates), "")
