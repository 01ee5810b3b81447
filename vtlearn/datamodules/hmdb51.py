"""HMDB51: recognise the action of a video."""

from pathlib import Path
from typing import Any

from vtlearn.datamodules.recognition import RecognitionData
from vtlearn.datasets.hmdb51 import annotation_files, read_hmdb51
from vtlearn.datasets.recognition import ActionClip
from vtlearn.kitchen.layouts import KitchenHMDB51

__all__ = ["HMDB51"]


class HMDB51(RecognitionData):
    """Score how a trained model recognises the actions of HMDB51; it is not trained on them.

    The protocols are ``hmdb51-linear@1``, linear classifiers of the video encoder's features,
    ``hmdb51-nn@1``, the nearest training videos, and ``hmdb51-zeroshot@1``, the names of classes;
    all three in one pass over the videos.

    Args:
        root: The folder of videos and lists; see :func:`~vtlearn.datasets.hmdb51.read_hmdb51`.
        recognition: How it is scored.

    Raises:
        ArgumentError: If a choice is unknown, or nothing is scored.

    Example:
        >>> HMDB51(Path("data/hmdb51"), protocols=["zeroshot"]).windows
        10
    """

    def __init__(self, root: Path = Path("data/hmdb51"), **recognition: Any) -> None:
        super().__init__(root, **recognition)

    def list_videos(self, max_missing: float | None) -> list[ActionClip]:
        """List the videos that any split uses.

        Args:
            max_missing: How many of them may lack their files; None for any number.
        """
        return read_hmdb51(self.root, videos=self.videos_root, max_missing=max_missing)

    def annotation_files(self) -> list[Path]:
        """Return the files that say which videos there are."""
        return annotation_files(self.root)

    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""
        KitchenHMDB51(self.root).prepare()
