"""MSR-VTT, the split 1k-A: train on 9,000 or 7,010 clips, find 1,000 others by a sentence."""

from pathlib import Path
from typing import Any, Literal

from vtlearn.checks import require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.msrvtt import read_msrvtt
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenMSRVTT
from vtlearn.suggestions import nearest

__all__ = ["MSRVTT"]

_TRAINING = ("1kA-9k", "1kA-7k")


class MSRVTT(CaptionedData):
    """Train on MSR-VTT and score text-to-video retrieval by the protocol ``msrvtt-1kA@1``.

    There is no validation split: a training keeps its last checkpoint.

    Args:
        root: The folder of videos, lists and captions, in any of the layouts that circulate; see
            :func:`~vtlearn.datasets.msrvtt.read_msrvtt`.
        videos: The folder of the videos, if it is not ``root``.
        split: What is trained on: all clips but those of the test (``1kA-9k``), or those of the
            published training split (``1kA-7k``). One of a clip's captions is drawn each time.
        windows: Windows of a clip that are averaged when it is scored.
        kitchen: Render a small corpus of cooking clips in this layout where ``root`` is not there.
        loading: What every corpus takes.

    Raises:
        ArgumentError: If there is no such split, or no windows.

    Example:
        >>> MSRVTT(Path("data/msrvtt"), split="1kA-7k").train_split
        '1kA-7k'
    """

    def __init__(
        self,
        root: Path = Path("data/msrvtt"),
        *,
        videos: Path | None = None,
        split: Literal["1kA-9k", "1kA-7k"] = "1kA-9k",
        windows: int = 4,
        kitchen: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        require_positive(windows=windows)
        if split not in _TRAINING:
            message = f"MSRVTT cannot be trained on {split!r}{nearest(split, _TRAINING)}"
            raise ArgumentError(message)
        self.root, self.videos_root = Path(root), videos
        self.train_split, self.windows, self.kitchen = split, windows, kitchen

    def prepare_data(self) -> None:
        """Render what is missing, if that is wanted; a training forgets what was unreadable."""
        if self.kitchen and not (self.root.is_dir() and any(self.root.iterdir())):
            KitchenMSRVTT(self.root).prepare()
        super().prepare_data()

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return retrieval among the test clips, and nothing to validate by.

        Args:
            stage: Which split.
        """
        if stage == "validate":
            return []
        return [self.retrieval("msrvtt-1kA", 1, self.clips("1kA-test"), self.windows)]

    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        """List the clips of ``1kA-9k``, ``1kA-7k`` or ``1kA-test``.

        Args:
            split: Its name.
            max_missing: How many of the clips may lack their files; None for any number.
        """
        return read_msrvtt(self.root, split, videos=self.videos_root, max_missing=max_missing)
