"""HowTo100M, and every folder laid out like it: narrated videos with captions of speech."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from vtlearn.batch import Sample
from vtlearn.datasets.base import (
    Corpus,
    Quarantine,
    SampleKey,
    clip_reader,
    find_videos,
    first_readable,
    generator,
    require_paths,
)
from vtlearn.datasets.lists import read_video_list
from vtlearn.datasets.narrations import ClipSampling, NarrationReader
from vtlearn.errors import ArgumentError, CorpusNotFoundError, TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.index import open_captions
from vtlearn.media.features import FeatureReader
from vtlearn.media.strings import Strings

__all__ = ["ClipSampling", "HowTo100M"]

_LOG = logging.getLogger(__name__)
_NAME = "HowTo100M"
_SOURCE = "https://www.di.ens.fr/willow/research/howto100m/"


class HowTo100M(Corpus):
    """Runs of consecutive captions with one clip each.

    Layout: any folder of videos, however nested, whose names begin with the id; captions as one
    file a video in a folder, or as one file of all, in any of the layouts that
    :func:`~vtlearn.media.captions.index.open_captions` reads; optionally a csv whose column
    ``video_path`` lists what to use. A million videos are no burden on a loader's workers: ids,
    paths and captions lie in arrays that all of them share.

    Args:
        captions: Folder of per-video captions, or one file of all.
        videos: Folder of the videos; not needed where features are read.
        features: Folder of stored features to read in place of the videos' pixels.
        video_list: csv with a column ``video_path``; None for every video with captions.
        sampling: How clips are drawn.
        seed: What is drawn is a function of (seed, epoch, sample).
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        quarantine: Where unreadable videos are written down.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed. None lets it take its time.
        cache: Where the table of captions is kept; ``.vtlearn`` beside the captions by default.

    Attributes:
        ids: The videos that have captions.

    Raises:
        CorpusNotFoundError: If the files are not there, or nothing listed is.
        ArgumentError: If the list names videos that are not there.
    """

    def __init__(
        self,
        captions: Path,
        *,
        videos: Path | None = None,
        features: Path | None = None,
        video_list: Path | None = None,
        sampling: ClipSampling | None = None,
        seed: int = 0,
        max_unreadable_fraction: float = 0.01,
        quarantine: Path = Path("unreadable.jsonl"),
        time_budget: float | None = None,
        cache: Path | None = None,
    ) -> None:
        self.seed = seed
        _require(videos, captions, features, video_list)
        self._captions = open_captions(captions, cache=cache)
        found = _listed(_sources(videos, features), video_list)
        told = {video_id: path for video_id, path in found.items() if video_id in self._captions}
        if not told:
            where = features or videos
            lines = [f"{where}: videos of which {captions} has captions  (there are none)"]
            raise CorpusNotFoundError(_NAME, lines, _SOURCE)
        if len(told) < len(found):
            _LOG.warning("%d of %d videos have no captions", len(found) - len(told), len(found))
        self.ids: Sequence[str] = Strings.shared(told)
        self._sources: Sequence[str] = Strings.shared(told.values())
        self.quarantine = Quarantine(quarantine, self.ids, max_unreadable_fraction)
        reader = clip_reader(features, time_budget)
        self._reader = NarrationReader(sampling or ClipSampling(), reader)

    def __len__(self) -> int:
        """Return how many videos there are; a sample is one of them."""
        return len(self.ids)

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Draw a narration.

        Args:
            key: Which sample of which epoch; an integer is a sample of epoch 0.

        Returns:
            ``num_clips`` clips, or as many as can be read, with ``candidates`` captions each. A
            video that cannot be read is replaced by another.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
        """
        if isinstance(key, int):
            key = SampleKey(0, key)
        if not 0 <= key.sample < len(self):
            raise IndexError(key.sample)

        def read(index: int) -> Sample:
            captions = self.transcript(self.ids[index])
            rng = generator(self.seed, key)
            return self._reader.read(self.ids[index], self._sources[index], captions, rng)

        return first_readable(self.ids, key, self.seed, self.quarantine, read)

    def source(self, index: int) -> str:
        """Return where a video is read from: its path, or its id where features are read.

        Args:
            index: Its place in ``ids``.
        """
        return self._sources[index]

    def transcript(self, video_id: str) -> list[Caption]:
        """Return a video's captions, sorted by their start.

        Args:
            video_id: One of ``ids``.

        Raises:
            TranscriptError: If they are damaged, or there are none.
        """
        return self._captions[video_id]

    def texts(self) -> Iterator[str]:
        """Yield every caption, video by video in the order of ``ids``, but for damaged ones."""
        for video_id in self.ids:
            try:
                yield from (caption.text for caption in self.transcript(video_id))
            except TranscriptError as error:
                self.quarantine.add(video_id, error)


def _sources(videos: Path | None, features: Path | None) -> dict[str, str]:
    """Where each video is read from, by id: a path, or in a feature store the id itself."""
    if features is not None:
        return {video_id: video_id for video_id in FeatureReader(features).ids}
    return {} if videos is None else {i: str(path) for i, path in find_videos(videos).items()}


def _require(
    videos: Path | None, captions: Path, features: Path | None, video_list: Path | None
) -> None:
    if videos is None and features is None:
        message = (
            "give videos, the folder of the videos, or features, the folder of a feature store"
        )
        raise ArgumentError(message)
    expected = {
        captions: "captions, one <id>.json or <id>.csv a video (or one caption.json of all)"
    }
    if features is not None:
        expected[features] = "a feature store, as vtlearn predict and vtlearn data import write it"
    elif videos is not None:
        expected[videos] = "videos, <id>.mp4 or <id>.webm, nested as you like"
    if video_list is not None:
        expected[video_list] = "csv whose column video_path lists the videos to use"
    require_paths(_NAME, expected, _SOURCE)


def _listed(found: dict[str, str], video_list: Path | None) -> dict[str, str]:
    if video_list is None:
        return found
    ids = read_video_list(video_list)
    missing = [video_id for video_id in ids if video_id not in found]
    if missing:
        message = (
            f"{len(missing)} of {len(ids)} videos listed in {video_list} are not on disk "
            f"(first: {missing[0]}); remove them from the list, or bring the files"
        )
        raise ArgumentError(message)
    return {video_id: found[video_id] for video_id in ids}
