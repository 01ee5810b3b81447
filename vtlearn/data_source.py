"""What the learner asks of a datamodule, so that it need not know any."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from vtlearn.evaluation.evaluator import EvaluationTask

__all__ = ["DataSource", "Stage", "batch_seed"]

Stage = Literal["validate", "test"]


@runtime_checkable
class DataSource(Protocol):
    """Loaders' facts that a learner needs; without them it trains on any loader of batches.

    Attributes:
        seed: What heads draw comes from it, the epoch and the batch.
        max_unreadable: How many videos of a split may be missing when it is scored.
        evaluation_chunk: Windows that are on the device at once when scoring.
        clip_shape: Frames of a clip, and their size in pixels.
    """

    seed: int
    max_unreadable: int
    evaluation_chunk: int

    @property
    def clip_shape(self) -> tuple[int, int]:
        """Frames of a clip, and their size."""

    def clip_settings(self) -> dict[str, Any]:
        """Describe how clips are read, in plain values."""

    def tasks(self, stage: Stage) -> Sequence[EvaluationTask]:
        """Return what a stage is scored by, one task per loader."""

    def captions(self) -> Iterator[str]:
        """Yield the training captions."""


def batch_seed(data: DataSource | None, epoch: int, batch_idx: int) -> int:
    """Make the seed of what heads draw for a batch, the same on every process.

    Args:
        data: Whose seed it starts from; None: ``seed_everything``'s, or 0.
        epoch: From 0.
        batch_idx: From 0.

    Returns:
        A number of 32 bits.

    Example:
        >>> batch_seed(None, 0, 1) == batch_seed(None, 0, 1) != batch_seed(None, 1, 0)
        True
    """
    base = int(os.environ.get("PL_GLOBAL_SEED", "0")) if data is None else data.seed
    return int(np.random.SeedSequence((base, epoch, batch_idx)).generate_state(1)[0])
