"""What ends a training that was asked to stop."""

import signal
from pathlib import Path

__all__ = ["TrainingStopped"]


class TrainingStopped(Exception):  # noqa: N818 - nothing went wrong
    """A training was asked to stop, and has.

    Attributes:
        signum: By which signal.
        step: After so many optimiser steps.
        checkpoint: What it resumes from; None where none is kept.
        saved_step: The step that the checkpoint is of.
    """

    def __init__(
        self, signum: int, step: int = 0, checkpoint: Path | None = None, saved_step: int = 0
    ) -> None:
        super().__init__(signum, step, checkpoint, saved_step)
        self.signum, self.step = signal.Signals(signum), step
        self.checkpoint, self.saved_step = checkpoint, saved_step
