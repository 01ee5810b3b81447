"""How a datamodule finds out which windows ``predict`` is to encode: it asks what keeps them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.errors import ArgumentError

__all__ = ["Extractor", "find_extractor"]


class Extractor(ABC):
    """Chooses the windows of a corpus's videos, and keeps what is made of them.

    Attributes:
        folder: Where it writes to; None for one that is there, but was not asked to write.
    """

    folder: Path | None = None

    @abstractmethod
    def chunks(self, videos: VideoList, *, workers: int) -> WindowChunks:
        """Choose this process's share of what is not there yet.

        Called when the model has the weights that it encodes with: what is kept may be identified
        by them.

        Args:
            videos: The corpus.
            workers: How many processes may look at its videos.

        Returns:
            The windows to encode, in order.
        """


def find_extractor(callbacks: Iterable[object]) -> Extractor:
    """Find what keeps the results among callbacks of any kind.

    Args:
        callbacks: Those of a trainer.

    Returns:
        The one that has a folder; one without where none has.

    Raises:
        ArgumentError: If there is none, or more than one has a folder.

    Example:
        >>> find_extractor([])
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: predict has no output: add a FeatureWriter to the callbacks, \
or set --features.folder at the command line
    """
    found = [callback for callback in callbacks if isinstance(callback, Extractor)]
    writing = [extractor for extractor in found if extractor.folder is not None]
    if not found:
        message = (
            "predict has no output: add a FeatureWriter to the callbacks, or set "
            "--features.folder at the command line"
        )
        raise ArgumentError(message)
    if len(writing) > 1:
        names = " and ".join(f"{type(one).__name__} (to {one.folder})" for one in writing)
        message = f"predict writes one output at a time, not those of {names}: leave out the others"
        raise ArgumentError(message)
    return (writing or found)[0]
