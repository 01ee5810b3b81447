"""HowTo100M, or any folder laid out like it, for training."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets import howto100m
from vtlearn.datasets.howto100m import ClipSampling
from vtlearn.datasets.unreadable import forget_unreadable
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.media.captions import open_captions
from vtlearn.storage.strings import Strings

__all__ = ["HowTo100M"]


class HowTo100M(VideoTextData):
    """Train on narrated videos; there is no split to be scored by.

    Args:
        captions: Folder of per-video captions, or one file of all.
        videos: Folder of the videos, however nested; a file's name less its suffix is the id.
        features: Folder of stored features to read in place of the videos' pixels.
        video_list: csv with a column ``video_path``; leave it out for every video with captions.
        sampling: How the clips of a narration are drawn.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        quarantine: The file that names unreadable videos.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed and the video counts as unreadable. Leave it out to let it take its time.
        cache: Where the table of captions is kept; ``.vtlearn`` beside them by default.
        batch_size: Narrations of a batch over all processes together.
        num_workers: Loader processes of each training process; 0 to read in itself.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.

    Example:
        >>> sampling = ClipSampling(num_frames=16)
        >>> data = HowTo100M(Path("captions"), videos=Path("videos"), sampling=sampling)
        >>> data.clip_shape
        ClipShape(num_frames=16, size=224)
    """

    def __init__(
        self,
        captions: Path,
        *,
        videos: Path | None = None,
        features: Path | None = None,
        video_list: Path | None = None,
        sampling: ClipSampling | None = None,
        max_unreadable_fraction: float = 0.01,
        quarantine: Path = Path("runs/unreadable.jsonl"),
        time_budget: float | None = None,
        cache: Path | None = None,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self.sampling = sampling or ClipSampling()
        self._quarantine_file = Path(quarantine)
        self._captions, self._cache = Path(captions), cache
        self.features = features
        self.max_unreadable_fraction = max_unreadable_fraction
        self.time_budget = time_budget
        self._corpus = partial(
            howto100m.HowTo100M,
            captions,
            videos=videos,
            features=features,
            video_list=video_list,
            sampling=self.sampling,
            seed=seed,
            max_unreadable_fraction=max_unreadable_fraction,
            quarantine=self._quarantine_file,
            time_budget=time_budget,
            cache=cache,
        )

    def prepare_data(self) -> None:
        """Read the captions once; a training forgets what an earlier one could not read."""
        if self._captions.exists():  # or the corpus says later what is missing
            open_captions(self._captions, cache=self._cache)
        if self.is_training():
            forget_unreadable(self._quarantine_file)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, video by video."""
        return self.train_dataset().texts()

    def videos(self) -> VideoList:
        """List the videos that have captions, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
            CorpusNotFoundError: If its files are not there.
        """
        require_pixels(self.features)
        corpus = self.train_dataset()
        paths = Strings.of(corpus.source(index) for index in range(len(corpus)))
        return VideoList(
            corpus.ids, paths, self.sampling.fps, self.max_unreadable_fraction, self.time_budget
        )

    def train_dataset(self) -> howto100m.HowTo100M:
        """Return the corpus.

        Raises:
            CorpusNotFoundError: If its files are not there.
        """
        return self._corpus()
