"""Linear warm-up, then down to zero: along half a cosine, or linearly."""

import math
from abc import ABC, abstractmethod
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vtlearn.errors import ArgumentError

__all__ = ["PlannedSchedule", "WarmupCosine", "WarmupLinear"]


class PlannedSchedule(LambdaLR, ABC):
    """Scale the learning rate from 0 to 1 over a warm-up, then as a subclass says, down to 0.

    A training shorter than the warm-up ends within it.

    Args:
        optimizer: What it steers.
        warmup_steps: Optimiser steps of the warm-up.
        total_steps: Optimiser steps until 0; None for the length of the training, which the learner
            fills in.

    Raises:
        ArgumentError: If the warm-up is negative.
    """

    def __init__(
        self, optimizer: Optimizer, warmup_steps: int = 0, total_steps: int | None = None
    ) -> None:
        if warmup_steps < 0:
            message = f"warmup_steps={warmup_steps}: it has to be 0 or more"
            raise ArgumentError(message)
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self._given = total_steps is not None
        super().__init__(optimizer, self.factor)

    @abstractmethod
    def remaining(self, done: float) -> float:
        """Return what the learning rate is multiplied by after the warm-up.

        Args:
            done: How much of the rest is done, from 0 to 1.
        """

    def plan(self, total_steps: int) -> None:
        """Fill in the length of the training, unless it was given.

        Args:
            total_steps: Optimiser steps of the whole training.
        """
        if self.total_steps is None:
            self.total_steps = total_steps

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint; a length that was planned is planned anew."""
        state: dict[str, Any] = super().state_dict()
        return state if self._given else {k: v for k, v in state.items() if k != "total_steps"}

    def factor(self, step: int) -> float:
        """Return what the learning rate is multiplied by at an optimiser step."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if self.total_steps is None:
            return 1.0
        done = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        return self.remaining(min(done, 1.0))


class WarmupCosine(PlannedSchedule):
    """Scale the learning rate from 0 to 1 over a warm-up, then along half a cosine to 0.

    A training shorter than the warm-up ends within it.

    Args:
        optimizer: What it steers.
        warmup_steps: Optimiser steps of the warm-up.
        total_steps: Optimiser steps until 0; None for the length of the training, which the learner
            fills in.

    Raises:
        ArgumentError: If the warm-up is negative.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = WarmupCosine(optimizer, warmup_steps=2, total_steps=4)
        >>> [round(schedule.factor(step), 2) for step in range(5)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def remaining(self, done: float) -> float:
        """Return what the learning rate is multiplied by after the warm-up.

        Args:
            done: How much of the rest is done, from 0 to 1.
        """
        return 0.5 * (1 + math.cos(math.pi * done))


class WarmupLinear(PlannedSchedule):
    """Scale the learning rate from 0 to 1 over a warm-up, then linearly to 0.

    A training shorter than the warm-up ends within it.

    Args:
        optimizer: What it steers.
        warmup_steps: Optimiser steps of the warm-up; VideoCLIP and TempCLR have 1,000.
        total_steps: Optimiser steps until 0; None for the length of the training, which the learner
            fills in. VideoCLIP and TempCLR have 1,000,000, far beyond their trainings.

    Raises:
        ArgumentError: If the warm-up is negative.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = WarmupLinear(optimizer, warmup_steps=1, total_steps=5)
        >>> [schedule.factor(step) for step in range(6)]
        [0.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def remaining(self, done: float) -> float:
        """Return what the learning rate is multiplied by after the warm-up.

        Args:
            done: How much of the rest is done, from 0 to 1.
        """
        return 1 - done
