"""Localization: find the moment of a video that a caption tells of."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.metrics.bootstrap import bootstrap_interval
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.protocol import EncodedItem, Protocol, Result

__all__ = ["CaptionHit", "NarrationAlignment"]


class CaptionHit(NamedTuple):
    """How one caption was located.

    Attributes:
        hit: The share of its best windows whose centre lies in its step, 0 to 1; a fraction only
            where several windows tie for the best.
        chance: The share of all windows whose centre lies there: what a blind draw would hit.
    """

    hit: float
    chance: float


class NarrationAlignment(Protocol):
    """Score how often a caption's best window lies in the step that it truly tells of.

    Metrics in percent: ``hit`` (the primary), and ``chance``, what a window drawn blindly would
    reach. Each caption takes the window most similar to it, whatever the others take; it hits where
    start <= centre < end. Windows that tie for the best count by their expectation. Captions that
    have no truth (chatter) are not scored. A video counts as evaluated when it came with all its
    true captions. Intervals resample the captions.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        truth: For each video id, for each of its true captions' text ids, the start and end of its
            step in seconds.
        windows: How the windows of a video are chosen, in words.
        similarity: ``cosine``, or ``dot`` to compare vectors as they come.

    Raises:
        ArgumentError: If a step ends before it starts, or a choice is none.

    Example:
        >>> truth = {"v": {"v/0": (0.0, 2.0), "v/1": (2.0, 4.0)}}
        >>> alignment = NarrationAlignment("steps", 1, truth, windows="1 s, every second")
        >>> similarity = torch.tensor([[0.9, 0.3], [0.1, 0.2], [0.1, 0.1], [0.1, 0.1]])
        >>> times = torch.tensor([0.5, 1.5, 2.5, 3.5])
        >>> alignment.update_similarity("v", similarity, times, ["v/0", "v/1"])
        >>> alignment.compute().metrics
        {'hit': 50.0, 'chance': 50.0}
    """

    primary = "hit"

    def __init__(
        self,
        name: str,
        version: int,
        truth: Mapping[str, Mapping[str, tuple[float, float]]],
        windows: str,
        *,
        similarity: Similarity = "cosine",
    ) -> None:
        if similarity not in ("cosine", "dot"):
            message = f"{name}: similarity={similarity!r} is neither 'cosine' nor 'dot'."
            raise ArgumentError(message)
        _check_truth(name, truth)
        self.name = name
        self.version = version
        self.truth = truth
        self.windows = windows
        self.similarity: Similarity = similarity
        self.expected = sorted(truth)
        self.reset()

    def update(self, item: EncodedItem) -> None:
        """Take in one video with its captions; only what each caption hit is kept.

        Args:
            item: Its ``windows`` are compared with its ``texts``.

        Raises:
            EvaluationError: As :meth:`update_similarity` does.
        """
        windows = comparable(item.windows, self.similarity)
        texts = comparable(item.texts, self.similarity)
        self.update_similarity(item.id, product(windows, texts), item.times, item.text_ids)

    def update_similarity(
        self, video: str, similarity: Tensor, times: Tensor, text_ids: Sequence[str]
    ) -> None:
        """Take in one video by the similarity of its windows and captions.

        Args:
            video: The video's id.
            similarity: (windows, texts), higher is better; compared in float32 or wider.
            times: The centre of each window in seconds, (windows,).
            text_ids: Ids of the captions, one a column; those without truth are not scored.

        Raises:
            EvaluationError: If the video is not expected or comes twice, a caption comes twice,
                shapes contradict each other, or a number is not finite.
        """
        self._check_video(video)
        scores = similarity.detach().to(torch.promote_types(similarity.dtype, torch.float32))
        _check_shapes(video, scores, times, text_ids)
        truth = self.truth[video]
        self._hits[video] = {
            text: _locate(scores[:, column], times, truth[text])
            for column, text in enumerate(text_ids)
            if text in truth
        }

    def reset(self) -> None:
        """Forget everything that was taken in."""
        self._hits: dict[str, dict[str, CaptionHit]] = {}

    def state(self) -> dict[str, dict[str, CaptionHit]]:
        """Return what was taken in so far, as something that pickles: hits by video and text."""
        return {video: dict(hits) for video, hits in self._hits.items()}

    def merge(self, states: Sequence[Mapping[str, Mapping[str, CaptionHit]]]) -> Self:
        """Make a protocol that has taken in what several have.

        Args:
            states: One state a process; a video may stand in several, and is then taken once.

        Returns:
            A new protocol, whose result does not depend on the number of the states or their order.
        """
        merged = copy.copy(self)
        merged.reset()
        for video in sorted({video for state in states for video in state}):
            versions = (state[video] for state in states if video in state)
            merged._hits[video] = _once(versions)  # noqa: SLF001 - our own kind
        return merged

    def compute(self) -> Result:
        """Score what was taken in.

        Returns:
            ``hit`` and ``chance`` with their intervals.

        Raises:
            EvaluationError: If no caption with a truth came.
        """
        hits = [
            hit for _, captions in sorted(self._hits.items()) for _, hit in sorted(captions.items())
        ]
        if not hits:
            message = (
                f"{self.name} has nothing to score: {len(self._hits)} videos came, none with a "
                "caption that tells of a known step."
            )
            raise EvaluationError(message)
        columns = dict(zip(CaptionHit._fields, 100 * np.array(hits).T, strict=True))
        return self._result(
            {metric: float(values.mean()) for metric, values in columns.items()},
            {metric: bootstrap_interval(values, np.mean) for metric, values in columns.items()},
            [video for video, captions in self._hits.items() if len(captions) == self._due(video)],
        )

    def _due(self, video: str) -> int:
        return len(self.truth[video])

    def _check_video(self, video: str) -> None:
        if video not in self.truth:
            message = (
                f"The video id {video!r} is not one of the {len(self.truth)} that {self.name} "
                "expects; score the split that it was made for."
            )
            raise EvaluationError(message)
        if video in self._hits:
            message = (
                f"The video id {video!r} came twice; a sampler that pads its last batch does that "
                "(use_distributed_sampler=False), and it would be counted twice."
            )
            raise EvaluationError(message)


def _locate(scores: Tensor, times: Tensor, step: tuple[float, float]) -> CaptionHit:
    start, end = step
    centres = times.to(scores.device)
    inside = ((centres >= start) & (centres < end)).double()
    best = scores == scores.max()
    return CaptionHit(inside[best].mean().item(), inside.mean().item())


def _once(versions: Iterable[Mapping[str, CaptionHit]]) -> dict[str, CaptionHit]:
    # Which of several is kept depends on their content alone, never on who came first.
    return dict(min(sorted(hits.items()) for hits in versions))


def _check_shapes(video: str, scores: Tensor, times: Tensor, text_ids: Sequence[str]) -> None:
    if len(times) == 0 or tuple(scores.shape) != (len(times), len(text_ids)):
        message = (
            f"The video {video!r} came with {len(times)} window times, {len(text_ids)} text ids "
            f"and similarities of shape {tuple(scores.shape)}; it needs at least one window, and "
            "one similarity for each window and text."
        )
        raise EvaluationError(message)
    if len(set(text_ids)) != len(text_ids):
        message = (
            f"The video {video!r} came with a text id twice; each of its captions needs its own."
        )
        raise EvaluationError(message)
    if not (scores.isfinite().all() and times.isfinite().all()):
        message = (
            f"The similarities or times of video {video!r} hold NaN or infinity; a model that "
            "computes such cannot be scored. Look at that video, or evaluate in float32."
        )
        raise EvaluationError(message)


def _check_truth(name: str, truth: Mapping[str, Mapping[str, tuple[float, float]]]) -> None:
    for video, steps in truth.items():
        for text, (start, end) in steps.items():
            if not start < end:
                message = (
                    f"{name}: the step of caption {text!r} in video {video!r} lasts from {start} "
                    f"to {end} s; it must end after it starts."
                )
                raise ArgumentError(message)
