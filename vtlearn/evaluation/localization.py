"""Localization: find the moment of a video that a caption tells of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.metrics.chance import chance_of
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

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
        similarity: ``cosine``, ``dot`` to compare vectors as they come, or None for the way the
            model's head was trained with.

    Raises:
        ArgumentError: If a step ends before it starts, or a choice is unknown.

    Example:
        >>> truth = {"v": {"v/0": (0.0, 2.0), "v/1": (2.0, 4.0)}}
        >>> alignment = NarrationAlignment("steps", 1, truth, windows="2 s, every 2 s")
        >>> alignment.begin("dot")
        >>> vectors = Tensor([[0.9, 0.3], [0.1, 0.2]])
        >>> spans = Tensor([[0.0, 2.0], [2.0, 4.0]]).double()
        >>> alignment.add(
        ...     EncodedItem(
        ...         "v",
        ...         windows=vectors,
        ...         window_spans=spans,
        ...         texts=Tensor([[1, 0], [0, 1]]),
        ...         text_ids=["v/0", "v/1"],
        ...     )
        ... )
        >>> alignment.result().metrics
        {'hit': 50.0, 'chance': 50.0}
    """

    item_texts = True

    primary = "hit"

    def __init__(
        self,
        name: str,
        version: int,
        truth: Mapping[str, Mapping[str, tuple[float, float]]],
        windows: str,
        *,
        similarity: Similarity | None = None,
    ) -> None:
        check_choices(name, similarity)
        _check_truth(name, truth)
        self.name = name
        self.version = version
        self.truth = truth
        self.windows = windows
        self.similarity = similarity
        self.expected = sorted(truth)

    def update(self, item: EncodedItem) -> dict[str, CaptionHit]:
        """Compare an item's windows with its texts.

        Args:
            item: A video with its captions.

        Returns:
            How each caption that has a truth was located.

        Raises:
            EvaluationError: If a caption comes twice, shapes contradict each other, or a number is
                not finite.
        """
        windows = item.embedded(item.windows, self.pooling)
        scores = self.compare(windows, item.embedded(item.texts, self.pooling))
        times = item.window_times
        _check_shapes(item.id, scores, times, item.text_ids)
        truth = self.truth[item.id]
        return {
            text: _locate(scores[:, column], times, truth[text])
            for column, text in enumerate(item.text_ids)
            if text in truth
        }

    def compute(self, kept: Mapping[str, dict[str, CaptionHit]]) -> Result:
        """Score the captions of all videos.

        Args:
            kept: What :meth:`update` returned for each video.

        Returns:
            ``hit`` and ``chance`` with their intervals.

        Raises:
            EvaluationError: If no caption with a truth came.
        """
        hits = [hit for captions in kept.values() for _, hit in sorted(captions.items())]
        if not hits:
            message = (
                f"{self.name} has nothing to score: {len(kept)} videos came, none with a caption "
                "that tells of a known step."
            )
            raise EvaluationError(message)
        shares = np.array(hits)
        columns = zip(CaptionHit._fields, 100 * shares.T, strict=True)
        complete = [video for video, captions in kept.items() if self._is_complete(video, captions)]
        chance = {"hit": chance_of(shares[:, CaptionHit._fields.index("chance")])}
        return self.summarize(dict(columns), complete, chance=chance)

    def _is_complete(self, video: str, captions: Mapping[str, CaptionHit]) -> bool:
        return len(captions) == len(self.truth[video])


def _locate(scores: Tensor, times: Tensor, step: tuple[float, float]) -> CaptionHit:
    start, end = step
    centres = times.to(scores.device)
    inside = ((centres >= start) & (centres < end)).double()
    best = scores == scores.max()
    return CaptionHit(inside[best].mean().item(), inside.mean().item())


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
