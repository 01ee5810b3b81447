"""Which videos of a corpus are held out of training, and the captions that they are scored by.

Both are chosen by hash: alike in every process, in any order of the videos, and whatever other
videos are added.
"""

import hashlib
import logging
import math
from collections.abc import Collection, Container, Iterable, Iterator
from functools import partial
from heapq import nsmallest
from pathlib import Path
from typing import NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.datasets.base import Corpus, VideoCorpus
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.extent import captions_within
from vtlearn.media.ids import video_stem
from vtlearn.unicode import escape_name

__all__ = ["HeldOutCaption", "held_out_captions"]

_LOG = logging.getLogger(__name__)
_MOST = 1000  # captions
_UNKNOWN = (-math.inf, math.inf)


class HeldOutCaption(NamedTuple):
    """A caption of a video that is held out, and the time that the video lasts.

    Attributes:
        id: The video's id, ``#`` and the caption's number in it.
        source: The video's file; or, as a string, its id where features are read.
        caption: The caption; of one that is partly outside the video, the part inside.
        first: When the video's first frame is shown, in seconds; -inf where that is not known.
        last: When its last one ends; inf where that is not known.
    """

    id: str
    source: Path | str
    caption: Caption
    first: float
    last: float

    def middle(self, clip_seconds: float) -> float:
        """Place a window in the middle of the caption's time, inside the video if it fits there.

        Args:
            clip_seconds: How long the window is.

        Returns:
            When it starts, in seconds.

        Example:
            >>> caption = HeldOutCaption("v#0", Path("v.mp4"), Caption(2.0, 4.0, "stir"), 0.0, 9.0)
            >>> caption.middle(1.0), caption.middle(5.0), caption.middle(99.0)
            (2.5, 0.5, 0.0)
        """
        centred = (self.caption.start + self.caption.end - clip_seconds) / 2
        return max(0.0, self.first, min(centred, self.last - clip_seconds))


def held_out_ids(ids: Collection[str], share: float) -> frozenset[str]:
    """Choose the videos to validate on: those whose hash, as a number below 1, is below a share.

    The hash is of a video's name without its folders, which its id has only as long as another
    video is called the same: one that is added moves no other.

    Args:
        ids: All videos.
        share: About how many of them; 0 for none.

    Returns:
        The ids, all or none of one name; at least those of one name, the one with the smallest
        hash, where the share is not 0.

    Example:
        >>> sorted(held_out_ids(["a", "b", "c"], 0.25))
        ['b', 'c']
    """
    if not share or not ids:
        return frozenset()
    chosen = frozenset(video_id for video_id in ids if _hash(_name(video_id)) < share)
    if not chosen:
        smallest = min(map(_name, ids), key=lambda name: (_hash(name), name))
        chosen = frozenset(video_id for video_id in ids if _name(video_id) == smallest)
    return chosen


def held_out_names(ids: Iterable[str]) -> frozenset[str]:
    """Return what videos that are held out are called in other corpora: their names, no folders.

    Args:
        ids: Their ids.

    Example:
        >>> sorted(held_out_names(["lesson1/part1", "lesson2/part1", "1. Intro"]))
        ['1. Intro', 'part1']
    """
    return frozenset(map(_name, ids))


def first_trained_on(corpus: Corpus | ShardStream, names: Container[str]) -> str | None:
    """Look for a video that is held out elsewhere among those that a corpus trains on.

    Args:
        corpus: The corpus, whose samples may be parts of videos.
        names: What :func:`held_out_names` gave.

    Returns:
        The name of the first; None where there is none.
    """
    return next((name for name in _trained_names(corpus) if name in names), None)


def held_out_captions(corpus: VideoCorpus) -> list[HeldOutCaption]:
    """Choose the captions that a model is scored by: a thousand at most, by the hash of their ids.

    Those without a word are left out, and, which is logged, those that training leaves out as well:
    captions that are damaged, or said while their video shows nothing.

    Args:
        corpus: The videos that are held out; those of the captions are opened, to see how long they
            last.

    Returns:
        The captions, video by video in the order of the corpus.

    Raises:
        ArgumentError: If none is left.
    """
    numbered = nsmallest(_MOST, _numbered(corpus), key=lambda one: one.digest)
    loader = ClipLoader(corpus.reading)
    videos = sorted({one.video for one in numbered})
    extents = {place: _extent(corpus, place, loader) for place in videos}
    chosen: list[HeldOutCaption] = []
    for one in sorted(numbered, key=lambda one: (one.video, one.number)):
        name, source = f"{corpus.ids[one.video]}#{one.number}", _source(corpus, one.video)
        extent = extents[one.video]
        inside = captions_within([one.caption], *extent)
        chosen += [HeldOutCaption(name, source, each, *extent) for each in inside]
    outside = len(numbered) - len(chosen)
    if outside:
        message = "%d of %d held-out captions are outside their videos' frames, and are left out"
        _LOG.warning(message, outside, len(numbered))
    if not chosen:
        message = (
            f"holdout: none of the {len(corpus)} videos that are held out has a caption that can "
            "be used; raise data.init_args.holdout, or set it to 0 to train without validation"
        )
        raise ArgumentError(message)
    return chosen


def _name(video_id: str) -> str:
    return video_id.rpartition("/")[2]


def _trained_names(corpus: Corpus | ShardStream) -> Iterator[str]:
    """Yield all that the videos of a corpus may be called: by their samples, and by their files."""
    if isinstance(corpus, ShardStream):
        yield from map(_name, corpus.index.keys)
        return
    for index, sample_id in enumerate(corpus.ids):
        source = _name(corpus.source(index))
        yield from (_name(sample_id), source, escape_name(video_stem(source)))


def _hash(name: str) -> float:
    """Hash a string to a number from 0 to 1."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest) / 2**256


class _Numbered(NamedTuple):
    digest: bytes  # of its id
    video: int  # its place in the corpus
    number: int
    caption: Caption


def _numbered(corpus: VideoCorpus) -> Iterator[_Numbered]:
    """Yield all captions that say something."""
    damaged: list[Unreadable] = []
    for place, video_id in enumerate(corpus.ids):
        said = read_or_record(video_id, partial(corpus.transcript, video_id))
        if isinstance(said, Unreadable):
            damaged.append(said)
            continue
        for number, caption in enumerate(said):
            if caption.text.strip():
                name = f"{video_id}#{number}".encode("utf-8", "surrogatepass")
                yield _Numbered(hashlib.sha256(name).digest(), place, number, caption)
    if damaged:
        message = (
            "the captions of %d of %d held-out videos are damaged, and are left out (first: %s)"
        )
        _LOG.warning(message, len(damaged), len(corpus), damaged[0].reason)


def _extent(corpus: VideoCorpus, place: int, loader: ClipLoader) -> tuple[float, float]:
    """Look when a video begins and ends; of one that cannot be opened, reading it says so."""
    try:
        return loader.extent(_source(corpus, place))
    except UnreadableVideoError:
        return _UNKNOWN


def _source(corpus: VideoCorpus, place: int) -> Path | str:
    """Return a video's file, or its id in a feature store, which no path may be made of."""
    source = corpus.source(place)
    return Path(source) if corpus.reading.features is None else source
