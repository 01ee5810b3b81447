"""MSR-VTT, the split 1k-A: train on 9,000 or 7,010 clips, find 1,000 others by a sentence."""

from pathlib import Path
from typing import Any, Literal

from vtlearn.data_source import Stage
from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datasets import msrvtt
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen.layouts import KitchenMSRVTT

__all__ = ["MSRVTT"]


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

    Example:
        >>> MSRVTT(Path("data/msrvtt"), split="1kA-7k").split
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
        self.root, self.videos_root = Path(root), videos
        self.split, self.windows, self.kitchen = split, windows, kitchen

    def prepare_data(self) -> None:
        """Render what is missing, if that is wanted; a training forgets what was unreadable."""
        if self.kitchen and not self.root.exists():
            KitchenMSRVTT(self.root).prepare()
        super().prepare_data()

    def train_dataset(self) -> msrvtt.MSRVTT:
        """Return the training clips.

        Raises:
            CorpusNotFoundError: If the files are not there.
            ArgumentError: If there is no such split.
        """
        return msrvtt.MSRVTT(self._clips(self.split), self.reading)

    def videos(self) -> VideoList:
        """List all clips, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.reading.features)
        clips = [*self._clips("1kA-9k"), *self._clips("1kA-test")]
        return self._listed([clip.id for clip in clips], [str(clip.path) for clip in clips])

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return retrieval among the test clips, and nothing to validate by.

        Args:
            stage: Which split.
        """
        if stage == "validate":
            return []
        return [self.retrieval("msrvtt-1kA", 1, self._clips("1kA-test"), self.windows)]

    def _clips(self, split: str) -> list[CaptionedClip]:
        missing = None if self.reading.features else self.max_unreadable
        return msrvtt.read_msrvtt(self.root, split, videos=self.videos_root, max_unreadable=missing)
