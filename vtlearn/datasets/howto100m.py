"""HowTo100M, and every folder laid out like it: narrated videos with captions of speech."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vtlearn.batch import Narration, pad
from vtlearn.datasets.base import (
    Draw,
    Quarantine,
    find_videos,
    first_readable,
    generator,
    require_paths,
)
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    TranscriptError,
    UnreadableVideoError,
)
from vtlearn.media.sampling import clip_start, consecutive, nearest_captions, widen
from vtlearn.media.transcripts import Caption, read_captions, read_transcript
from vtlearn.media.video import VideoReader

__all__ = ["ClipSampling", "HowTo100M"]

_NAME = "HowTo100M"
_SOURCE = "https://www.di.ens.fr/willow/research/howto100m/"


@dataclass(frozen=True)
class ClipSampling:
    """How the clips of a narration are drawn from a video and its captions.

    Args:
        num_clips: Consecutive captions a narration has, one clip each; 1 for single clips
            (MIL-NCE).
        candidates: Captions a clip has: its own first, then the nearest others in time.
        num_frames: Frames a clip has.
        fps: Frames a second it is sampled at.
        size: Height and width in pixels it is scaled to.
        min_seconds: A caption shorter than this is widened on both sides before a start is drawn.
        repeat_last: Where a video has fewer captions, repeat the last one instead of padding.
        crop: The centre square, or a square at a random place, drawn for each clip.
        crop_pixels: Side of the random square in source pixels; None for the video's shorter side.
        flip: Probability that a clip is mirrored.
        pad: What a clip shows past the end of its video: the last frame, or black.

    Raises:
        ArgumentError: If a number is outside its range, or a word is none of those.

    Example:
        >>> ClipSampling(num_frames=8, fps=4.0).clip_seconds
        2.0
    """

    num_clips: int = 8
    candidates: int = 1
    num_frames: int = 32
    fps: float = 10.0
    size: int = 224
    min_seconds: float = 0.0
    repeat_last: bool = False
    crop: Literal["center", "random"] = "center"
    crop_pixels: int | None = None
    flip: float = 0.5
    pad: Literal["edge", "black"] = "edge"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        names = ("num_clips", "candidates", "num_frames", "fps", "size")
        wrong = {name: getattr(self, name) for name in names if getattr(self, name) <= 0}
        if wrong:
            message = f"clips cannot be drawn with {wrong}: each has to be positive"
            raise ArgumentError(message)
        if not 0 <= self.flip <= 1 or self.min_seconds < 0 or (self.crop_pixels or 1) < 1:
            message = (
                f"clips cannot be drawn with flip={self.flip}, a probability, "
                f"min_seconds={self.min_seconds}, 0 or more, and "
                f"crop_pixels={self.crop_pixels}, 1 or more"
            )
            raise ArgumentError(message)
        if self.crop not in ("center", "random") or self.pad not in ("edge", "black"):
            message = f"crop={self.crop!r} is center or random, pad={self.pad!r} edge or black"
            raise ArgumentError(message)

    @property
    def clip_seconds(self) -> float:
        """How long a clip lasts."""
        return self.num_frames / self.fps


class HowTo100M(Dataset[Narration]):
    """Runs of consecutive captions with one clip each.

    Layout: any folder of videos, however nested, whose names begin with the id; captions as one
        JSON or
    csv a video in a folder, or as one big ``caption.json`` or ``raw_caption.json``; optionally a
    csv whose column ``video_path`` lists what to use.

    Args:
        videos: Folder of the videos.
        captions: Folder of per-video captions, or one JSON file of all.
        video_list: csv with a column ``video_path``; None for every video with captions.
        sampling: How clips are drawn.
        seed: What is drawn is a function of (seed, epoch, sample).
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        quarantine: Where unreadable videos are written down.

    Raises:
        CorpusNotFoundError: If the files are not there, or nothing listed is.
        ArgumentError: If the list names videos that are not there.

    Source of the two samplings: VT-TWINS draws eight consecutive captions; MIL-NCE one caption with
    its nearest as candidates. Both published loaders cut times to whole seconds; here they stay
    float.
    """

    def __init__(
        self,
        videos: Path,
        captions: Path,
        *,
        video_list: Path | None = None,
        sampling: ClipSampling | None = None,
        seed: int = 0,
        max_unreadable_fraction: float = 0.01,
        quarantine: Path = Path("unreadable.jsonl"),
    ) -> None:
        self.sampling = sampling or ClipSampling()
        self.seed = seed
        _require(videos, captions, video_list)
        self._captions = captions
        self._all_captions = read_captions(captions) if captions.is_file() else None
        self.paths = _listed(find_videos(videos), video_list)
        self.ids = [video_id for video_id in self.paths if self._has_captions(video_id)]
        if not self.ids:
            lines = [f"{videos}: videos of which {captions} has captions  (there are none)"]
            raise CorpusNotFoundError(_NAME, lines, _SOURCE)
        self.quarantine = Quarantine(quarantine, self.ids, max_unreadable_fraction)
        self._reader = VideoReader()

    def __len__(self) -> int:
        """Return how many videos there are; a sample is one of them."""
        return len(self.ids)

    def __getitem__(self, draw: Draw | int) -> Narration:
        """Draw a narration.

        Args:
            draw: Which sample of which epoch; an integer is a sample of epoch 0.

        Returns:
            ``num_clips`` clips, packed and padded at the end, with ``candidates`` captions each. Of
            a video that cannot be read, another takes the place.

        Raises:
            TooManyUnreadableError: If more videos are unreadable than may be.
        """
        if isinstance(draw, int):
            draw = Draw(0, draw)
        if not 0 <= draw.sample < len(self):
            raise IndexError(draw.sample)

        def read(video_id: str) -> Narration:
            return self._narration(video_id, generator(self.seed, draw))

        return first_readable(self.ids, draw, self.seed, self.quarantine, read)

    def transcript(self, video_id: str) -> list[Caption]:
        """Return a video's captions, sorted by their start.

        Args:
            video_id: One of ``ids``.

        Raises:
            TranscriptError: If they are damaged, or there are none.
        """
        if self._all_captions is not None:
            return self._all_captions[video_id]
        return read_transcript(self._caption_path(video_id))

    def texts(self) -> Iterator[str]:
        """Yield every caption, video by video in the order of ``ids``, but for damaged ones."""
        for video_id in self.ids:
            try:
                yield from (caption.text for caption in self.transcript(video_id))
            except TranscriptError as error:
                self.quarantine.add(video_id, error)

    def _narration(self, video_id: str, rng: np.random.Generator) -> Narration:
        sampling, captions = self.sampling, self.transcript(video_id)
        chosen = list(consecutive(len(captions), sampling.num_clips, rng))
        if sampling.repeat_last:
            chosen += chosen[-1:] * (sampling.num_clips - len(chosen))
        starts = [self._start(captions[index], rng) for index in chosen]
        video, readable = self._clips(self.paths[video_id], starts, rng)
        chosen = [index for index, good in zip(chosen, readable, strict=True) if good]
        return self._pack(video_id, video, captions, chosen)

    def _start(self, caption: Caption, rng: np.random.Generator) -> float:
        start, end = widen(caption.start, caption.end, self.sampling.min_seconds)
        return clip_start(start, end, self.sampling.clip_seconds, rng)

    def _clips(
        self, path: Path, starts: list[float], rng: np.random.Generator
    ) -> tuple[Tensor, list[bool]]:
        """Read one clip a start; return the readable ones, and which they are."""
        sampling = self.sampling
        boxes = self._boxes(path, len(starts), rng)
        mirrored = rng.random(len(starts)) < sampling.flip
        clips = self._reader.clips(
            path,
            starts,
            num_frames=sampling.num_frames,
            fps=sampling.fps,
            size=sampling.size,
            crop="center" if boxes is None else boxes,
            pad=sampling.pad,
        )
        frames = clips.frames
        for clip in mirrored.nonzero()[0]:
            pixels = frames[clip].numpy()  # torch's threads cost more than this saves
            pixels[:] = pixels[..., ::-1].copy()
        readable = clips.valid.any(1)
        if not readable.any():
            reason = "none of the clips drawn from it has a frame"
            raise UnreadableVideoError(str(path), reason)
        return (frames if readable.all() else frames[readable]), readable.tolist()

    def _boxes(self, path: Path, count: int, rng: np.random.Generator) -> Tensor | None:
        if self.sampling.crop == "center":
            return None
        info = self._reader.probe(path)
        side = min(info.width, info.height, self.sampling.crop_pixels or info.height)
        tops = rng.integers(0, info.height - side + 1, count)
        lefts = rng.integers(0, info.width - side + 1, count)
        return torch.tensor(
            [[top, left, side, side] for top, left in zip(tops, lefts, strict=True)]
        )

    def _pack(
        self, video_id: str, video: Tensor, captions: list[Caption], chosen: list[int]
    ) -> Narration:
        missing = self.sampling.num_clips - len(chosen)
        spans = [(captions[index].start, captions[index].end) for index in chosen]
        all_spans = [(caption.start, caption.end) for caption in captions]
        near = [nearest_captions(all_spans, index, self.sampling.candidates) for index in chosen]
        return Narration(
            id=video_id,
            video=pad(video, self.sampling.num_clips),
            captions=[[captions[index].text for index in indices] for indices in near],
            spans=torch.tensor(spans + [(0.0, 0.0)] * missing, dtype=torch.float64),
            length=len(chosen),
        )

    def _caption_path(self, video_id: str) -> Path:
        json_path = self._captions / f"{video_id}.json"
        return json_path if json_path.exists() else self._captions / f"{video_id}.csv"

    def _has_captions(self, video_id: str) -> bool:
        if self._all_captions is not None:
            return bool(self._all_captions.get(video_id))
        return self._caption_path(video_id).exists()


def _require(videos: Path, captions: Path, video_list: Path | None) -> None:
    expected = {
        videos: "videos, <id>.mp4 or <id>.webm, nested as you like",
        captions: "captions, one <id>.json or <id>.csv a video (or one caption.json of all)",
    }
    if video_list is not None:
        expected[video_list] = "csv whose column video_path lists the videos to use"
    require_paths(_NAME, expected, _SOURCE)


def _listed(found: dict[str, Path], video_list: Path | None) -> dict[str, Path]:
    if video_list is None:
        return found
    with video_list.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        if rows.fieldnames is None or "video_path" not in rows.fieldnames:
            message = f"{video_list} has no column video_path; its columns are {rows.fieldnames}"
            raise ArgumentError(message)
        ids = [Path(row["video_path"] or "").name.split(".", 1)[0] for row in rows]
    missing = [video_id for video_id in ids if video_id not in found]
    if missing:
        message = (
            f"{len(missing)} of {len(ids)} videos listed in {video_list} are not on disk "
            f"(first: {missing[0]}); remove them from the list, or bring the files"
        )
        raise ArgumentError(message)
    return {video_id: found[video_id] for video_id in dict.fromkeys(ids)}
