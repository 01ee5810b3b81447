"""Narrated videos, and pictures with captions, streamed out of tar shards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from vtlearn.batch import Sample, Unreadable
from vtlearn.datasets.base import SampleKey, generator
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.datasets.shard_shares import deal_shards, even_share
from vtlearn.datasets.unreadable import UnreadableLog, read_or_replace
from vtlearn.distributed import Process
from vtlearn.errors import (
    ArgumentError,
    NoCaptionsError,
    ShardError,
    TranscriptError,
    UnreadableVideoError,
)
from vtlearn.media.captions.caption import MAX_BAD_CUES, Caption, require_most, validate_captions
from vtlearn.media.captions.encoding import decode_text
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.probing import probe
from vtlearn.media.webdataset.index import Shard, ShardIndex
from vtlearn.media.webdataset.reader import PICTURES, TEXTS, ShardSample, read_pairs
from vtlearn.unicode import parse_json

__all__ = ["ShardStream"]

ItemT = TypeVar("ItemT")

_BUFFER = 2  # apart from what else is drawn by (seed, epoch, reader)


def told(
    path: Path, sample: ShardSample, max_bad_cues: float = MAX_BAD_CUES
) -> str | list[Caption]:
    """Return what is said in a sample.

    Args:
        path: Its shard, for what errors say.
        sample: With its texts read.
        max_bad_cues: The share of its captions that may be unreadable, and are left out.

    Returns:
        Its captions, sorted by their start, or the one text that it has of the whole.

    Raises:
        NoCaptionsError: If there is none.
        TranscriptError: If it cannot be read.

    Example:
        >>> told(Path("00000.tar"), ShardSample("000000012", {"txt": b"two apples"}))
        'two apples'
    """
    where = f"{path}, sample {sample.key}"
    record = _json(where, sample.files.get("json", b"{}"))
    if isinstance(record.get("captions"), dict):
        try:
            track = validate_captions(record["captions"], leave_out=True)
            captions = require_most(track, max_bad_cues).transcript()
        except (TranscriptError, RecursionError) as error:  # lists in lists, which it describes
            message = f"{where}: {error}"
            raise TranscriptError(message) from error
        if captions:
            return captions
    given = record.get("caption")
    text = _text(where, "txt", sample.files["txt"]) if "txt" in sample.files else given
    if text is None or text == "" or str(text).isspace():
        message = f"{where} has no caption, neither captions or caption in a .json nor a .txt"
        raise NoCaptionsError(message)
    if not isinstance(text, str):
        message = f"{where}: expected a string for its caption, got {text!r:.80}"
        raise TranscriptError(message)
    return text.strip()


class _Numbered(NamedTuple):
    number: int  # among the samples of all shards
    shard: Shard
    sample: ShardSample

    @property
    def id(self) -> str:
        return self.shard.prefix + self.sample.id


@dataclass
class _Progress:
    given: int  # samples of an epoch that its reader gave before the training was stopped
    passed: int = 0


class ShardStream(IterableDataset[Sample]):
    """Stream narrations out of shards, each loader's worker of each process from its own.

    A sample has a video and its captions (``.json``, as ``vtlearn data pack`` writes it), or a
    video or picture and one text (``.txt``, or ``caption`` in a ``.json``, as img2dataset has it).
    A text of a whole video lasts as long as it; a picture is a video of one frame, and its
    narration has one clip. Other members are ignored. A narration's id is the sample's key, or the
    ``id`` in the ``.json`` whose dots the key has escaped; where these repeat across the shards,
    ``<shard>/<id>``.

    Every reader gives the same number of samples, which is known before anything is read, so that
    all processes take equally many steps. The rest is left out, another rest each epoch. A sample
    that cannot be read is noted, one without captions skipped, and the next of the same reader
    takes its place; a reader that runs out begins its shards again.

    Args:
        index: The shards, from :func:`~vtlearn.media.webdataset.index.open_shards`.
        reading: How samples are read; from pixels alone. What is drawn is a function of (seed,
            epoch, sample), and the order of (seed, epoch) and the numbers of processes and workers.
        shuffle_buffer: Samples among which each reader draws the next one. They lie in memory as
            they are in the shards, encoded: a worker holds as many videos.
        process: This process.
        workers: Workers of each process's loader; 1 where it reads itself.
        samples_per_reader: How many samples each reader gives; None for as many as all can.

    Attributes:
        unreadable: The account of what could not be read.

    Raises:
        ArgumentError: If there are too few shards or samples for so many readers, or the buffer
            holds nothing.
    """

    def __init__(
        self,
        index: ShardIndex,
        *,
        reading: Reading | None = None,
        shuffle_buffer: int = 32,
        process: Process | None = None,
        workers: int = 1,
        samples_per_reader: int | None = None,
    ) -> None:
        reading = reading or Reading()
        if reading.features is not None:
            message = (
                f"features={reading.features}: shards hold pixels; leave it out, or train on a "
                "corpus of files"
            )
            raise ArgumentError(message)
        if shuffle_buffer < 1:
            message = f"shuffle_buffer={shuffle_buffer} has to be 1, for no shuffling, or more"
            raise ArgumentError(message)
        self.index = index
        self.reading = reading
        self.shuffle_buffer = shuffle_buffer
        self.process = process or Process(0, 1)
        self.workers = workers
        self.samples_per_reader = self._share(samples_per_reader)
        self.unreadable = UnreadableLog(reading.report, index.keys, reading.max_unreadable_fraction)
        self._narrations = NarrationReader(ClipLoader(reading))
        # in memory that workers share: those that outlive an epoch learn of the next one by it
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._begin = torch.zeros(3, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Return how many samples this process gives in an epoch."""
        return self.samples_per_reader * self.workers

    def __iter__(self) -> Iterator[Sample]:
        """Begin the epoch that was last set, with this worker's share of the shards."""
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        if workers != self.workers:
            message = f"{workers} workers read a stream that was made for workers={self.workers}"
            raise ArgumentError(message)
        epoch = int(self._epoch)
        begun, batches, batch_size = self._begin.tolist()
        done = batches if begun == epoch else 0
        # so that the worker that is asked first is the reader whose turn it is
        reader = (number + done) % workers
        given = batch_size * len(range(reader, done, workers))
        return self._epoch_of(epoch, reader, given)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iterating begins with, in workers that run already too.

        Args:
            epoch: From 0.
        """
        self._epoch.fill_(epoch)

    def begin_at(self, epoch: int, batch: int, batch_size: int) -> None:
        """Begin within an epoch: each reader skips what it has given, without decoding it.

        Args:
            epoch: From 0; all others begin with their first sample.
            batch: How many batches this process has had of it, from its readers in turn.
            batch_size: Samples of each.
        """
        self._begin.copy_(torch.tensor([epoch, batch, batch_size]))

    def texts(self) -> Iterator[str]:
        """Yield every caption, shard by shard, but for damaged ones; videos are skipped."""
        for shard in self.index.shards:
            for sample in read_pairs(shard.path, TEXTS):
                try:
                    said = told(shard.path, sample, self.reading.max_bad_cues)
                except NoCaptionsError:
                    continue
                except TranscriptError as error:
                    self.unreadable.add(Unreadable.of(shard.prefix + sample.id, error))
                    continue
                yield from [said] if isinstance(said, str) else [caption.text for caption in said]

    def _share(self, samples: int | None) -> int:
        sizes = [shard.samples for shard in self.index.shards]
        most = even_share(sizes, world=self.process.world, workers=self.workers)
        if samples is not None and not 0 < samples <= most:
            message = f"samples_per_reader={samples} has to be from 1 to {most} with these shards"
            raise ArgumentError(message)
        return most if samples is None else samples

    def _epoch_of(self, epoch: int, worker: int, given: int) -> Iterator[Sample]:
        """Read a reader's samples of an epoch, but for the first ones, which it has given."""
        progress = _Progress(given)
        for turn in count():
            for sample in self._turn(epoch, worker, turn, progress):
                progress.passed += 1
                if sample is not None:
                    yield sample
                if progress.passed == self.samples_per_reader:
                    return

    def _turn(
        self, epoch: int, worker: int, turn: int, progress: "_Progress"
    ) -> Iterator[Sample | None]:
        """Read all shards of a reader once; it begins them again where an epoch needs more.

        What has been given is counted as it was, and not decoded: what turned out to be unreadable
        is known by now.
        """
        first = turn * len(self.index.keys)  # nothing is drawn twice alike

        def reads(each: _Numbered) -> Callable[[], Sample | None]:
            if progress.passed < progress.given:
                return partial(self._skip, each)
            return partial(self._read, each, SampleKey(epoch, first + each.number))

        candidates = ((each.id, reads(each)) for each in self._shuffled(epoch, worker, turn))
        return read_or_replace(candidates, self.unreadable)

    def _skip(self, each: _Numbered) -> None:
        """Refuse a sample without captions, as reading it would."""
        told(each.shard.path, each.sample, self.reading.max_bad_cues)

    def _shuffled(self, epoch: int, worker: int, turn: int) -> Iterator[_Numbered]:
        own = deal_shards(
            [shard.samples for shard in self.index.shards],
            seed=self.reading.seed,
            epoch=epoch,
            rank=self.process.rank,
            world=self.process.world,
            worker=worker,
            workers=self.workers,
        )
        reader = self.process.rank * self.workers + worker
        rng = np.random.default_rng((self.reading.seed, epoch, reader, _BUFFER, turn))
        return _through_buffer(self._samples(own), self.shuffle_buffer, rng)

    def _samples(self, shards: Sequence[int]) -> Iterator[_Numbered]:
        firsts = np.cumsum([0, *(shard.samples for shard in self.index.shards)]).tolist()
        for number in shards:
            shard = self.index.shards[number]
            place = 0
            for place, sample in enumerate(read_pairs(shard.path), 1):
                yield _Numbered(firsts[number] + place - 1, shard, sample)
            if place != shard.samples:
                message = f"{shard.path} holds {place} samples, but its index says {shard.samples}"
                raise ShardError(message)

    def _read(self, each: _Numbered, key: SampleKey) -> Sample:
        sample = each.sample
        name = f"{each.shard.path}/{sample.key}.{sample.media}"
        source = VideoBytes(name, _media(sample))
        captions = self._captions(each, source)
        return self._narrations.read(each.id, source, captions, generator(self.reading.seed, key))

    def _captions(self, each: _Numbered, source: VideoBytes) -> Sequence[Caption]:
        said = told(each.shard.path, each.sample, self.reading.max_bad_cues)
        if not isinstance(said, str):
            return said
        if each.sample.media in PICTURES:
            return [Caption(0.0, 0.0, said)]
        found = probe(source, self.reading.time_budget)
        if isinstance(found, UnreadableVideoError):
            raise found
        return [Caption(0.0, found.duration, said)]


