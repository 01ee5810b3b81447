"""Recall over tasks and splits, as statistics that can be resampled fast."""

import numpy as np
from numpy.typing import NDArray

from vtlearn.evaluation.metrics.step_recall import mean_over_groups

__all__ = ["SplitRecall"]

Array = NDArray[np.float64]


class SplitRecall:
    """The recall of videos in tasks and splits, and how it differs between the splits.

    Within a split, hits and annotated steps are pooled in each task, and tasks count alike.
    :meth:`mean` and :meth:`sd` are statistics of the videos' *positions*, which look up their
    counts: to gather the counts of all videos, splits and tasks for every resample would take long.

    Args:
        hits: How many steps of each video were found, (videos,).
        steps: How many are annotated, (videos,).
        tasks: The task of each video, from 0, (videos,).
        splits: Whether each video is in each split, (videos, splits).

    Example:
        >>> splits = np.array([[True, False], [True, True], [True, True]])
        >>> one_task = np.zeros(3, np.int64)
        >>> recall = SplitRecall(np.array([0.0, 1, 1]), np.array([2.0, 2, 2]), one_task, splits)
        >>> round(float(recall.mean(np.array([0.0, 1, 2]), axis=0)), 1)  # of 2 / 6 and 2 / 4
        41.7
    """

    def __init__(
        self, hits: Array, steps: Array, tasks: NDArray[np.int64], splits: NDArray[np.bool]
    ) -> None:
        counts = splits[..., None] * np.stack([hits, steps], 1)[:, None]  # (videos, splits, 2)
        self._videos, self._splits = splits.shape
        rows = [np.flatnonzero(tasks == task) for task in np.unique(tasks)]
        self._tasks = [(row, counts[row].reshape(len(row), -1)) for row in rows]

    def mean(self, a: Array, axis: int) -> Array:
        """Return the mean over the splits, in percent.

        Args:
            a: Positions of videos, which may repeat, (..., videos, ...).
            axis: The axis of the videos.

        Returns:
            (...), without that axis.
        """
        means: Array = self._recalls(a, axis).mean(-1)
        return means

    def sd(self, a: Array, axis: int) -> Array:
        """Return the sample standard deviation over the splits (ddof=1), in percent points.

        Args:
            a: Positions of videos, which may repeat, (..., videos, ...).
            axis: The axis of the videos.

        Returns:
            (...), without that axis; NaN of a single split.
        """
        deviations: Array = self._recalls(a, axis).std(-1, ddof=1)
        return deviations

    def _recalls(self, positions: Array, axis: int) -> Array:
        """Compute the recall of each split, (..., splits).

        How often each video is there is multiplied by its counts, task by task. Those are integers,
        whose sums are exact in whatever order they are added up.
        """
        drawn = np.moveaxis(positions, axis, -1).astype(np.int64)
        often = np.apply_along_axis(np.bincount, -1, drawn, minlength=self._videos)
        often = often.astype(np.float64)
        pooled = np.stack([often[..., rows] @ counts for rows, counts in self._tasks], -2)
        by_split = pooled.reshape(*pooled.shape[:-1], self._splits, 2)  # (..., tasks, splits, 2)
        return mean_over_groups(by_split.swapaxes(-3, -2)[..., None, :, :, :], axis=-4)
