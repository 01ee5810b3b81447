"""VATEX: write a caption of a clip."""

from pathlib import Path
from typing import Any

from vtlearn.datamodules.benchmark import BenchmarkData, require_apart
from vtlearn.datamodules.captioning import Task
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.vatex import SPLITS, annotation_files, read_vatex
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenVATEX

__all__ = ["VATEX"]


class VATEX(BenchmarkData):
    """Train on VATEX, an English caption of a clip at a time, and score captions.

    The protocol is ``vatex-caption@1``: what is written of each clip of the public test against all
    of its ten captions. A training is validated on the validation clips in the same way. The
    captions of the private test were not published.

    Args:
        root: The folder of videos and annotations; see
            :func:`~vtlearn.datasets.vatex.read_vatex`.
        task: What is scored: ``captioning``, which is all there is.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If another task is asked for, or a choice is unknown.

    Example:
        >>> VATEX(Path("data/vatex")).train_split
        'training'
    """

    train_split = "training"

    def __init__(
        self, root: Path = Path("data/vatex"), *, task: Task = "captioning", **benchmark: Any
    ) -> None:
        super().__init__(root, task=task, **benchmark)
        if not self.writes:
            message = (
                "VATEX is scored by captions, since no list of clips to be found was published "
                "with it: leave task out, or set task=captioning"
            )
            raise ArgumentError(message)

    def test_tasks(self) -> list[EvaluationTask]:
        """Return what is scored of the public test."""
        return [self._captioning("public-test")]

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return the same of the validation clips."""
        validation, test = (
            [clip.id for clip in self.list_split(split, None)]
            for split in ("validation", "public-test")
        )
        require_apart("VATEX", validation, test)
        return [self._captioning("validation")]

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenVATEX(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the clips of a split.

        Args:
            split: ``training``, ``validation`` or ``public-test``.
            max_missing: How many of the clips may lack their files; None for any number.
        """
        return read_vatex(self.root, split, videos=self.videos_root, max_missing=max_missing)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all clips."""
        return self.files_of(SPLITS)

    def _captioning(self, split: str) -> EvaluationTask:
        task = self.captioning("vatex-caption", 1, self.clips(split))
        return self.annotated(task, split, annotation_files(self.root, split))
