"""MSR-VTT: find a clip by a sentence, in the splits 1k-A, 1k-B and the authors' own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from vtlearn.datamodules.benchmark import BenchmarkData, require_apart
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.msrvtt import annotation_files, read_msrvtt
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenMSRVTT
from vtlearn.suggestions import nearest

__all__ = ["MSRVTT"]

# What is trained on, and what is then scored, under which name.
_SPLITS: Mapping[str, tuple[str, str, str]] = {
    "1kA-9k": ("1kA-9k", "1kA-test", "msrvtt-1kA"),
    "1kA-7k": ("1kA-7k", "1kA-test", "msrvtt-1kA"),
    "1kB": ("1kB-train", "1kB-test", "msrvtt-1kB"),
    "full": ("full-train", "full-test", "msrvtt-full"),
}


class MSRVTT(BenchmarkData):
    """Train on MSR-VTT and score text-to-video retrieval.

    The protocols are ``msrvtt-1kA@1``, where a sentence asks for each of 1,000 clips,
    ``msrvtt-1kB@1``, where the first caption of each of 1,000 others does, and ``msrvtt-full@1``,
    where each of about 20 captions asks for each of 2,990. With the split ``full`` a training is
    validated on the authors' validation clips; the others train on some of these, and have no
    validation split: their training keeps its last checkpoint.

    Args:
        root: The folder of videos, lists and captions; see
            :func:`~vtlearn.datasets.msrvtt.read_msrvtt`.
        split: What is trained on, and scored: ``1kA-9k`` (all clips but those of the test) and
            ``1kA-7k`` (those of the published training list), ``1kB``, or ``full``. One of a clip's
            captions is drawn each time.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If there is no such split, or a choice is unknown.

    Example:
        >>> MSRVTT(Path("data/msrvtt"), split="full").train_split
        'full-train'
    """

    def __init__(
        self,
        root: Path = Path("data/msrvtt"),
        *,
        split: Literal["1kA-9k", "1kA-7k", "1kB", "full"] = "1kA-9k",
        **benchmark: Any,
    ) -> None:
        super().__init__(root, **benchmark)
        if split not in _SPLITS:
            message = f"MSRVTT cannot be trained on {split!r}{nearest(split, _SPLITS)}"
            raise ArgumentError(message)
        self.train_split, self.test_split, self._protocol = _SPLITS[split]

    def test_tasks(self) -> list[EvaluationTask]:
        """Return retrieval among the test clips."""
        return [self._retrieval(self.test_split)]

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return retrieval among the authors' validation clips, where the split is ``full``."""
        if self.train_split != "full-train":
            return []
        ids = {
            split: [clip.id for clip in self.list_split(split, None)]
            for split in ("full-validate", self.test_split)
        }
        require_apart("MSR-VTT", ids["full-validate"], ids[self.test_split])
        return [self._retrieval("full-validate")]

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenMSRVTT(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the clips of a split.

        Args:
            split: As :func:`~vtlearn.datasets.msrvtt.read_msrvtt` names it.
            max_missing: How many of the clips may lack their files; None for any number.
        """
        return read_msrvtt(self.root, split, videos=self.videos_root, max_missing=max_missing)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all clips, those that are scored as well."""
        validation = ["full-validate"] if self.train_split == "full-train" else []
        return self.files_of([self.train_split, *validation, self.test_split])

    def _retrieval(self, split: str) -> EvaluationTask:
        task = self.retrieval(self._protocol, 1, self.clips(split), self.windows)
        return self.annotated(task, split, annotation_files(self.root, split))
