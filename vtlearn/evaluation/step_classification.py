"""Step classification: say which step of its task a trimmed segment shows."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.checks import check_choices, require_finite
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.metrics.bootstrap import RESAMPLES
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.metrics.step_recall import mean_over_groups
from vtlearn.evaluation.protocol import Mode, Protocol
from vtlearn.evaluation.result import Result

__all__ = ["StepClassification"]


class StepClassification(Protocol):
    """Score how often a segment's own step is the one of its task that is most similar to it.

    An item is one segment of a video, cut to a step; it is compared with the step text of every
    segment of its task. It hits where the best of those says the same as its own. Of several that
    tie for the best, one is drawn: a hit counts by its probability, and a text weighs as much as
    there are segments that have it.

    Metric in percent: ``ctr`` (the primary), the share of hits within each task, and the mean over
    tasks; its interval resamples the segments. Chance draws one of the task's segments blindly, as
    a model does that gives one score to everything. No decoder and no whole video is involved:
    figures of :class:`~vtlearn.evaluation.steps.StepLocalization` are no comparison.

    Args:
        name: What it is called in results, without the version.
        version: Grows whenever the same model would get another figure.
        segments: For each task, for each of its items, the text of the step that it shows.
        windows: How the windows of a segment are chosen, in words.
        similarity: ``cosine``, ``dot``, or None for the way the model's head was trained with;
            vectors that no head has embedded are then compared as they come.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for those
            of the encoders, ``unit`` for those of the encoders at unit length.
        mode: ``reference`` reproduces the released code, to compare with published figures: a
            segment is right where its own text's score equals the best, bit for bit, so that a
            model that gives one score to everything is always right.

    Raises:
        ArgumentError: If an item is of two tasks, a task has none, or a choice is unknown.

    Example:
        >>> segments = {"cake": {"s0": "stir", "s1": "bake", "s2": "stir"}}
        >>> protocol = StepClassification("few", 1, segments, windows="the first 3.2 s")
        >>> stir, bake = torch.eye(2)
        >>> protocol.begin("dot", {"cake#bake": bake, "cake#stir": stir})
        >>> for item, vector in {"s0": stir, "s1": stir, "s2": stir + bake}.items():
        ...     protocol.add(EncodedItem(item, windows=vector[None]))
        >>> round(protocol.result().metrics["ctr"], 1)  # right, wrong, and 2 of 3
        55.6

    Source:
        D. Ko et al., Video-Text Representation Learning via Differentiable Weak Temporal Alignment
        (VT-TWINS), 2022, its released evaluation on CrossTask; see
        :func:`~vtlearn.evaluation.reference.segment_accuracy`.
    """

    primary = "ctr"

    def __init__(
        self,
        name: str,
        version: int,
        segments: Mapping[str, Mapping[str, str]],
        *,
        windows: str,
        similarity: Similarity | None = None,
        pooling: Pooling = "head",
        mode: Mode = "exact",
    ) -> None:
        check_choices(name, similarity, pooling=pooling, mode=mode)
        _check_segments(name, segments)
        self.name = name
        self.version = version
        self.segments = {task: dict(items) for task, items in segments.items()}
        self.windows = windows
        self.similarity = similarity or (None if pooling == "head" else "dot")
        self.pooling = pooling
        self.mode = mode
        self.expected = sorted(item for items in segments.values() for item in items)
        self.texts = {
            f"{task}#{text}": text
            for task, items in self.segments.items()
            for text in sorted(set(items.values()))
        }
        self._task = {item: task for task, items in self.segments.items() for item in items}
        self._counts = {task: Counter(items.values()) for task, items in self.segments.items()}

    def update(self, item: EncodedItem) -> float:
        """Compare a segment with the steps of its task.

        Args:
            item: The segment.

        Returns:
            How likely it hits, 0 to 1: a fraction only where steps tie for the best.

        Raises:
            EvaluationError: If it has no window, or a similarity is not finite.
        """
        task = self._task[item.id]
        counts = self._counts[task]
        vectors = torch.stack([self.text_embeddings[f"{task}#{text}"] for text in counts])
        scores = self.compare(item.clip(self.pooling)[None], vectors)[0].cpu()
        require_finite(scores, f"The similarities of segment {item.id!r}")
        is_best = dict(zip(counts, (scores == scores.max()).tolist(), strict=True))
        best = {text: count for text, count in counts.items() if is_best[text]}
        own = self.segments[task][item.id]
        if self.mode == "reference":
            return float(own in best)
        return best.get(own, 0) / sum(best.values())

    def compute(self, kept: Mapping[str, float]) -> Result:
        """Score the segments that came.

        Args:
            kept: What :meth:`update` returned for each segment.

        Returns:
            ``ctr`` with its interval.
        """
        number = {task: index for index, task in enumerate(self.segments)}
        tasks = np.array([number[self._task[item]] for item in kept])
        alike = np.array([self._alike(item) for item in kept])
        hits = np.array(list(kept.values()))
        return self.summarize(
            {"ctr": _by_task(hits, tasks)},
            list(kept),
            {"ctr": mean_over_groups},
            chance={"ctr": _chance(alike, tasks)},
            ceiling={"ctr": 100.0},
        )

    def _alike(self, item: str) -> float:
        """Return the share of the task's segments that have the same text."""
        task = self._task[item]
        return self._counts[task][self.segments[task][item]] / len(self.segments[task])


def _by_task(hits: NDArray[np.float64], tasks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Put hits, and a possible hit each, where the tasks are, (segments, tasks, 2)."""
    pairs = np.stack([hits, np.ones_like(hits)], 1)
    counts: NDArray[np.float64] = (tasks[:, None] == np.unique(tasks))[..., None] * pairs[:, None]
    return counts


def _chance(probabilities: NDArray[np.float64], tasks: NDArray[np.int64]) -> Chance:
    """Compute the chance of a mean over tasks, each segment hitting by itself."""
    draws = np.random.default_rng(0)
    value = mean_over_groups(_by_task(probabilities, tasks), axis=0)
    own = [probabilities[tasks == task] for task in np.unique(tasks)]
    shares = [(draws.random((RESAMPLES, len(some))) < some).mean(1) for some in own]
    low, high = np.percentile(100 * np.mean(shares, axis=0), [2.5, 97.5])
    return Chance(float(value), float(low), float(high))


def _check_segments(name: str, segments: Mapping[str, Mapping[str, str]]) -> None:
    owner: dict[str, str] = {}
    for task, items in segments.items():
        if "#" in task:
            message = f"{name}: the task {task!r} must not contain '#', which ids of texts need."
            raise ArgumentError(message)
        if not items:
            message = f"{name}: the task {task!r} has no segment; leave it out."
            raise ArgumentError(message)
        for item in items:
            if item in owner:
                message = (
                    f"{name}: the item {item!r} is listed for the tasks {owner[item]!r} and "
                    f"{task!r}; list it once."
                )
                raise ArgumentError(message)
            owner[item] = task
