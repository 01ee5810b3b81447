"""One vector per training video, encoded by all processes together."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningModule
from pytorch_lightning.plugins import Precision
from torch import Tensor
from torch.utils.data import DataLoader

from vtlearn.batch import Batch, collate
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.samplers import DistributedBatchSampler
from vtlearn.datasets.base import Corpus, SampleKey
from vtlearn.distributed import gather_objects, process
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner
from vtlearn.learner import VideoTextLearner
from vtlearn.padding import valid

__all__: list[str] = []


class SampleEncoder:
    """Encode the samples of an epoch, one vector each, every process its share of them.

    Args:
        model: What encodes them, in evaluation mode meanwhile.
        data: Says how many samples are encoded at once, by how many workers they are read.
        precision: What the training computes in.

    Raises:
        ArgumentError: If the model is not a learner whose head compares clips with texts.
    """

    def __init__(self, model: LightningModule, data: VideoTextData, precision: Precision) -> None:
        self._learner, self._aligner = _comparing(model)
        self._batch_size, self._workers = data.evaluation_batch_size, data.num_workers
        self._precision = precision

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._learner.device

    def encode(self, corpus: Corpus, epoch: int) -> Tensor:
        """Encode the sample that an epoch may have of each video.

        Batches are the same for any number of processes, and so is every vector. Nothing is drawn
        from torch's own generator: training goes on as if this had not been.

        Args:
            corpus: The training corpus.
            epoch: From 0.

        Returns:
            (videos, dim), float32, on the CPU, the same on every process: of the vectors that the
            head compares, the mean over the sample's clips and the mean over its texts, averaged.
        """
        shares = DistributedBatchSampler([1] * len(corpus), self._batch_size, process=process())
        keys = [[SampleKey(epoch, video) for video in batch] for batch in shares if batch]
        loader = DataLoader(
            corpus,
            batch_sampler=keys,
            collate_fn=collate,
            num_workers=self._workers,
            generator=torch.Generator(),
        )
        with self._encoding():
            vectors = [self._mean_vectors(batch).float().cpu() for batch in loader]
        videos = np.array([key.sample for batch in keys for key in batch], dtype=np.int64)
        return _joined(videos, torch.cat(vectors).numpy() if vectors else None, len(corpus))

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        was_training = self._learner.training
        self._learner.eval()
        try:
            with torch.no_grad(), self._precision.val_step_context():
                yield
        finally:
            self._learner.train(was_training)

    def _mean_vectors(self, batch: Batch) -> Tensor:
        encoded = self._learner.encode(self._precision.convert_input(batch))
        video, text = encoded.video, encoded.text
        means = [
            self._mean(video.pooled, video.length),
            self._mean(text.pooled[:, :, 0], text.length),
        ]
        return torch.stack(means).mean(0)

    def _mean(self, pooled: Tensor, length: Tensor) -> Tensor:
        compared = self._aligner.embed(pooled) * valid(length, pooled.shape[1])[:, :, None]
        return compared.sum(1) / length.clamp(min=1)[:, None]


def _joined(videos: NDArray[np.int64], vectors: NDArray[np.float32] | None, count: int) -> Tensor:
    """Put the vectors of all processes in the order of the videos."""
    shared = [one for one in gather_objects((videos, vectors)) if one[1] is not None]
    joined = np.empty((count, shared[0][1].shape[1]), np.float32)
    for positions, rows in shared:
        joined[positions] = rows
    return torch.from_numpy(joined)


def _comparing(model: LightningModule) -> tuple[VideoTextLearner, Aligner]:
    if isinstance(model, VideoTextLearner) and model.text_encoder is not None:
        aligner = model.head.aligner
        if aligner is not None and {"video_pooled", "text_pooled"} <= model.head.needs:
            return model, aligner
    message = (
        "NeighbourBatches finds videos by vectors of clips and texts that a head compares, such as "
        "TempCLR's or S2DTW's, and this model has none: leave it out of trainer.callbacks"
    )
    raise ArgumentError(message)
