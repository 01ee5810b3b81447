"""YouCook2: find a step by its sentence, a whole video by all of its sentences, or write them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datasets import youcook2
from vtlearn.datasets.captioned import CaptionedClip, captioned_items
from vtlearn.datasets.clips import ClipLoader, duration_or
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.sampling.spans import UniformWindows, sliding_windows
from vtlearn.datasets.youcook2 import (
    annotation_files,
    read_recipe_types,
    read_video_durations,
    read_youcook2,
)
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.kitchen.layouts import KitchenYouCook2

__all__ = ["YouCook2"]

_LOG = logging.getLogger(__name__)

_BACKGROUND_SECONDS = 16.0  # of a window where videos come with their background


class YouCook2(BenchmarkData):
    """Train on YouCook2 and score retrieval of its segments and of its videos, or captions.

    A training sample is a run of a video's annotated segments. The protocols, on the validation
    split, are ``youcook2-clip@1``, where a sentence asks for its segment; ``youcook2-video@1``,
    where all sentences of a video ask for it, segment by segment; and
    ``youcook2-video-background@1``, the same on 16 s windows side by side of the whole video. With
    ``task: captioning`` it is ``youcook2-caption@1`` alone, what is written of each of the segments
    against its sentence, micro-averaged over all. There is no other split to validate by: a
    training keeps its last checkpoint.

    Args:
        root: The folder of videos and annotations; see
            :func:`~vtlearn.datasets.youcook2.read_youcook2`.
        background: Whether videos are scored with their background as well, which reads all of
            them.
        select: Whether only the windows nearest to any sentence, 1.3 per sentence, are aligned with
            a paragraph where there is background.
        order: Whether a video is looked for among those of its own type of recipe as well, which
            gives the metrics ``order``.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If a choice is unknown.

    Example:
        >>> YouCook2(Path("data/youcook2")).train_split
        'training'
    """

    train_split = "training"

    def __init__(
        self,
        root: Path = Path("data/youcook2"),
        *,
        background: bool = True,
        select: bool = True,
        order: bool = False,
        **benchmark: Any,
    ) -> None:
        super().__init__(root, **benchmark)
        if order and self.mode == "reference":
            message = (
                "order=true compares the videos of a type of recipe, which no published code does: "
                "leave it out with mode=reference"
            )
            raise ArgumentError(message)
        self.background, self.select, self.order = background, select, order
        self._durations: dict[str, float] = {}
        self._annotated: dict[str, float] = {}

    def train_dataset(self) -> youcook2.YouCook2:
        """Return runs of the training videos' segments."""
        return youcook2.YouCook2(self.clips(self.train_split), self.reading)

    def test_tasks(self) -> list[EvaluationTask]:
        """Return retrieval of clips and videos, which share a pass, and with background.

        Or, with ``task: captioning``, captions of the clips.
        """
        clips = self.clips("validation")
        files = annotation_files(self.root, "validation")
        if files[0].suffix != ".csv":
            _LOG.warning(
                "there is no validation_youcook.csv: all validation segments of %s are scored, "
                "and not those that published figures are of",
                files[0],
            )
        if self.writes:
            task = self.captioning("youcook2-caption", 1, clips)
            return [self.annotated(task, "validation", files)]
        videos = _by_video(clips)
        one = self.retrieval_protocol("youcook2-clip", 1, clips, self.windows)
        sequences = {video: [clip.id for clip in own] for video, own in videos.items()}
        windows = self.describe_windows(self.windows)
        whole = self._full_video("youcook2-video", videos, sequences, windows=windows)
        tasks = [self.task([one, whole], captioned_items(clips, self.windows))]
        if self.background:
            tasks.append(self._with_background(videos))
        return [self.annotated(task, "validation", files) for task in tasks]

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenYouCook2(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the segments of ``training`` or ``validation``.

        Args:
            split: Its name.
            max_missing: How many of the videos may lack their files; None for any number.
        """
        return read_youcook2(self.root, split, videos=self.videos_root, max_missing=max_missing)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all videos."""
        return self.files_of(["training", "validation"])

    def _full_video(
        self,
        name: str,
        videos: Mapping[str, Sequence[CaptionedClip]],
        sequences: Mapping[str, Sequence[str]],
        *,
        windows: str,
        select: bool = False,
    ) -> FullVideo:
        types = read_recipe_types(self.root, "validation") if self.order else None
        return FullVideo(
            name,
            1,
            sequences,
            {video: _paragraph(own) for video, own in videos.items()},
            windows=windows,
            select=select,
            groups=types and {video: types[video] for video in videos},
            pooling=self.pooling,
            mode=self.mode,
        )

    def _with_background(self, videos: Mapping[str, Sequence[CaptionedClip]]) -> EvaluationTask:
        self._annotated = read_video_durations(self.root)
        loader = ClipLoader(self.reading)
        items = {video: self._windows(loader, video, own[0].path) for video, own in videos.items()}
        protocol = self._full_video(
            "youcook2-video-background",
            videos,
            {video: [item.id for item in own] for video, own in items.items()},
            windows=f"of {_BACKGROUND_SECONDS:g} s side by side; in each "
            f"{self.describe_windows(self.windows)}",
            select=self.select,
        )
        return self.task([protocol], [item for own in items.values() for item in own])

    def _windows(self, loader: ClipLoader, video: str, path: Path) -> list[EvaluationItem]:
        """Cut a video into windows side by side, the last of which may be shorter."""
        duration = self._duration(loader, video, path)
        starts = sliding_windows(
            duration, _BACKGROUND_SECONDS, stride=_BACKGROUND_SECONDS, partial=True
        )
        ends = [*starts[1:], duration]
        return [
            EvaluationItem(
                f"{video}@{start:g}", path, UniformWindows(start, end, self.windows), [], []
            )
            for start, end in zip(starts, ends, strict=True)
        ]

    def _duration(self, loader: ClipLoader, video: str, path: Path) -> float:
        """Return how long a video is; what is annotated may be of another copy."""
        if video not in self._durations:
            # without the videos, as for vectors of anybody's, nothing would say that it is a guess
            guess = _BACKGROUND_SECONDS if self.videos_needed else None
            known = self._annotated.get(video, guess)
            self._durations[video] = duration_or(loader, path, known)
        return self._durations[video]


def _by_video(clips: Sequence[CaptionedClip]) -> dict[str, list[CaptionedClip]]:
    """Group the segments of each video, in temporal order."""
    videos: dict[str, list[CaptionedClip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.start):
        videos.setdefault(clip.video, []).append(clip)
    return videos


def _paragraph(clips: Sequence[CaptionedClip]) -> dict[str, str]:
    return {clip.text_ids[0]: clip.texts[0] for clip in clips}
