"""HowTo100M, or any folder laid out like it, for training."""

from collections.abc import Iterator
from pathlib import Path

from vtlearn.datamodules.base import ClipShape, VideoTextData
from vtlearn.datasets import howto100m
from vtlearn.datasets.howto100m import ClipSampling

__all__ = ["HowTo100M"]


class HowTo100M(VideoTextData):
    """Train on narrated videos; there is no split to be scored by.

    Args:
        videos: Folder of the videos, however nested; a file's name begins with the id.
        captions: Folder of per-video captions (json or csv), or one JSON file of all.
        video_list: csv with a column ``video_path``; leave it out for every video with captions.
        sampling: How the clips of a narration are drawn.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        quarantine: The file that names unreadable videos.
        batch_size: Narrations of a batch over all processes together.
        num_workers: Loader processes of each training process; 0 to read in itself.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.

    Example:
        >>> data = HowTo100M(Path("videos"), Path("captions"), sampling=ClipSampling(num_frames=16))
        >>> data.clip_shape
        ClipShape(num_frames=16, size=224)
    """

    def __init__(
        self,
        videos: Path,
        captions: Path,
        *,
        video_list: Path | None = None,
        sampling: ClipSampling | None = None,
        max_unreadable_fraction: float = 0.01,
        quarantine: Path = Path("runs/unreadable.jsonl"),
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self.videos = videos
        self.caption_files = captions
        self.video_list = video_list
        self.sampling = sampling or ClipSampling()
        self.max_unreadable_fraction = max_unreadable_fraction
        self.quarantine = quarantine

    @property
    def clip_shape(self) -> ClipShape:
        """The clips this datamodule gives."""
        return ClipShape(self.sampling.num_frames, self.sampling.size)

    def prepare_data(self) -> None:
        """Forget what could not be read in an earlier training: it may have been mended."""
        Path(self.quarantine).unlink(missing_ok=True)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, video by video."""
        return self.train_dataset().texts()

    def train_dataset(self) -> howto100m.HowTo100M:
        """Return the corpus.

        Raises:
            CorpusNotFoundError: If its files are not there.
        """
        return howto100m.HowTo100M(
            Path(self.videos),
            Path(self.caption_files),
            video_list=self.video_list,
            sampling=self.sampling,
            seed=self.seed,
            max_unreadable_fraction=self.max_unreadable_fraction,
            quarantine=Path(self.quarantine),
        )
