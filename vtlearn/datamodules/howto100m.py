"""HowTo100M, or any folder laid out like it, for training."""

from pathlib import Path
from typing import Any

from vtlearn.checks import require_share
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets import howto100m
from vtlearn.media.captions import open_captions

__all__ = ["HowTo100M"]


class HowTo100M(VideoTextData):
    """Train on narrated videos; there is no split to be scored by.

    Args:
        captions: Folder of per-video captions or of pseudolabels, or one file of all.
        videos: Folder of the videos, however nested; a file's name less its suffix is the id.
        video_list: csv with a column ``video_path``; leave it out for every video with captions.
        max_missing_fraction: The share of the listed videos that may not be there; one may be
            missing unless it is 0. They are left out and counted.
        cache: Where the table of captions is kept; ``.vtlearn`` beside them by default.
        min_score: Of pseudolabels, the lowest score that is trained on; ``vtlearn pseudolabel``
            names the one at which half is kept.
        keep: Of pseudolabels, the share that is trained on: those with the highest scores.
        language: Of transcripts named as ``<id>.en.vtt``: ``en``; leave it out for any. Those of
            other languages are left out, and those without a language come after.
        loading: What every corpus takes.

    Example:
        >>> from vtlearn.datasets import ClipSampling, Pixels
        >>> sampling, pixels = ClipSampling(num_frames=16), Pixels(size=112)
        >>> data = HowTo100M(Path("c"), videos=Path("v"), sampling=sampling, pixels=pixels)
        >>> data.clip_shape
        ClipShape(num_frames=16, size=112)
    """

    def __init__(
        self,
        captions: Path,
        *,
        videos: Path | None = None,
        video_list: Path | None = None,
        max_missing_fraction: float = 0.01,
        cache: Path | None = None,
        min_score: float | None = None,
        keep: float | None = None,
        language: str | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self._captions = Path(captions)
        self._opening: dict[str, Any] = {"cache": cache, "min_score": min_score, "keep": keep}
        self._folder, self._video_list, self._language = videos, video_list, language
        require_share(max_missing_fraction=max_missing_fraction)
        self._max_missing = max_missing_fraction

    def prepare_data(self) -> None:
        """Read the captions once; a training forgets what an earlier one could not read."""
        super().prepare_data()
        if self._captions.exists():  # or the corpus says later what is missing
            bad = self.reading.max_bad_cues
            open_captions(self._captions, **self._opening, max_bad_cues=bad)

    def train_dataset(self) -> howto100m.HowTo100M:
        """Return the corpus.

        Raises:
            CorpusNotFoundError: If its files are not there.
        """
        return howto100m.HowTo100M(
            self._captions,
            videos=self._folder,
            video_list=self._video_list,
            language=self._language,
            max_missing_fraction=self._max_missing,
            reading=self.reading,
            **self._opening,
        )
