"""Pictures with captions, for training: each is a clip of one frame."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets import image_captions
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.image_captions import read_image_captions
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts import LAYOUTS

__all__ = ["ImageCaptions"]


class ImageCaptions(VideoTextData):
    """Train on pictures, each with one of its captions; there is no split to be scored by.

    COCO's captions and Karpathy's splits of them, CC3M, CC12M, tables of open_clip, and what
    img2dataset writes to files; its tar shards are read by
    :class:`~vtlearn.datamodules.Shards`.

    Args:
        root: The corpus's folder.
        annotations: What says which captions there are, below ``root``: a JSON file or a table;
            see :func:`~vtlearn.datasets.picture_lists.read_picture_list`. Left out, ``root`` is
            what ``img2dataset --output_format files`` wrote.
        pictures: The folder that pictures' names are below, below ``root``; left out, ``root``.
        kitchen: Render pictures of cooking in this layout where ``root`` is not there: ``coco``,
            ``cc`` or ``img2dataset``.
        loading: What every corpus takes, but for ``features``. ``sampling.num_frames`` is 1 unless
            it is given; more of them show the same picture, for encoders that take no single one.

    Raises:
        ArgumentError: If features are to be read, or there is no such layout.

    Example:
        >>> from vtlearn.datasets import Pixels
        >>> data = ImageCaptions(Path("data/cc3m"), annotations=Path("Train_GCC-training.tsv"),
        ...     pictures=Path("training"), pixels=Pixels(size=224))
        >>> data.clip_shape
        ClipShape(num_frames=1, size=224)
    """

    def __init__(
        self,
        root: Path,
        *,
        annotations: Path | None = None,
        pictures: Path | None = None,
        kitchen: Literal["coco", "cc", "img2dataset"] | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if self.reading.features is not None:
            message = f"features={self.reading.features}: pictures are read as such; leave it out"
            raise ArgumentError(message)
        if kitchen not in ("coco", "cc", "img2dataset", None):
            message = f"expected kitchen coco, cc or img2dataset, got {kitchen!r}"
            raise ArgumentError(message)
        if self.reading.sampling.num_frames is None:
            sampling = replace(self.reading.sampling, num_frames=1)
            self.reading = self._asked = replace(self.reading, sampling=sampling)
        self.root = Path(root)
        self.annotations = self.root / (annotations or "")
        self.pictures = self.root / (pictures or "")
        self.kitchen = kitchen
        self._clips: Sequence[CaptionedClip] | None = None

    def prepare_data(self) -> None:
        """Render what is missing, if that is wanted; a training forgets what was unreadable."""
        is_there = self.root.is_dir() and any(self.root.iterdir())
        if self.kitchen is not None and not is_there:
            LAYOUTS[self.kitchen](root=self.root).prepare()  # type: ignore[call-arg]
        super().prepare_data()

    def clips(self) -> Sequence[CaptionedClip]:
        """Return the pictures and their captions, listed once.

        Raises:
            CorpusNotFoundError: If the files are not there.
            ArgumentError: If they cannot be read, or too many pictures are not there.
        """
        if self._clips is None:
            share = float(self.reading.max_unreadable_fraction)
            allowed = share if self.videos_needed else None
            self._clips = read_image_captions(
                self.annotations, pictures=self.pictures, max_missing=allowed
            )
        return self._clips

    def train_dataset(self) -> image_captions.ImageCaptions:
        """Return the corpus.

        Raises:
            CorpusNotFoundError: If its files are not there.
        """
        return image_captions.ImageCaptions(self.clips(), self.reading)
