"""MSVD: write a caption of a clip, or find it by those that people wrote."""

from pathlib import Path
from typing import Any

from vtlearn.datamodules.benchmark import BenchmarkData, require_apart
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.msvd import SPLITS, annotation_files, read_msvd
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenMSVD

__all__ = ["MSVD"]


class MSVD(BenchmarkData):
    """Train on MSVD, a caption of a clip at a time, and score captions or retrieval.

    With ``task: captioning`` the protocol is ``msvd-caption@1``: what is written of each of the 670
    test clips against all of about 40 captions that it has. Otherwise it is ``msvd-retrieval@1``,
    where each of these captions asks for its clip. A training is validated on the 100 clips of the
    validation list in the same way.

    Args:
        root: The folder of videos, lists and captions; see
            :func:`~vtlearn.datasets.msvd.read_msvd`.
        benchmark: How it is scored.

    Raises:
        ArgumentError: If a choice is unknown.

    Example:
        >>> MSVD(Path("data/msvd"), task="captioning").train_split
        'train'
    """

    def __init__(self, root: Path = Path("data/msvd"), **benchmark: Any) -> None:
        super().__init__(root, **benchmark)

    def test_tasks(self) -> list[EvaluationTask]:
        """Return what is scored of the test clips."""
        return [self._scored("test")]

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return the same of the validation clips."""
        validation, test = ([clip.id for clip in self.list_split(s, None)] for s in ("val", "test"))
        require_apart("MSVD", validation, test)
        return [self._scored("val")]

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenMSVD(self.root).prepare()

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the clips of a split.

        Args:
            split: ``train``, ``val`` or ``test``.
            max_missing: How many of the clips may lack their files; None for any number.
        """
        return read_msvd(self.root, split, videos=self.videos_root, max_missing=max_missing)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all clips."""
        return self.files_of(SPLITS)

    def _scored(self, split: str) -> EvaluationTask:
        clips = self.clips(split)
        if self.writes:
            task = self.captioning("msvd-caption", 1, clips)
        else:
            task = self.retrieval("msvd-retrieval", 1, clips, self.windows)
        return self.annotated(task, split, annotation_files(self.root, split))
