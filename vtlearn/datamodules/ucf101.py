"""UCF101: recognise the action of a video."""

from pathlib import Path
from typing import Any

from vtlearn.datamodules.recognition import RecognitionData
from vtlearn.datasets.recognition import ActionClip
from vtlearn.datasets.ucf101 import annotation_files, read_ucf101
from vtlearn.kitchen.layouts import KitchenUCF101

__all__ = ["UCF101"]


class UCF101(RecognitionData):
    """Score how a trained model recognises the actions of UCF101; it is not trained on them.

    The protocols are ``ucf101-linear@1``, linear classifiers of the video encoder's features,
    ``ucf101-nn@1``, the nearest training videos, and ``ucf101-zeroshot@1``, the names of classes;
    all three in one pass over the videos.

    Args:
        root: The folder of videos and lists; see :func:`~vtlearn.datasets.ucf101.read_ucf101`.
        recognition: How it is scored.

    Raises:
        ArgumentError: If a choice is unknown, or nothing is scored.

    Example:
        >>> UCF101(Path("data/ucf101"), protocols=["zeroshot"]).windows
        10
    """

    def __init__(self, root: Path = Path("data/ucf101"), **recognition: Any) -> None:
        super().__init__(root, **recognition)

    def list_videos(self, max_missing: float | None) -> list[ActionClip]:
        """List the videos that any split uses.

        Args:
            max_missing: How many of them may lack their files; None for any number.
        """
        return read_ucf101(self.root, videos=self.videos_root, max_missing=max_missing)

    def annotation_files(self) -> list[Path]:
        """Return the files that say which videos there are."""
        return annotation_files(self.root)

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenUCF101(self.root).prepare()
