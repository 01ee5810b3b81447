"""What all datamodules share: loaders of their batches, and how they are scored."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader
from typing_extensions import override

from vtlearn.batch import Batch, Sample, Unreadable, collate
from vtlearn.checks import require_not_negative, require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.alignment_example import AlignmentExample
from vtlearn.datamodules.lazy_data_loader import LazyDataLoader, outlive_signals
from vtlearn.datamodules.position import position_of
from vtlearn.datamodules.run_report import begin_report
from vtlearn.datamodules.samplers import (
    DistributedBatchSampler,
    EpochOrder,
    ShuffledBatchSampler,
    per_rank_batch_size,
)
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.extraction.extractor import find_extractor
from vtlearn.datasets.holdout import first_trained_on
from vtlearn.datasets.reading import ClipShape, Reading, require_known
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.unreadable import UnreadableLog, forget_unreadable
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.distributed import process
from vtlearn.encoders.base import VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.storage.strings import Strings

__all__ = ["VideoTextData"]

_LOG = logging.getLogger(__name__)


class VideoTextData(LightningDataModule, ABC):
    """Loaders of a corpus, and the protocols that say how it is scored.

    Args:
        batch_size: Samples of a training batch over all processes together.
        evaluation_batch_size: Items that are encoded together when scoring; one of more than 16
            windows is encoded by itself, 16 at a time.
        evaluation_chunk: Windows that are on the device at once when scoring.
        num_workers: Loader processes of each training or evaluating process; 0 to read in itself.
        max_unreadable: How many videos of a split may be missing when it is scored; what is scored
            without them is marked as not comparable.
        max_words: How many words of a text are read when scoring; left out, as many as in training.
        loading: How videos are read: any argument of
            :class:`~vtlearn.datasets.reading.Reading`.

    Attributes:
        reading: How videos are read.
        videos_needed: Whether the videos of what is listed have to be there.
        unreadable: What could not be read in training, once the training loader is made.
        report_name: The file in the run's folder that names it, where ``unreadable_log`` names
            none.

    Raises:
        ArgumentError: If a number is outside its range.
    """

    def __init__(
        self,
        *,
        batch_size: int = 16,
        evaluation_batch_size: int = 8,
        evaluation_chunk: int = 256,
        num_workers: int = 0,
        max_unreadable: int = 0,
        max_words: int | None = None,
        **loading: Any,
    ) -> None:
        super().__init__()
        require_positive(
            batch_size=batch_size,
            evaluation_batch_size=evaluation_batch_size,
            evaluation_chunk=evaluation_chunk,
        )
        require_not_negative(num_workers=num_workers, max_unreadable=max_unreadable)
        self.batch_size = batch_size
        self.evaluation_batch_size = evaluation_batch_size
        self.evaluation_chunk = evaluation_chunk
        self.num_workers = num_workers
        self.max_unreadable = max_unreadable
        if max_words is not None:
            require_positive(max_words=max_words)
        self.max_words = max_words
        require_known(type(self).__name__, loading)
        self.reading = self._asked = Reading(**loading)
        self.videos_needed = True
        self.unreadable: UnreadableLog | None = None
        self.report_name = "unreadable.jsonl"
        self._noted: list[Unreadable] = []
        self._order: EpochOrder | None = None

    @property
    def seed(self) -> int:
        """What is drawn comes from it, the epoch, and the position in the corpus."""
        return self.reading.seed

    @property
    def clip_shape(self) -> ClipShape:
        """The clips this datamodule gives.

        Raises:
            ArgumentError: If they are left to the video encoder, and there is none yet.
        """
        return self.reading.clip_shape

    @override
    def setup(self, stage: str) -> None:
        encoder = getattr(self.trainer and self.trainer.lightning_module, "video_encoder", None)
        if isinstance(encoder, VideoEncoder):
            # from what was asked for: the encoder of another run may have been another one
            self.reading = self._asked.completed(encoder.num_frames, encoder.size)
        if stage == "fit" and self.trainer is not None and self._asked.unreadable_log is None:
            own = begin_report(self.trainer, self.report_name)
            self.reading = replace(self.reading, unreadable_log=own)

    def list_only(self, num_frames: int | None = None) -> None:
        """Get ready to list what is scored, and to read none of it.

        No encoder says how large frames are, and videos need not be there.

        Args:
            num_frames: Frames per clip, where the settings leave them to the video encoder; None to
                leave them open, for what is listed without them.
        """
        self.videos_needed = False
        size = self.reading.pixels.size or 1  # of pixels that nothing reads
        frames = self.reading.sampling.num_frames or num_frames
        self.reading = replace(
            self.reading,
            sampling=replace(self.reading.sampling, num_frames=frames),
            pixels=replace(self.reading.pixels, size=size),
        )

    def take_whole_clips(self) -> None:
        """Have training take the whole of each clip, as captioning does: ``sampling.whole``.

        Raises:
            ArgumentError: If the settings ask for clips of another kind.
        """
        asked = self._asked
        for name, given in (
            ("overlap", asked.overlap is not None),
            ("sampling.floor_seconds", asked.sampling.floor_seconds),
        ):
            if given:
                message = (
                    "task=captioning takes the whole time of each clip, in training as in "
                    f"evaluation: leave {name} out"
                )
                raise ArgumentError(message)
        sampling = replace(asked.sampling, whole=True)
        self.reading = self._asked = replace(asked, sampling=sampling)

    def report_unreadable_in(self, path: Path) -> None:
        """Have training name what cannot be read in another file: ``unreadable_log``.

        Args:
            path: The file.
        """
        self.reading = self._asked = replace(self._asked, unreadable_log=path)

    def unreadable_logs(self) -> list[UnreadableLog]:
        """Return what could not be read in training: one account, once its loader is made."""
        return [] if self.unreadable is None else [self.unreadable]

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: what could not be read so far."""
        logs = self.unreadable_logs()
        return {"unreadable": [record._asdict() for log in logs for record in log.read().values()]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what could not be read before a training was stopped.

        Args:
            state_dict: What a checkpoint kept.
        """
        self._noted = [Unreadable(**record) for record in state_dict["unreadable"]]

    def clip_settings(self) -> dict[str, Any]:
        """Describe how clips are read, in plain values, for a checkpoint to keep."""
        return self.reading.clip_settings()

    def prepare_data(self) -> None:
        """Forget what an earlier training could not read, unless each has a file of its own."""
        is_shared = self.trainer is None or self.reading.unreadable_log is not None
        if is_shared and self.videos_needed and self.is_training():
            forget_unreadable(self.reading.report)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, in the same order in every process."""
        return self.train_dataset().texts()

    @abstractmethod
    def train_dataset(self) -> Corpus | ShardStream:
        """Return the training corpus, or this process's stream of it."""

    def held_out_videos(self) -> frozenset[str]:
        """Return the names, without folders, of videos that are validated on, not trained on.

        Override it where videos of the training corpus are held out; those of benchmarks are not.
        """
        return frozenset()

    def leave_out(self, videos: frozenset[str]) -> None:
        """Train on no video that is held out elsewhere.

        Override it where videos can be left out.

        Args:
            videos: Their names, without folders.

        Raises:
            ArgumentError: If one is trained on.
        """
        first = first_trained_on(self.train_dataset(), videos) if videos else None
        if first is not None:
            message = (
                f"{type(self).__name__} trains on {first}, which another source holds out to "
                "validate on: remove the held-out videos from this source, or set holdout=0 there"
            )
            raise ArgumentError(message)

    def epoch_order(self) -> EpochOrder | None:
        """Return what says which samples an epoch has; None for a permutation of all.

        Override it for batches of videos that belong together. A stream of shards has its own.
        """
        return self._order

    def order_epochs(self, order: EpochOrder | None) -> None:
        """Have training take the samples that something else says: a callback, for one.

        Args:
            order: What says which samples an epoch has; None for what is taken by default.

        Raises:
            ArgumentError: If an epoch is not of samples of one corpus, by their positions.
        """
        self._order = order

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return what a stage is scored by: a loader of items each, and the protocols it serves.

        Args:
            stage: Which split.

        Returns:
            The tasks. Models are chosen by the first protocol of the first.
        """
        del stage
        return []

    def example(self) -> AlignmentExample | None:
        """Return a narrated video to look at during training, where the corpus has one."""
        return None

    def matches(self) -> dict[str, bool]:
        """Return whether training captions are about their clips, by id; empty where unknown."""
        return {}

    def videos(self) -> VideoList:
        """List the videos that features can be made of: those of the training corpus.

        Raises:
            ArgumentError: If the corpus is set to read features itself, or is a stream.
        """
        require_pixels(self.reading.features)
        corpus = self.train_dataset()
        if isinstance(corpus, ShardStream):
            message = f"{type(self).__name__} has no videos to predict features of"
            raise ArgumentError(message)
        sources = (corpus.source(index) for index in range(len(corpus)))
        return self._listed(corpus.ids, Strings.of(sources))

    def _listed(self, ids: Sequence[str], paths: Sequence[str]) -> VideoList:
        reading = self.reading
        return VideoList(
            *(ids, paths, reading.fps, reading.max_unreadable_fraction, reading.time_budget),
            frame_at=reading.sampling.frame_at,
        )

    def is_training(self) -> bool:
        """Tell whether this is a training, which alone writes down what cannot be read."""
        return self.trainer is None or self.trainer.state.fn == "fit"

    def train_dataloader(self) -> LazyDataLoader:
        """Return the loader of this process's share; it has the same length on every process.

        In a training that is resumed it begins with the next batch.
        """
        dataset = self.train_dataset()
        self.unreadable = dataset.unreadable
        self.unreadable.require_writable()
        self.unreadable.add_all(self._noted)
        if isinstance(dataset, ShardStream):
            loader = self._stream_loader(dataset)
        else:
            loader = self._corpus_loader(dataset)
        if self.trainer is not None:
            loader.position = partial(position_of, self.trainer)
        return loader

    def _corpus_loader(self, dataset: Corpus) -> LazyDataLoader:
        batches = ShuffledBatchSampler(
            len(dataset),
            self.batch_size,
            seed=self.seed,
            process=process(),
            order=self.epoch_order(),
        )
        return LazyDataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=outlive_signals,
        )

    def _stream_loader(self, dataset: ShardStream) -> LazyDataLoader:
        taken, total = len(dataset) * dataset.process.world, len(dataset.unreadable.ids)
        _LOG.info("an epoch takes %d of %d samples, others each time", taken, total)
        loader = LazyDataLoader(
            dataset,
            batch_size=per_rank_batch_size(self.batch_size, process()),
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            worker_init_fn=outlive_signals,
        )
        # where Lightning looks; a stream's loader takes no sampler of ours
        loader.sampler.set_epoch = dataset.set_epoch  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> list[DataLoader[Sample | Unreadable]]:
        """Return a loader for each task of the validation split."""
        return [self._evaluation_loader(task) for task in self.tasks("validate")]

    def test_dataloader(self) -> list[DataLoader[Sample | Unreadable]]:
        """Return a loader for each task of the test split."""
        return [self._evaluation_loader(task) for task in self.tasks("test")]

    def predict_dataloader(self) -> DataLoader[Sample | Unreadable | None]:
        """Return the loader of this process's share of the videos, a part of one video per batch.

        Which share that is, and which windows, is said by the callback that keeps what is made of
        them: the :class:`~vtlearn.datasets.extraction.Extractor` among the trainer's.

        Raises:
            ArgumentError: If no callback keeps what is made of them, or more than one does.
        """
        callbacks = [] if self.trainer is None else self.trainer.callbacks  # type: ignore[attr-defined]
        # asked now, when the checkpoint's weights are loaded, which may identify what is there
        extractor = find_extractor(callbacks)
        return DataLoader(
            extractor.chunks(self.videos(), workers=self.num_workers),
            batch_size=None,
            collate_fn=_collate_part,  # type: ignore[arg-type]  # one item where nothing is batched
            num_workers=self.num_workers,
        )

    def _evaluation_loader(self, task: EvaluationTask) -> DataLoader[Sample | Unreadable]:
        batches = DistributedBatchSampler(
            task.items.part_counts, task.batch_size, process=process()
        )
        return DataLoader(
            task.items,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.num_workers,
            worker_init_fn=outlive_signals,
        )


def _collate_part(part: Sample | Unreadable | None) -> Batch:
    return collate([] if part is None else [part])
