"""Clips and the texts that are written of them: listed, trained on, and scored."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from vtlearn.batch import Sample
from vtlearn.checks import allowed_count
from vtlearn.datasets.base import Corpus, VideoCorpus
from vtlearn.datasets.clips import ClipLoader, TimedClips
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.files import locate_videos
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.spans import UniformWindows, clip_start
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    LostClipsError,
    OutsideCaptionsError,
)
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.extent import captions_within
from vtlearn.storage.strings import Strings

__all__ = ["CaptionedClip", "CaptionedCorpus", "SegmentCorpus", "captioned_items"]

_SHOWN = 5  # ids of missing videos that a message names

#: The texts of each clip, by their ids.
Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CaptionedClip:
    """A clip of a video and what is written of it; a corpus lists them.

    Attributes:
        id: The clip's id.
        video: The id of the video that it is in; of stored features too.
        path: The file that it is in.
        start: Where it begins in the file, in seconds.
        end: Where it ends in the file, in seconds; None where it lasts until the file ends.
        texts: Its captions.
        text_ids: Their ids, as many as there are captions.

    Example:
        >>> path, texts, text_ids = Path("video7.mp4"), ("a dog barks",), ("video7#0",)
        >>> CaptionedClip("video7", "video7", path, 0.0, None, texts, text_ids).texts
        ('a dog barks',)
    """

    id: str
    video: str
    path: Path
    start: float
    end: float | None
    texts: tuple[str, ...]
    text_ids: tuple[str, ...]


class CaptionedCorpus(Corpus):
    """Clips with written captions: a sample is a moment of a clip and one of its captions.

    Both are drawn anew in each epoch; with ``sampling.whole`` the moment is the whole clip. Where
    ``sampling.candidates`` is more than 1, other captions of the clip follow the first, each at
    most once; where it has fewer, the first is repeated. A clip that is wholly outside its video's
    frames is left out, which is logged.

    Args:
        clips: What there is; each has a caption at least.
        reading: How they are read. A sample is one moment, whatever ``sampling.num_clips`` is.

    Raises:
        ArgumentError: If ``reading`` asks for what only captions of speech have.

    Example:
        >>> path, text_ids = Path("video7.mp4"), ("video7#0",)
        >>> clip = CaptionedClip("video7", "video7", path, 0.0, None, ("a dog",), text_ids)
        >>> corpus = CaptionedCorpus([clip], Reading())
        >>> len(corpus), list(corpus.texts())
        (1, ['a dog'])
    """

    def __init__(self, clips: Sequence[CaptionedClip], reading: Reading) -> None:
        super().__init__(Strings.of(clip.id for clip in clips), reading)
        if reading.sampling.min_seconds or reading.sampling.repeat_last:
            message = (
                "sampling.min_seconds and sampling.repeat_last are for captions of speech; written "
                "captions are of a whole clip: leave them out"
            )
            raise ArgumentError(message)
        if reading.overlap is not None:
            message = (
                "overlap joins captions of speech that follow each other; written captions are of "
                "a whole clip: leave it out"
            )
            raise ArgumentError(message)
        self.clips = clips
        self._loader = ClipLoader(reading)

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw a moment of a clip, and one of its captions.

        Args:
            index: The clip's place in ``ids``.
            rng: Where randomness comes from.

        Raises:
            UnreadableVideoError: If the clip's file cannot be read.
            OutsideCaptionsError: If the clip's file shows nothing in the time of the clip.
            LostClipsError: If frames of what was drawn are lost.
        """
        clip = self.clips[index]
        order = rng.permutation(len(clip.texts)).tolist()[: self.reading.sampling.candidates]
        order += order[:1] * (self.reading.sampling.candidates - len(order))
        drawn = self._drawn(str(clip.path), *self._shown(clip), rng)
        if not drawn.readable.all():
            raise LostClipsError(clip.id, [start for start, _ in drawn.spans])
        return Sample(
            clip.id,
            drawn.frames,
            torch.tensor(drawn.spans, dtype=torch.float64),
            torch.tensor(drawn.frame_length),
            texts=[clip.texts[number] for number in order],
            text_spans=torch.full((1, 2), torch.nan, dtype=torch.float64),
            text_ids=[],
            candidates=self.reading.sampling.candidates,
        )

    def _shown(self, clip: CaptionedClip) -> tuple[float, float]:
        """Return the time of a clip, as evaluation reads it; its file has to show some of it."""
        path = str(clip.path)
        end = self._loader.duration(path) if clip.end is None else clip.end
        first, last = self._loader.extent(path)
        if not captions_within([Caption(clip.start, end, "")], first, last):
            raise OutsideCaptionsError(clip.id, len(clip.texts), first, last)
        return clip.start, end

    def _drawn(self, path: str, start: float, end: float, rng: np.random.Generator) -> TimedClips:
        """Read the whole of a clip, or a moment of it."""
        if self.reading.sampling.whole:
            return self._loader.draw_spans(path, [(start, end)], rng)
        seconds, floor = self._loader.clip_seconds(path), self.reading.sampling.floor_seconds
        starts = [clip_start(start, end, seconds, rng, floor_seconds=floor)]
        return TimedClips.of(self._loader.draw(path, starts, rng), starts, self._loader.rate(path))

    def texts(self) -> Iterator[str]:
        """Yield every caption, clip by clip."""
        return chain.from_iterable(clip.texts for clip in self.clips)

    def source(self, index: int) -> str:
        """Return the file that a clip is in.

        Args:
            index: Its place in ``ids``.
        """
        return str(self.clips[index].path)