def _through_buffer(items: Iterator[ItemT], size: int, rng: np.random.Generator) -> Iterator[ItemT]:
    """Shuffle a stream as far as a buffer reaches."""
    buffer: list[ItemT] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = int(rng.integers(size))
        chosen, buffer[place] = buffer[place], item
        yield chosen
    for place in rng.permutation(len(buffer)).tolist():
        yield buffer[place]


def _media(sample: ShardSample) -> bytes:
    return sample.files[sample.media] if sample.media is not None else b""


def _json(where: str, data: bytes) -> dict[str, Any]:
    text = _text(where, "json", data)
    try:
        record = parse_json(text)
    except (ValueError, RecursionError) as error:  # a file of nothing but brackets
        message = f"{where}: its .json cannot be read: {error}"
        raise TranscriptError(message) from error
    if record and not isinstance(record, dict):
        message = (
            f"{where}: its .json has neither captions nor a caption: expected an object, got a "
            f"{type(record).__name__}"
        )
        raise TranscriptError(message)
    return record or {}


def _text(where: str, extension: str, data: bytes) -> str:
    try:
        return decode_text(data, f"{where}.{extension}")
    except TranscriptError as error:
        message = f"{where}: its .{extension} cannot be read: {error}"
        raise TranscriptError(message) from error
