"""What all corpora share: ids, samples drawn by a key, and an account of what cannot be read."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from torch.utils.data import Dataset

from vtlearn.batch import Sample, Unreadable
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.datasets.unreadable import UnreadableLog, read_or_record, read_or_replace
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.manifest import Rendered
from vtlearn.media.captions.caption import Caption

__all__ = ["Corpus", "SampleKey", "VideoCorpus"]


class SampleKey(NamedTuple):
    """Which sample of which epoch: all that its random choices depend on, beside the seed.

    Attributes:
        epoch: From 0.
        sample: Position in the corpus.
    """

    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a corpus should hold, for ``vtlearn data check`` to compare with what it does hold.

    Attributes:
        corpus: Its name.
        videos: The folder of its videos.
        captions: Its captions, a folder or one file of all; or the ids of the videos that have
            texts, where these are no transcripts.
        listed: The ids it should have; None for all that have a video or captions.
        durations: Seconds that videos are said to last, by id.
        rendered: What Kitchen's frames were when it was rendered; None for any other corpus.
        files: The file of each id, which may not be there, where ids are not names of videos; None
            for the videos below the folder.
        items: What they are: videos or pictures.
        damaged: Why the texts of some ids cannot be used, where ``captions`` are ids.
    """

    corpus: str
    videos: Path
    captions: Path | Collection[str]
    listed: Sequence[str] | None = None
    durations: Mapping[str, float] | None = None
    rendered: Rendered | None = None
    files: Mapping[str, Path] | None = None
    items: str = "videos"
    damaged: Mapping[str, str] | None = None


