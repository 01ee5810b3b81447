"""Step localization: find a second for each step of a video's task, in the order of the steps."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.alignment import ordered_assignment
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices, require_finite
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.metrics.bootstrap import Statistic
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.metrics.split_recall import SplitRecall
from vtlearn.evaluation.metrics.step_limits import TimedSteps, step_limits
from vtlearn.evaluation.metrics.step_recall import StepCounts, count_steps
from vtlearn.evaluation.protocol import Mode, Protocol
from vtlearn.evaluation.reference import published_step_hits
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.timeline import by_second

__all__ = ["StepLocalization", "StepVideo"]

Array = NDArray[np.float64]

_NAMED = 10  # videos that a note names


class StepVideo(NamedTuple):
    """What is done in a video, and when.

    Attributes:
        task: The task whose steps are done.
        spans: The step, from 0, its start and its end in seconds, for each time that one is done.
    """

    task: str
    spans: Sequence[tuple[int, float, float]]


class VideoHits(NamedTuple):
    """What is kept of one video.

    Attributes:
        hits: How many of its annotated steps were found.
        uniform: How many the uniform assignment finds.
        steps: How many are annotated.
        seconds: How long it is.
    """

    hits: int
    uniform: int
    steps: int
    seconds: int


class StepLocalization(Protocol):
    """Score how many of a video's steps are found by the best assignment in the task's order.

    An item is a whole video with one window per second, which starts there; or, with ``frames``,
    with windows that may overlap, of which each frame has a vector. A softmax over the
    steps of the task, at temperature 1 and without a background class, says how likely each second
    shows each; then every step of the task, done or not, gets one second, in order, so that the
    summed log probabilities are greatest (:func:`~vtlearn.alignment.ordered_assignment`, which says
    how ties are resolved). An annotated step is found where its second is one at which it is done,
    from floor(start) to ceil(end) - 1.

    Metrics in percent: ``recall`` (the primary), hits and annotated steps pooled within each task,
    and the mean over tasks; ``uniform``, the same of steps at the middles of equal parts of the
    video. With several splits, both are the mean over the splits, and ``sd`` is the sample standard
    deviation (ddof=1) of the recall over the splits, in percent points. Intervals resample videos.
    The chance is that of 20 tables of random scores per video, the ceiling that of the ordered
    assignments that find most steps.

    A video of fewer seconds than steps cannot be assigned: its steps count as missed, and a note of
    the result names it. An annotated step beyond the end of the video counts as missed as well.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        videos: For each video id its task and when its steps are done.
        steps: For each task its steps' texts, in order.
        windows: How the windows of a video are chosen, in words.
        splits: Sets of video ids, each of which is scored by itself; a video in none of them does
            not count. Empty: all videos are one split.
        similarity: ``cosine``, ``dot``, or None for the way the model's head was trained with;
            vectors that no head has embedded are then compared as they come. Without a background
            class the recall depends on the scale of the scores.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.
        frames: Compare the vectors of the frames, one or more per second, and average the
            similarities of each second over its frames and all windows that show it. That is to
            compare the mean of the vectors, which is not scaled to unit length again.
        mode: ``reference`` reproduces the released code, to compare with published figures: a video
            of no more seconds than steps is missed, and what is annotated beyond a video's end is
            not there.

    Raises:
        ArgumentError: If videos, steps and splits contradict each other, or a choice is unknown.

    Example:
        >>> videos = {"v": StepVideo("cake", [(0, 0.0, 1.5), (1, 2.0, 3.0)])}
        >>> protocol = StepLocalization("few", 1, videos, {"cake": ["stir", "bake"]}, windows="1 s")
        >>> stir, bake = torch.eye(2)
        >>> protocol.begin("dot", {"cake#0": stir, "cake#1": bake})
        >>> spans = torch.tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
        >>> windows = torch.stack([0 * stir, stir, 0 * bake, bake])
        >>> protocol.add(EncodedItem("v", windows=windows, window_spans=spans))
        >>> protocol.result().metrics  # the bake is found a second too late
        {'recall': 50.0, 'uniform': 50.0}

    Source:
        D. Zhukov et al., Cross-task weakly supervised learning from instructional videos, 2019,
        section 5, and its released code; see
        :func:`~vtlearn.evaluation.reference.published_step_hits`.
    """

    primary = "recall"

    def __init__(
        self,
        name: str,
        version: int,
        videos: Mapping[str, StepVideo],
        steps: Mapping[str, Sequence[str]],
        *,
        windows: str,
        splits: Sequence[Collection[str]] = (),
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
        frames: bool = False,
        mode: Mode = "exact",
    ) -> None:
        check_choices(name, similarity, pooling=pooling, mode=mode)
        _check_videos(name, videos, steps)
        _check_splits(name, videos, splits)
        self.name = name
        self.version = version
        self.videos = dict(videos)
        self.steps = {task: list(texts) for task, texts in steps.items()}
        self.splits = [frozenset(split) for split in splits]
        self.windows = windows
        self.similarity = similarity or (None if pooling == "head" else "dot")
        self.pooling = pooling
        self.mode = mode
        self.expected = sorted(videos)
        self.texts = {
            f"{task}#{step}": text
            for task, texts in self.steps.items()
            for step, text in enumerate(texts)
        }
        self.settings = {"splits": len(splits) or 1, "temperature": 1}
        self.frames = frames
        if frames:
            self.needs = frozenset({"frames"})
            self.settings = {**self.settings, "frame_vectors": True}

    def update(self, item: EncodedItem) -> VideoHits:
        """Assign a video's seconds to the steps of its task.

        Args:
            item: The video, with one window per second, or with frames of every second.

        Returns:
            How many of its steps were found.

        Raises:
            EvaluationError: If its windows are not one per second, a second has no frame, or a
                similarity is not finite.
        """
        video = self.videos[item.id]
        scores = self._scores(item, video.task)
        seconds, steps = scores.shape
        found = self._count(scores, video)
        uniform = StepCounts(0, 0)
        if seconds >= steps:
            uniform = count_steps(_middles(seconds, steps), video.spans)
        return VideoHits(found.hits, uniform.hits, found.steps, seconds)

    def compute(self, kept: Mapping[str, VideoHits]) -> Result:
        """Score the videos that came.

        Args:
            kept: What :meth:`update` returned for each video.

        Returns:
            All metrics with their intervals.

        Raises:
            EvaluationError: If no step of them is annotated.
        """
        hits, uniform, steps, _ = np.array(list(kept.values()), dtype=np.float64).T
        groups = self._groups(kept, steps)
        missed = self._missed(kept)
        assigned = np.array([video not in missed for video in kept])
        limits = step_limits(
            [
                TimedSteps(self.videos[video].spans, counts.seconds, self._step_count(video))
                for video, counts in kept.items()
            ]
        )

        recall = SplitRecall(hits, steps, *groups)
        statistics: dict[str, Statistic] = {
            "recall": recall.mean,
            "uniform": SplitRecall(uniform, steps, *groups).mean,
        }
        if groups[1].shape[1] > 1:
            statistics["sd"] = recall.sd
        positions = np.arange(len(kept), dtype=np.float64)
        most, *random = (
            float(SplitRecall(found * assigned, steps, *groups).mean(positions, axis=0))
            for found in (limits.most, *limits.random)
        )
        return self.summarize(
            dict.fromkeys(statistics, positions),
            list(kept),
            statistics,
            chance={"recall": _chance(np.array(random))},
            ceiling={"recall": most},
            notes=self._notes(missed),
        )

    def _scores(self, item: EncodedItem, task: str) -> Tensor:
        """Return one logit per second and step, (seconds, steps), on the CPU."""
        steps = range(len(self.steps[task]))
        texts = torch.stack([self.text_embeddings[f"{task}#{step}"] for step in steps])
        if not self.frames:
            _check_seconds(item)
        clips = item.frames if self.frames else item.windows
        scores = self.compare(item.embedded(clips, self.pooling), texts).cpu()
        require_finite(scores, f"The similarities of video {item.id!r}")
        return by_second(item.id, scores, item.frame_times) if self.frames else scores

    def _count(self, scores: Tensor, video: StepVideo) -> StepCounts:
        if self.mode == "reference":
            return StepCounts(*published_step_hits(scores, video.spans))
        seconds, steps = scores.shape
        if seconds < steps:
            return count_steps([-1] * steps, video.spans)
        return count_steps(ordered_assignment(-scores.log_softmax(1)), video.spans)

    def _step_count(self, video: str) -> int:
        return len(self.steps[self.videos[video].task])

    def _missed(self, kept: Mapping[str, VideoHits]) -> list[str]:
        """Return the videos that are too short for an assignment."""
        least = 1 if self.mode == "reference" else 0
        return [
            video
            for video, counts in kept.items()
            if counts.seconds < self._step_count(video) + least
        ]

    def _groups(
        self, kept: Mapping[str, VideoHits], steps: Array
    ) -> tuple[NDArray[np.int64], NDArray[np.bool]]:
        """Return the task of each video, (videos,), and its splits, (videos, splits).

        Splits of which nothing came are left out.
        """
        number = {task: index for index, task in enumerate(self.steps)}
        tasks = np.array([number[self.videos[video].task] for video in kept])
        several = self.splits or [frozenset(kept)]
        splits = np.array([[video in split for video in kept] for split in several]).T
        splits = splits[:, (splits & (steps[:, None] > 0)).any(0)]
        if not splits.size:
            message = (
                f"{self.name} has nothing to score: {len(kept)} videos came, none with an "
                "annotated step."
            )
            raise EvaluationError(message)
        return tasks, splits

    def _notes(self, missed: Sequence[str]) -> list[str]:
        if not missed:
            return []
        named = ", ".join(missed[:_NAMED])
        more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
        what = "no more" if self.mode == "reference" else "fewer"
        return [
            f"{len(missed)} videos have {what} seconds than steps; their steps count as missed: "
            f"{named}{more}"
        ]


def _middles(seconds: int, steps: int) -> list[int]:
    """Return the seconds in which the middles of equal parts lie."""
    return [seconds * (2 * step + 1) // (2 * steps) for step in range(steps)]


def _chance(recalls: Array) -> Chance:
    value, deviation = float(recalls.mean()), float(recalls.std(ddof=1))
    low, high = value - 1.96 * deviation, value + 1.96 * deviation
    return Chance(value, max(0.0, low), min(100.0, high))


def _check_seconds(item: EncodedItem) -> None:
    starts = item.window_spans[:, 0].double()
    off = (starts - torch.arange(len(starts))).abs() > 0.5
    if bool(off.any()):
        first = int(off.nonzero()[0])
        message = (
            f"Window {first} of video {item.id!r} starts at {starts[first]:g} s; one window per "
            "second was expected, which starts there."
        )
        raise EvaluationError(message)


def _check_videos(
    name: str, videos: Mapping[str, StepVideo], steps: Mapping[str, Sequence[str]]
) -> None:
    for task, texts in steps.items():
        if isinstance(texts, str) or not texts:
            message = f"{name}: the task {task!r} must have one or more steps, as a list of texts."
            raise ArgumentError(message)
    for video, (task, spans) in videos.items():
        if task not in steps:
            message = f"{name}: the task {task!r} of video {video!r} has no steps; list them."
            raise ArgumentError(message)
        for step, start, end in spans:
            if not 0 <= step < len(steps[task]):
                message = (
                    f"{name}: the video {video!r} shows step {step}, and its task {task!r} has "
                    f"{len(steps[task])}, counted from 0."
                )
                raise ArgumentError(message)
            if not 0 <= start <= end < math.inf:
                message = (
                    f"{name}: step {step} of video {video!r} lasts from {start} to {end} s; it "
                    "must start at 0 or later, and not end before it starts."
                )
                raise ArgumentError(message)


def _check_splits(
    name: str, videos: Mapping[str, StepVideo], splits: Sequence[Collection[str]]
) -> None:
    for index, split in enumerate(splits):
        if isinstance(split, str) or not split or not videos.keys() >= set(split):
            unknown = sorted(set(split) - videos.keys())
            message = (
                f"{name}: split {index} must be one or more of the videos' ids"
                f"{f'; {unknown[0]!r} is none of them' if unknown else ''}."
            )
            raise ArgumentError(message)
