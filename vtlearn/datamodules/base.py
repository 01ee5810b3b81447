"""What all datamodules share: loaders that deal out batches, and how they are scored."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from vtlearn.batch import (
    EvaluationSample,
    Narration,
    UnreadableItem,
    WindowChunk,
    collate_evaluation,
    collate_narrations,
)
from vtlearn.datamodules.dealing import ShuffledBatches, WholeBatches, own_rows
from vtlearn.datasets.base import Corpus, Quarantine
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.narrations import ClipSampling
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.protocol import Protocol
from vtlearn.media.feature_spec import read_sidecar

__all__ = ["Benchmark", "ClipShape", "Example", "LateLoader", "Stage", "VideoTextData"]

_LOG = logging.getLogger(__name__)

Stage = Literal["validate", "test"]


class ClipShape(NamedTuple):
    """The clips a datamodule gives; a video encoder has to be made for them.

    Attributes:
        num_frames: Frames a clip has.
        size: Height and width in pixels.
    """

    num_frames: int
    size: int


class Benchmark(NamedTuple):
    """Items and how they are scored.

    Attributes:
        protocol: How.
        items: What; one loader.
        batch_size: Items encoded together.
    """

    protocol: Protocol
    items: EvaluationItems
    batch_size: int


class Example(NamedTuple):
    """A narrated video to look at, with what is known of it.

    Attributes:
        sample: The whole video as windows, with its captions in the order of time.
        spans: When each caption is spoken, (start, end) in seconds.
        truth: When what a caption tells of can be seen; None for a caption that tells of nothing.
    """

    sample: EvaluationSample
    spans: Sequence[tuple[float, float]]
    truth: Sequence[tuple[float, float] | None]


class LateLoader(DataLoader[Narration]):
    """Let workers start with the first batch that is asked for.

    Lightning makes the iterator early, before it has said which epoch a resumed training goes on
    with, and torch's would begin to read there and then.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Start the workers when the first batch is asked for."""
        yield from super().__iter__()


class VideoTextData(LightningDataModule, ABC):
    """Loaders of a corpus, and the protocols that say how it is scored.

    Args:
        batch_size: Narrations of a training batch over all processes together.
        num_workers: Loader processes of each training or evaluating process; 0 to read in itself.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.
        max_unreadable: How many videos of a split may be missing when it is scored.

    Attributes:
        sampling: How clips are drawn.
        features: Folder of stored features that are read in place of pixels, if so.
        quarantine: What could not be read in training, once the training loader is made.
        window_chunks: Chooses what ``predict`` encodes; whoever keeps the vectors sets it.

    Raises:
        ArgumentError: If ``batch_size`` is not positive, or another number negative.
    """

    sampling: ClipSampling
    features: Path | None = None

    def __init__(
        self,
        *,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        max_unreadable: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0 or max_unreadable < 0:
            message = (
                f"batch_size={batch_size} has to be 1 or more, num_workers={num_workers} and "
                f"max_unreadable={max_unreadable} 0 or more"
            )
            raise ArgumentError(message)
        if seed < 0:
            message = f"seed={seed} has to be 0 or more"
            raise ArgumentError(message)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.max_unreadable = max_unreadable
        self.quarantine: Quarantine | None = None
        self.window_chunks: Callable[[], WindowChunks] | None = None

    @property
    def clip_shape(self) -> ClipShape:
        """The clips this datamodule gives."""
        return ClipShape(self.sampling.num_frames, self.sampling.size)

    def clip_settings(self) -> dict[str, Any]:
        """Describe how clips are read, in plain values, for a checkpoint to keep.

        Returns:
            ``num_frames``, ``fps``, ``size``, ``crop`` and ``pad``; where stored features are read,
            what these are, as ``features``.
        """
        names = ("num_frames", "fps", "size", "crop", "pad")
        settings = {name: getattr(self.sampling, name) for name in names}
        if self.features is not None:
            spec, _ = read_sidecar(self.features)
            settings["features"] = asdict(spec)
        return settings

    @abstractmethod
    def captions(self) -> Iterator[str]:
        """Yield the training captions, in the same order in every process."""

    @abstractmethod
    def train_dataset(self) -> Corpus | ShardStream:
        """Return the training corpus, or this process's stream of it."""

    def benchmarks(self, stage: Stage) -> Sequence[Benchmark]:
        """Return what a stage is scored by, the one that models are chosen by first.

        Args:
            stage: Which split.
        """
        del stage
        return []

    def protocols(self, stage: Stage) -> list[Protocol]:
        """Return how the loaders of a stage are scored, one protocol a loader.

        Args:
            stage: Which split.
        """
        return [benchmark.protocol for benchmark in self.benchmarks(stage)]

    def example(self) -> Example | None:
        """Return a narrated video to look at during training, where the corpus has one."""
        return None

    def videos(self) -> VideoList:
        """List the videos that features can be made of.

        Raises:
            ArgumentError: If the corpus has no videos of its own.
        """
        message = f"{type(self).__name__} has no videos to predict features of"
        raise ArgumentError(message)

    def is_training(self) -> bool:
        """Tell whether this is a training; nobody else writes down what cannot be read."""
        return self.trainer is None or self.trainer.state.fn == "fit"

    def train_dataloader(self) -> DataLoader[Narration]:
        """Return the loader of this process's share; it has the same length on every process."""
        dataset = self.train_dataset()
        self.quarantine = dataset.quarantine
        self.quarantine.require_writable()
        if isinstance(dataset, ShardStream):
            return self._stream_loader(dataset)
        batches = ShuffledBatches(len(dataset), self.batch_size, seed=self.seed, process=process())
        return LateLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate_narrations,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def _stream_loader(self, dataset: ShardStream) -> DataLoader[Narration]:
        taken, total = len(dataset) * dataset.process.world, len(dataset.quarantine.ids)
        _LOG.info("an epoch takes %d of %d samples, others each time", taken, total)
        loader = LateLoader(
            dataset,
            batch_size=own_rows(self.batch_size, process()),
            collate_fn=collate_narrations,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )
        # where Lightning looks; a stream's loader takes no sampler of ours
        loader.sampler.set_epoch = dataset.set_epoch  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> list[DataLoader[EvaluationSample | UnreadableItem]]:
        """Return a loader for each protocol of the validation split."""
        return [self._evaluation_loader(benchmark) for benchmark in self.benchmarks("validate")]

    def test_dataloader(self) -> list[DataLoader[EvaluationSample | UnreadableItem]]:
        """Return a loader for each protocol of the test split."""
        return [self._evaluation_loader(benchmark) for benchmark in self.benchmarks("test")]

    def predict_dataloader(self) -> DataLoader[WindowChunk]:
        """Return the loader of this process's share of the videos, a chunk of windows a batch.

        Raises:
            ArgumentError: If nobody keeps the vectors.
        """
        if self.window_chunks is None:
            message = "nobody keeps what predict would encode: add a FeatureWriter to the callbacks"
            raise ArgumentError(message)
        return DataLoader(self.window_chunks(), batch_size=None, num_workers=self.num_workers)

    def _evaluation_loader(
        self, benchmark: Benchmark
    ) -> DataLoader[EvaluationSample | UnreadableItem]:
        count = len(benchmark.items)
        return DataLoader(
            benchmark.items,
            batch_sampler=WholeBatches(count, benchmark.batch_size, process=process()),
            collate_fn=collate_evaluation,
            num_workers=self.num_workers,
        )