class Corpus(Dataset[Sample], ABC):
    """What is trained on: samples by ``SampleKey``, and an account of what could not be read.

    A subclass lists what there is, and draws a sample of one of them.

    Args:
        ids: What an epoch has a sample of each; a million of them are no burden on workers as
            :class:`~vtlearn.storage.strings.Strings`.
        reading: How they are read.

    Attributes:
        ids: As given.
        reading: As given.
        unreadable: The account of what could not be read.
    """

    def __init__(self, ids: Sequence[str], reading: Reading) -> None:
        self.ids = ids
        self.reading = reading
        self.unreadable = UnreadableLog(reading.report, ids, reading.max_unreadable_fraction)

    def __len__(self) -> int:
        """Return how many samples an epoch has."""
        return len(self.ids)

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Draw a sample.

        Args:
            key: Which sample of which epoch; an integer is a sample of epoch 0.

        Returns:
            The sample; or, where it cannot be read, another one in its place.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
        """
        if isinstance(key, int):
            key = SampleKey(0, key)
        if not 0 <= key.sample < len(self):
            raise IndexError(key.sample)

        def draw(index: int) -> Sample:
            return self.draw(index, generator(self.reading.seed, key))

        order = self.replacements(key)
        candidates = ((self.ids[index], partial(draw, index)) for index in order)
        return next(read_or_replace(candidates, self.unreadable))

    def replacements(self, key: SampleKey) -> Iterator[int]:
        """Order the samples to try: the one that was drawn, then others in its place.

        Override it where not every sample may stand for another. The order has to be a function of
        the seed and the key.

        Args:
            key: Which one was drawn, of which epoch.

        Yields:
            Places in ``ids``, each once.
        """
        yield from replacements(len(self), key, self.reading.seed)

    @abstractmethod
    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw a sample of one of the ids.

        Args:
            index: Its place in ``ids``.
            rng: Where randomness comes from.

        Raises:
            UnreadableVideoError: If it cannot be read.
            TranscriptError: If its captions cannot be.
            LostClipsError: If it can be read, but nothing of what was drawn.
        """

    @abstractmethod
    def texts(self) -> Iterator[str]:
        """Yield every training text, in the order of ``ids``, but for damaged ones."""

    @abstractmethod
    def source(self, index: int) -> str:
        """Return where a sample's video is read from: its file, or its id in a feature store.

        Args:
            index: Its place in ``ids``.
        """

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say what there should be below a folder.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If what says so is not there.
            ArgumentError: If this corpus cannot say.
        """
        message = f"{cls.__name__} in {root} does not say what it should hold"
        raise ArgumentError(message)


class Captions(Protocol):
    """What is said in each video of a corpus, by its position."""

    def __getitem__(self, index: int) -> list[Caption]:
        """Return the captions of a video, sorted by their start."""


class VideoCorpus(Corpus):
    """Narrated videos: a sample is a run of a video's captions with one clip each.

    Args:
        ids: The videos.
        sources: Where each is read from: its file, or its id in a feature store.
        captions: What is said in each.
        reading: How they are read.

    Example:
        >>> said = [[Caption(0.0, 2.0, "chop"), Caption(2.0, 5.0, "stir")]]
        >>> corpus = VideoCorpus(["v"], ["v.mp4"], said, Reading())
        >>> len(corpus), list(corpus.texts())
        (1, ['chop', 'stir'])
    """

    def __init__(
        self, ids: Sequence[str], sources: Sequence[str], captions: Captions, reading: Reading
    ) -> None:
        super().__init__(ids, reading)
        self._sources = sources
        self._captions = captions
        self._narrations = NarrationReader(ClipLoader(reading))

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw a narration: ``num_clips`` clips, with ``candidates`` captions each.

        Args:
            index: The video's place in ``ids``.
            rng: Where randomness comes from.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            TranscriptError: If its captions are damaged, or there are none.
            LostClipsError: If none of the clips that were drawn has a frame.
        """
        captions = self._captions[index]
        return self._narrations.read(self.ids[index], self._sources[index], captions, rng)

    def source(self, index: int) -> str:
        """Return where a video is read from: its file, or its id in a feature store.

        Args:
            index: Its place in ``ids``.
        """
        return self._sources[index]

    def transcript(self, video_id: str) -> list[Caption]:
        """Return a video's captions, sorted by their start.

        Args:
            video_id: One of ``ids``.

        Raises:
            KeyError: If there is no such video.
            TranscriptError: If they are damaged, or there are none.
        """
        try:
            index = self.ids.index(video_id)
        except ValueError as error:
            raise KeyError(video_id) from error
        return self._captions[index]

    def texts(self) -> Iterator[str]:
        """Yield every caption, video by video in the order of ``ids``, but for damaged ones."""
        for index, video_id in enumerate(self.ids):
            found = read_or_record(video_id, partial(self._captions.__getitem__, index))
            if isinstance(found, Unreadable):
                self.unreadable.add(found)
            else:
                yield from (caption.text for caption in found)


def generator(seed: int, key: SampleKey) -> np.random.Generator:
    """Make the generator of one sample: a function of (seed, epoch, sample) and nothing else.

    Example:
        >>> a, b = (generator(0, SampleKey(epoch=3, sample=7)).random() for _ in range(2))
        >>> a == b
        True
    """
    return np.random.default_rng((seed, key.epoch, key.sample))


def replacements(count: int, key: SampleKey, seed: int) -> Iterator[int]:
    """Order the samples of a corpus to try: the one that was drawn, then others in its place.

    The order is a function of (seed, epoch, sample), so that any number of workers and processes
    trains on the same videos.

    Args:
        count: How many samples the corpus has.
        key: Which one was drawn, of which epoch.
        seed: The corpus's.

    Yields:
        Positions in the corpus, each once.

    Example:
        >>> list(replacements(4, SampleKey(epoch=0, sample=2), seed=0))
        [2, 1, 3, 0]
    """
    yield key.sample
    # another stream than the sample's own, so that replacing draws nothing from it
    rng = np.random.default_rng((seed, key.epoch, key.sample, 1))
    others: Iterable[int] = rng.permutation(count)
    yield from (int(index) for index in others if index != key.sample)