class SegmentCorpus(VideoCorpus):
    """Annotated videos: a sample is a run of a video's segments, with a clip in each.

    Args:
        clips: The segments of all videos in any order, with an end and one text each.
        reading: How they are read.

    Raises:
        ArgumentError: If a segment has no end, or more or fewer texts.

    Example:
        >>> path, text_ids = Path("v.mp4"), ("v_0",)
        >>> segment = CaptionedClip("v_0", "v", path, 3.0, 9.0, ("add ham",), text_ids)
        >>> corpus = SegmentCorpus([segment], Reading())
        >>> list(corpus.ids), list(corpus.texts())
        (['v'], ['add ham'])
    """

    def __init__(self, clips: Sequence[CaptionedClip], reading: Reading) -> None:
        said: dict[str, list[Caption]] = {}
        paths: dict[str, str] = {}
        for clip in clips:
            if clip.end is None or len(clip.texts) != 1:
                message = (
                    f"the segment {clip.id} has to have an end and one text, and has the end "
                    f"{clip.end} and {len(clip.texts)} texts: use CaptionedCorpus for such clips"
                )
                raise ArgumentError(message)
            said.setdefault(clip.video, []).append(Caption(clip.start, clip.end, clip.texts[0]))
            paths[clip.video] = str(clip.path)
        captions = [sorted(segments) for segments in said.values()]
        super().__init__(list(said), list(paths.values()), captions, reading)


def captioned_items(clips: Sequence[CaptionedClip], windows: int) -> list[EvaluationItem]:
    """List clips to be scored, by windows spread evenly over each.

    Args:
        clips: The clips.
        windows: How many windows of each.

    Returns:
        An item per clip, with its texts.
    """
    return [
        EvaluationItem(
            clip.id,
            clip.path,
            UniformWindows(clip.start, clip.end, windows),
            clip.texts,
            clip.text_ids,
        )
        for clip in clips
    ]


def list_clips(videos: Path, texts: Texts) -> list[CaptionedClip]:
    """List clips that are files of their own, wherever these are below a folder.

    Args:
        videos: The folder.
        texts: Their texts, by the ids of the clips and of the texts.

    Returns:
        The clips in the order of the texts. A file may not be there.

    Raises:
        ArgumentError: If several files have the id of one clip.
    """
    paths = locate_videos(videos, list(texts))
    return [
        CaptionedClip(one, one, paths[one], 0.0, None, tuple(own.values()), tuple(own))
        for one, own in texts.items()
    ]


def list_segments(videos: Path, annotated: Mapping[str, Sequence[Caption]]) -> list[CaptionedClip]:
    """List the annotated segments of videos, wherever their files are below a folder.

    Args:
        videos: The folder.
        annotated: The segments of each video, in the order of their annotation.

    Returns:
        A clip for each segment, with one text; its id, and that of the text, are
        ``<video>_<k>``, k from 0. A file may not be there.

    Raises:
        ArgumentError: If several files have the id of one video.
    """
    paths = locate_videos(videos, list(annotated))
    return [
        CaptionedClip(
            *(f"{video}_{k}", video, paths[video], start, end, (text,), (f"{video}_{k}",))
        )
        for video, segments in annotated.items()
        for k, (start, end, text) in enumerate(segments)
    ]


def require_clips(
    corpus: str,
    clips: Sequence[CaptionedClip],
    listed: Path,
    source: str,
    max_missing: float,
    check: str,
    *,
    items: str = "videos",
    named: str = "<id>.mp4",
) -> None:
    """Refuse to continue where more videos are not there than may be.

    Args:
        corpus: The corpus's name.
        clips: What should be there.
        listed: The file that lists them.
        source: Where the corpus's authors publish it.
        max_missing: How many videos may be missing; a share of them, if it is a float, which
            allows one if it is above 0.
        check: The arguments of ``vtlearn data check`` for this corpus.
        items: What they are, where they are not videos.
        named: What their files are called.

    Raises:
        CorpusNotFoundError: If no file at all is there.
        ArgumentError: If too many are not.
    """
    videos: set[str] = set()
    missing: dict[str, Path] = {}
    for clip in clips:
        if clip.video not in videos and not clip.path.exists():
            missing[clip.video] = clip.path
        videos.add(clip.video)
    where = common_folder([path.parent for path in missing.values()]) if missing else ""
    if missing and len(missing) == len(videos):
        lines = [f"{where}: the {items} listed in {listed}, {named}  (there are none)"]
        raise CorpusNotFoundError(corpus, lines, source)
    is_share = isinstance(max_missing, float)
    allowed = allowed_count(max_missing, len(videos)) if is_share else max_missing
    if len(missing) > allowed:
        share = math.ceil(100 * len(missing) / len(videos)) / 100
        first = ", ".join(list(missing)[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        option = f"--data.init_args.max_unreadable_fraction={share}"
        if not is_share:
            option = f"--data.init_args.max_unreadable={len(missing)} (in training, {option})"
        message = (
            f"{len(missing)} of {len(videos)} {items} listed in {listed} are missing under "
            f"{where}: {first}. Download them (`vtlearn data check {check}` lists all), or pass "
            f"{option} to continue without them{f' (now {allowed} may be)' if allowed else ''}"
        )
        raise ArgumentError(message)


def common_folder(paths: Sequence[Path]) -> str:
    """Return the folder that all paths are in, or are.

    Args:
        paths: One or more, relative and absolute ones alike.

    Example:
        >>> common_folder([Path("a/b/c.json"), Path("a/d")])
        'a'
    """
    if len({path.is_absolute() for path in paths}) > 1:  # which os.path refuses
        paths = [path.absolute() for path in paths]
    return os.path.commonpath(paths)
