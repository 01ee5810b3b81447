"""CrossTask: find the second of each step of a task, and name the step of a segment."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from vtlearn.checks import require_choice
from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datasets import crosstask
from vtlearn.datasets.captioned import CaptionedClip, SegmentCorpus, captioned_items
from vtlearn.datasets.clips import ClipLoader, duration_or, require_stored
from vtlearn.datasets.crosstask import (
    CrossTaskFiles,
    CrossTaskVideo,
    annotation_files,
    draw_training,
    read_crosstask,
    read_segments,
    require_videos,
    segments_file,
    step_clips,
)
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.sampling.windows import (
    TimedWindows,
    half_stride,
    overlapping_windows,
    second_windows,
)
from vtlearn.datasets.steps import StepCorpus
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.step_classification import StepClassification
from vtlearn.evaluation.steps import StepLocalization, StepVideo
from vtlearn.kitchen.layouts import KitchenCrossTask

__all__ = ["CrossTask"]

_LOG = logging.getLogger(__name__)

TrainOn = Literal["segments", "windows"]

_ALL_SPLITS = 20


class CrossTask(BenchmarkData):
    """Train on CrossTask and score how steps are found and named.

    A training sample is a run of the annotated steps of one of the videos that ``split_seed``
    draws, or such a video as a whole. The protocols are ``crosstask-recall@1``, one second for each
    step of a task, in their order, on all videos that are neither trained nor validated on; and,
    where ``crosstask.csv`` is there, ``crosstask-ctr@1``, the step of each of its segments. A
    training is validated by ``crosstask-recall@1`` on the authors' validation videos.

    Args:
        root: The folder of tasks, annotations and videos; see
            :func:`~vtlearn.datasets.crosstask.read_crosstask`.
        windows: Windows of a segment that are averaged for ``crosstask-ctr@1``.
        split_seed: Which videos are drawn for training; 0 is the published split.
        train_per_task: How many videos are, of each task that has more.
        all_splits: Score by ``crosstask-recall-20@1`` instead, the mean over the splits of seeds 0
            to 19 in one pass; a model that was trained on one of them has seen videos of it.
        train_on: ``segments`` for clips of a run of annotated steps, with their names; ``windows``
            for a whole video, in windows as long as a clip that overlap by half, with all steps of
            its task and the times of those that it shows, which ``StepSupervision`` learns from.
        frame_vectors: Find steps by the vectors that the video encoder makes of frames, one per
            second, in windows as long as a clip that overlap by half; else by the pooled vector of
            a window per second. Features, or frames, of one per second are read.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If a choice is unknown, or a number outside its range.

    Example:
        >>> CrossTask(Path("data/crosstask"), split_seed=3).train_split
        'train'
    """

    has_references = False

    def __init__(
        self,
        root: Path = Path("data/crosstask"),
        *,
        windows: int = 1,
        split_seed: int = 0,
        train_per_task: int = 30,
        all_splits: bool = False,
        train_on: TrainOn = "segments",
        frame_vectors: bool = False,
        **benchmark: Any,
    ) -> None:
        super().__init__(root, windows=windows, **benchmark)
        require_choice(get_args(TrainOn), train_on=train_on)
        self.train_on = train_on
        self.split_seed, self.train_per_task = split_seed, train_per_task
        self.all_splits, self.frame_vectors = all_splits, frame_vectors

    @cached_property
    def files(self) -> CrossTaskFiles:
        """What the annotation files say."""
        return read_crosstask(self.root, videos=self.videos_root)

    def train_dataset(self) -> SegmentCorpus:
        """Return runs of the training videos' steps, or whole videos with all steps."""
        clips = self.clips(self.train_split)
        if self.train_on == "segments":
            return crosstask.CrossTask(clips, self.reading)
        steps: dict[str, list[str]] = {}
        for video in self._split(self.train_split):
            steps.setdefault(video.video, []).extend(self.files.tasks[video.task].steps)
        return StepCorpus(clips, steps, self.reading)

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenCrossTask(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the annotated steps of ``train``, ``validate`` or ``test``.

        Args:
            split: Its name.
            max_missing: How many of the videos may lack their files; None for any number.
        """
        videos = self._split(split)
        if max_missing is not None:
            listed = {one.video: one.path for one in videos}
            require_videos(self.root, self.files.listed, listed, max_missing)
        return step_clips(self.files, videos)

    def test_tasks(self) -> list[EvaluationTask]:
        """Return the recall of steps, and the names of segments where these are listed."""
        seeds = range(_ALL_SPLITS) if self.all_splits else [self.split_seed]
        drawn = [draw_training(self.files, seed, self.train_per_task) for seed in seeds]
        rest = self._outside_validation()
        splits = [[video.id for video in rest if video.id not in one] for one in drawn]
        name = f"crosstask-recall{f'-{_ALL_SPLITS}' if self.all_splits else ''}"
        scored = set().union(*splits)
        chosen = [video for video in rest if video.id in scored]
        tasks = [self._recall("test", name, chosen, splits)]
        if segments_file(self.root).is_file():
            tasks.append(self._names())
        else:
            _LOG.info("crosstask-ctr is not scored: there is no %s", segments_file(self.root))
        if not any(drawn):
            _LOG.warning(
                "no task of %s has more than train_per_task=%d videos: none is kept for training",
                *(self.files.listed, self.train_per_task),
            )
        return tasks

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return the recall of steps on the authors' validation videos."""
        videos = self._split("validate")
        return [self._recall("validate", "crosstask-recall", videos, [])] if videos else []

    def video_files(self) -> dict[str, Path]:
        """Return the files of all annotated videos, whichever split they are drawn for."""
        files = {one.video: one.path for one in self.files.videos if one.annotated}
        allowed = float(self.reading.max_unreadable_fraction)
        require_videos(self.root, self.files.listed, files, allowed)
        return files

    def _split(self, split: str) -> list[CrossTaskVideo]:
        if split == "validate":
            validation = self.files.validation
            return [x for x in self.files.videos if x.annotated and x.id in validation]
        training = draw_training(self.files, self.split_seed, self.train_per_task)
        chosen = [x for x in self._outside_validation() if (x.id in training) == (split == "train")]
        if not chosen:
            message = (
                f"no video of {self.files.listed} is left to {split} with train_per_task="
                f"{self.train_per_task}: choose a smaller number"
            )
            raise ArgumentError(message)
        return chosen

    def _outside_validation(self) -> list[CrossTaskVideo]:
        validation = self.files.validation
        return [x for x in self.files.videos if x.annotated and x.id not in validation]

    def _recall(
        self,
        split: str,
        name: str,
        videos: Sequence[CrossTaskVideo],
        splits: Sequence[Sequence[str]],
    ) -> EvaluationTask:
        self._require({one.video: one.path for one in videos}, self.files.listed)
        protocol = StepLocalization(
            name,
            1,
            {video.id: StepVideo(video.task, video.spans) for video in videos},
            {task.id: task.steps for task in self.files.tasks.values()},
            windows=self._describe_recall(),
            splits=splits,
            pooling=self.pooling,
            frames=self.frame_vectors,
            mode=self.mode,
        )
        protocol.settings = {
            **protocol.settings,
            "split_seed": self.split_seed,
            "train_per_task": self.train_per_task,
        }
        loader = ClipLoader(self.reading)
        items = [
            EvaluationItem(
                video.id, video.path, self._windows(duration_or(loader, video.path, 1.0)), [], []
            )
            for video in videos
        ]
        return self.annotated(self.task([protocol], items), split, annotation_files(self.root))

    def _windows(self, duration: float) -> TimedWindows:
        if self.frame_vectors:
            seconds = self.reading.clip_seconds
            return overlapping_windows(duration, seconds, half_stride(seconds))
        return second_windows(duration)  # the last windows of pixels run on into the last frame

    def _describe_recall(self) -> str:
        """Say which windows steps are found by.

        Raises:
            ArgumentError: If frames are to be compared, and are not one per second.
        """
        if not self.frame_vectors:
            return "one per second, starting there"
        fps, seconds = self.reading.fps, self.reading.clip_seconds
        if fps != 1:
            way_out = (
                "set data.init_args.sampling.fps=1"
                if self.reading.features is None
                else f"make {self.reading.features} with a vector per second (--features.stride 1)"
            )
            message = (
                f"frame_vectors=true finds steps by one frame per second, and {fps:g} are read: "
                f"{way_out}"
            )
            raise ArgumentError(message)
        return f"{seconds:g} s every {half_stride(seconds):g} s; frames averaged where they overlap"

    def _names(self) -> EvaluationTask:
        segments = read_segments(self.root, self.videos_root)
        clips = [clip for own in segments.values() for clip in own]
        listed = segments_file(self.root)
        self._require({clip.video: clip.path for clip in clips}, listed)
        protocol = StepClassification(
            "crosstask-ctr",
            1,
            {task: {clip.id: clip.texts[0] for clip in own} for task, own in segments.items()},
            windows=self.describe_windows(self.windows),
            pooling=self.pooling,
            mode=self.mode,
        )
        items = [
            item._replace(texts=[], text_ids=[]) for item in captioned_items(clips, self.windows)
        ]
        return self.annotated(self.task([protocol], items), "validate", [listed])

    def _require(self, videos: Mapping[str, Path], listed: Path) -> None:
        if not self.videos_needed:
            return
        if self.reading.features is not None:
            require_stored(self.reading.features, list(videos))
        else:
            require_videos(self.root, listed, videos, self.max_unreadable)
