"""Kitchen, rendered when it is first needed, for training and for its two protocols."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vtlearn.data_source import Stage
from vtlearn.datamodules.base import AlignmentExample, VideoTextData
from vtlearn.datasets import howto100m
from vtlearn.datasets.base import clip_reader, find_videos
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.howto100m import ClipSampling
from vtlearn.datasets.kitchen import (
    NarratedVideo,
    alignment_items,
    narrated_videos,
    retrieval_items,
    text_id,
    whole_video,
)
from vtlearn.datasets.unreadable import forget_unreadable
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.errors import UnreadableVideoError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.localization import NarrationAlignment
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.kitchen import KitchenCorpus
from vtlearn.media.captions import open_captions

__all__ = ["Kitchen"]

_QUARANTINE = "unreadable.jsonl"
_SPLITS: Mapping[Stage, str] = {"validate": "val", "test": "test"}


class Kitchen(VideoTextData):
    """Train and test on narrated cooking videos that are rendered when they are first needed.

    Args:
        root: Where they are, or will be.
        sampling: How the clips of a narration are drawn; windows of the protocols are of the same
            length.
        features: Folder of stored features to read in place of the videos' pixels.
        max_unreadable_fraction: Stop when more of the training videos than this cannot be read.
        max_unreadable: How many videos of a split may be missing when it is scored; what is scored
            without them is marked as not comparable.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed and the video counts as unreadable. Leave it out to let it take its time.
        batch_size: Narrations of a training batch over all processes together.
        evaluation_batch_size: Whole videos that are encoded together when scoring, and an eighth of
            the clips; a video of more than 16 windows is encoded by itself, 16 at a time.
        evaluation_chunk: Windows that are on the device at once when scoring.
        num_workers: Loader processes of each process; 0 to read in itself.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.
        kitchen_seed: Another seed renders another Kitchen.
        kitchen: What the corpus is rendered with: how many videos, their size, how noisy the
            narrator is.

    Example:
        >>> Kitchen(sampling=ClipSampling(num_frames=8, fps=4.0, size=64), shift=5.0).clip_shape
        ClipShape(num_frames=8, size=64)
    """

    def __init__(
        self,
        root: Path = Path("data/kitchen"),
        *,
        sampling: ClipSampling | None = None,
        features: Path | None = None,
        max_unreadable_fraction: float = 0.01,
        max_unreadable: int = 0,
        time_budget: float | None = None,
        batch_size: int = 16,
        evaluation_batch_size: int = 8,
        evaluation_chunk: int = 256,
        num_workers: int = 0,
        seed: int = 0,
        kitchen_seed: int = 0,
        **kitchen: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            max_unreadable=max_unreadable,
            evaluation_chunk=evaluation_chunk,
        )
        self.root = Path(root)
        self.sampling = sampling or ClipSampling(num_frames=8, fps=4.0, size=64)
        self.features = features
        self.max_unreadable_fraction = max_unreadable_fraction
        self.time_budget = time_budget
        self.evaluation_batch_size = evaluation_batch_size
        self.corpus = KitchenCorpus(root, seed=kitchen_seed, **kitchen)
        self._videos: dict[Stage, list[NarratedVideo]] = {}

    def prepare_data(self) -> None:
        """Render the videos unless they are there; a training forgets what was unreadable."""
        self.corpus.prepare()
        open_captions(self.root / "captions")
        if self.is_training():
            forget_unreadable(self.root / _QUARANTINE)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, video by video."""
        return self.train_dataset().texts()

    def videos(self) -> VideoList:
        """List the videos of all splits, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.features)
        found = find_videos(self.root / "videos")
        return VideoList(
            list(found),
            [str(path) for path in found.values()],
            self.sampling.fps,
            self.max_unreadable_fraction,
            self.time_budget,
        )

    def train_dataset(self) -> howto100m.HowTo100M:
        """Return the training split, read as any corpus in HowTo100M's layout is."""
        return howto100m.HowTo100M(
            self.root / "captions",
            videos=self.root / "videos",
            features=self.features,
            video_list=self.root / "splits" / "train.csv",
            sampling=self.sampling,
            seed=self.seed,
            max_unreadable_fraction=self.max_unreadable_fraction,
            quarantine=self.root / _QUARANTINE,
            time_budget=self.time_budget,
        )

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return clip retrieval and narration alignment on a split.

        Args:
            stage: Which split.
        """
        return [self._retrieval(stage), self._alignment(stage)]

    def example(self) -> AlignmentExample | None:
        """Return the first validation video that can be read, with the truth of its captions."""
        for video in self._split("validate"):
            numbers = list(range(len(video.captions)))
            item = whole_video(video, numbers, self.sampling.clip_seconds)
            told = video.told()
            with suppress(UnreadableVideoError):  # validation has its say about that
                return AlignmentExample(
                    sample=self._items([item]).sample(item),
                    truth=[told.get(number) for number in numbers],
                )
        return None

    def _retrieval(self, stage: Stage) -> EvaluationTask:
        items = retrieval_items(self._split(stage), self.sampling.clip_seconds)
        protocol = Retrieval(
            "kitchen-retrieval",
            1,
            expected=[item.id for item in items],
            relevance={item.text_ids[0]: [item.id] for item in items},
            windows="one, from the middle of a pair's first occurrence",
        )
        return EvaluationTask([protocol], self._items(items), 8 * self.evaluation_batch_size)

    def _alignment(self, stage: Stage) -> EvaluationTask:
        videos = self._split(stage)
        truth = {
            video.id: {text_id(video.id, number): span for number, span in video.told().items()}
            for video in videos
            if video.told()
        }
        protocol = NarrationAlignment(
            "kitchen-alignment", 1, truth=truth, windows="one a second over the whole video"
        )
        items = alignment_items(videos, self.sampling.clip_seconds)
        return EvaluationTask([protocol], self._items(items), self.evaluation_batch_size)

    def _items(self, items: list[EvaluationItem]) -> EvaluationItems:
        return EvaluationItems(
            items,
            num_frames=self.sampling.num_frames,
            fps=self.sampling.fps,
            size=self.sampling.size,
            reader=clip_reader(self.features, self.time_budget),
            max_unreadable=self.max_unreadable,
        )

    def _split(self, stage: Stage) -> list[NarratedVideo]:
        if stage not in self._videos:
            self._videos[stage] = narrated_videos(self.root, _SPLITS[stage])
        return self._videos[stage]
