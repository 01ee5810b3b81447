from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtlearn.batch import EvaluationBatch, NarrationBatch
from vtlearn.datamodules import Kitchen, VideoTextData
from vtlearn.datamodules.base import ClipShape
from vtlearn.datasets.howto100m import ClipSampling
from vtlearn.datasets.windows import WindowChunks
from vtlearn.errors import ArgumentError
from vtlearn.media.video import VideoReader

TINY = ClipSampling(num_clips=3, num_frames=2, fps=4.0, size=16)


@pytest.fixture
def data(kitchen_root: Path, small: dict[str, Any]) -> Kitchen:
    return Kitchen(kitchen_root, sampling=TINY, batch_size=4, evaluation_batch_size=2, **small)


def test_training_batches(data: Kitchen) -> None:
    batches = list(data.train_dataloader())
    assert len(batches) == 2
    for batch in batches:
        assert isinstance(batch, NarrationBatch)
        assert batch.video.shape == (4, 3, 2, 3, 16, 16)
        assert [len(captions) for captions in batch.captions] == batch.length.tolist()


def test_workers_change_nothing(kitchen_root: Path, small: dict[str, Any]) -> None:
    def first(workers: int) -> NarrationBatch:
        data = Kitchen(kitchen_root, sampling=TINY, batch_size=4, num_workers=workers, **small)
        batch: NarrationBatch = next(iter(data.train_dataloader()))
        return batch

    alone, helped = first(0), first(1)
    assert alone.ids == helped.ids
    assert (alone.video == helped.video).all()


def test_a_loader_for_each_protocol(data: Kitchen) -> None:
    for stage, loaders in (("validate", data.val_dataloader()), ("test", data.test_dataloader())):
        protocols = data.protocols(stage)  # type: ignore[arg-type]
        assert len(protocols) == len(loaders) == 2
        for protocol, loader in zip(protocols, loaders, strict=True):
            batches: list[EvaluationBatch] = list(loader)
            assert sorted(one for batch in batches for one in batch.ids) == sorted(
                protocol.expected
            )


class Bare(VideoTextData):
    @property
    def clip_shape(self) -> ClipShape:
        return ClipShape(1, 1)

    def captions(self) -> Iterator[str]:
        return iter(())

    def train_dataset(self) -> None:  # type: ignore[override]
        return None


def test_a_corpus_without_protocols_is_not_scored() -> None:
    bare = Bare()
    assert bare.protocols("test") == []
    assert bare.val_dataloader() == []
    assert bare.example() is None


def test_a_share_of_windows_is_predicted_chunk_by_chunk(data: Kitchen) -> None:
    videos = data.videos()
    data.window_chunks = lambda: WindowChunks(
        videos.ids[:2],
        videos.paths[:2],
        np.array([10.0, 3.0]),
        reader=VideoReader(),
        stride=1.0,
        num_frames=2,
        fps=videos.fps,
        size=16,
        windows_per_chunk=4,
    )
    loader = data.predict_dataloader()
    assert len(loader) == 4
    assert [len(chunk.video) for chunk in loader] == [4, 4, 2, 3]


def test_nothing_is_predicted_that_nobody_keeps() -> None:
    with pytest.raises(ArgumentError, match="add a FeatureWriter"):
        Bare().predict_dataloader()
    with pytest.raises(ArgumentError, match="Bare has no videos to predict"):
        Bare().videos()


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="batch_size=0"):
        Bare(batch_size=0)
