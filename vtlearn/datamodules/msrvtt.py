"""MSR-VTT: find a clip by a sentence, or write one, in splits 1k-A, 1k-B and the authors' own."""

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
    """Train on MSR-VTT and score text-to-video retrieval, or captions.

    The protocols are ``msrvtt-1kA@1``, where a sentence asks for each of 1,000 clips,
    ``msrvtt-1kB@1``, where the first caption of each of 1,000 others does, and ``msrvtt-full@1``,
    where each of about 20 captions asks for each of 2,990. With ``task: captioning`` it is
    ``msrvtt-caption@1``, where the same captions are the references of what is written of each of
    the same 2,990; the split is then ``full``. With the split ``full`` a training is
    validated on the authors' validation clips; the others train on some of these, and have no
    validation split: their training keeps its last checkpoint.

    Args:
        root: The folder of videos, lists and captions; see
            :func:`~vtlearn.datasets.msrvtt.read_msrvtt`.
        split: What is trained on, and scored: ``1kA-9k`` (all clips but those of the test) and
            ``1kA-7k`` (those of the published training list), ``1kB``, or ``full``. One of a clip's
            captions is drawn each time. Left out, ``1kA-9k``, or ``full`` for captioning.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If there is no such split, captions are to be scored on another than
            ``full``, or a choice is unknown.

    Example:
        >>> MSRVTT(Path("data/msrvtt"), split="full").train_split
        'full-train'
    """

    def __init__(
        self,
        root: Path = Path("data/msrvtt"),
        *,
        split: Literal["1kA-9k", "1kA-7k", "1kB", "full"] | None = None,
        **benchmark: Any,
    ) -> None:
        super().__init__(root, **benchmark)
        split = split or ("full" if self.writes else "1kA-9k")
        if split not in _SPLITS:
            message = f"MSRVTT cannot be trained on {split!r}{nearest(split, _SPLITS)}"
            raise ArgumentError(message)
        if self.writes and split != "full":
            message = (
                f"split={split} trains on clips that msrvtt-caption@1 is validated or tested on: "
                "set split=full, or leave it out"
            )
            raise ArgumentError(message)
        self.train_split, self.test_split, self._protocol = _SPLITS[split]

    def test_tasks(self) -> list[EvaluationTask]:
        """Return retrieval among the test clips, or captions of them."""
        return [self._scored(self.test_split)]

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return the same of the authors' validation clips, where the split is ``full``."""
        if self.train_split != "full-train":
            return []
        ids = {
            split: [clip.id for clip in self.list_split(split, None)]
            for split in ("full-validate", self.test_split)
        }
        require_apart("MSR-VTT", ids["full-validate"], ids[self.test_split])
        return [self._scored("full-validate")]

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

    def _scored(self, split: str) -> EvaluationTask:
        clips = self.clips(split)
        if self.writes:
            task = self.captioning("msrvtt-caption", 1, clips)
        else:
            task = self.retrieval(self._protocol, 1, clips, self.windows)
        return self.annotated(task, split, annotation_files(self.root, split))
