from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytorch_lightning import Callback

from tests.models import quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.datamodules import Kitchen, VideoTextData
from vtlearn.datamodules.samplers import EpochOrder
from vtlearn.datasets.extraction import Extractor
from vtlearn.datasets.reading import ClipSampling, Pixels
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner
from vtlearn.media.video.reader import VideoReader

TINY: dict[str, Any] = {
    "sampling": ClipSampling(num_clips=3, num_frames=2, fps=4.0),
    "pixels": Pixels(size=16),
}


@pytest.fixture
def data(kitchen_root: Path, small: dict[str, Any]) -> Kitchen:
    return Kitchen(kitchen_root, **TINY, batch_size=4, evaluation_batch_size=2, **small)


def test_training_batches(data: Kitchen) -> None:
    batches = list(data.train_dataloader())
    assert len(batches) == 2
    for batch in batches:
        assert isinstance(batch, Batch)
        assert batch.num_clips == batch.num_texts == (3,) * 4
        assert batch.clips.shape == (12, 2, 3, 16, 16)
        assert len(batch.texts) == 12


def test_a_datamodule_may_say_which_samples_an_epoch_has(
    kitchen_root: Path, small: dict[str, Any]
) -> None:
    class Ordered(Kitchen):
        def epoch_order(self) -> EpochOrder:
            return lambda seed, epoch: [7, 5, 3, 1][seed + epoch :] * 2

    data = Ordered(kitchen_root, **TINY, batch_size=4, **small)
    ids = data.train_dataset().ids
    batches: list[Batch] = list(data.train_dataloader())
    assert [batch.ids for batch in batches] == [[ids[n] for n in (7, 5, 3, 1)]] * 2


def test_something_else_may_say_which_samples_an_epoch_has(data: Kitchen) -> None:
    data.order_epochs(lambda seed, epoch: [5, 4, 3, 2])  # noqa: ARG005
    ids = data.train_dataset().ids
    assert [batch.ids for batch in data.train_dataloader()] == [[ids[n] for n in (5, 4, 3, 2)]]
    data.order_epochs(None)
    assert len(data.train_dataloader()) == 2


def test_workers_change_nothing(kitchen_root: Path, small: dict[str, Any]) -> None:
    def first(workers: int) -> Batch:
        data = Kitchen(kitchen_root, **TINY, batch_size=4, num_workers=workers, **small)
        batch: Batch = next(iter(data.train_dataloader()))
        return batch

    alone, helped = first(0), first(1)
    assert alone.ids == helped.ids
    assert (alone.clips == helped.clips).all()


def test_a_loader_for_each_task(data: Kitchen) -> None:
    for stage, loaders in (("validate", data.val_dataloader()), ("test", data.test_dataloader())):
        tasks = data.tasks(stage)  # type: ignore[arg-type]
        assert len(tasks) == len(loaders) == 2
        for task, loader in zip(tasks, loaders, strict=True):
            batches: list[Batch] = list(loader)
            assert len(batches) == len(loader)
            came = [
                video_id
                for batch in batches
                for video_id, part in zip(batch.ids, batch.parts, strict=True)
                if part[0] == 0
            ]
            assert sorted(came) == sorted(task.protocols[0].expected)


def test_a_video_of_many_windows_is_scored_part_by_part(data: Kitchen) -> None:
    _, task = data.tasks("test")
    _, loader = data.test_dataloader()
    batches: list[Batch] = list(loader)
    for item, count in zip(task.items.items, task.items.part_counts, strict=True):
        own = [batch for batch in batches if batch.ids == [item.id]]
        assert [batch.parts for batch in own] == [((part, count),) for part in range(count)]
        assert count > 1
        assert sum((batch.num_clips for batch in own), ()) == (16,) * (count - 1) + (
            len(item.starts) - 16 * (count - 1),
        )
        assert [text for batch in own for text in batch.texts] == own[0].texts == item.texts


class Bare(VideoTextData):
    def captions(self) -> Iterator[str]:
        return iter(())

    def train_dataset(self) -> None:  # type: ignore[override]
        return None


def test_a_corpus_without_protocols_is_not_scored() -> None:
    bare = Bare()
    assert bare.tasks("test") == []
    assert bare.val_dataloader() == []
    assert bare.example() is None


class FirstVideos(Callback, Extractor):
    """Chooses windows of the first videos, as if they had these durations."""

    def __init__(self, *durations: float) -> None:
        self.durations = durations

    def chunks(self, videos: VideoList, *, workers: int) -> WindowChunks:
        assert workers == 0
        count = len(self.durations)
        return WindowChunks(
            videos.ids[:count],
            videos.paths[:count],
            np.array(self.durations),
            reader=VideoReader(),
            stride=1.0,
            num_frames=2,
            fps=videos.fps,
            size=16,
            windows_per_chunk=4,
        )


def test_a_share_of_windows_is_predicted_chunk_by_chunk(data: Kitchen, tmp_path: Path) -> None:
    videos = data.videos()
    data.trainer = quiet_trainer(tmp_path, callbacks=[FirstVideos(10.0, 3.0)])
    loader = data.predict_dataloader()
    assert len(loader) == 4
    batches: list[Batch] = list(loader)
    assert [batch.num_clips for batch in batches] == [(4,), (4,), (2,), (3,)]
    assert [batch.ids for batch in batches] == [[videos.ids[i]] for i in (0, 0, 0, 1)]
    assert [batch.parts for batch in batches] == [((0, 3),), ((1, 3),), ((2, 3),), ((0, 1),)]


def test_a_process_without_videos_predicts_an_empty_batch(data: Kitchen, tmp_path: Path) -> None:
    data.trainer = quiet_trainer(tmp_path, callbacks=[FirstVideos()])
    batches: list[Batch] = list(data.predict_dataloader())
    assert [(batch.ids, len(batch.clips), batch.unreadable) for batch in batches] == [([], 0, [])]


def test_nothing_is_predicted_that_is_not_kept(tmp_path: Path) -> None:
    bare = Bare()
    with pytest.raises(ArgumentError, match="predict has no output: add a FeatureWriter"):
        bare.predict_dataloader()
    bare.trainer = quiet_trainer(tmp_path)
    with pytest.raises(ArgumentError, match="predict has no output: add a FeatureWriter"):
        bare.predict_dataloader()


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="batch_size must be positive, but is 0"):
        Bare(batch_size=0)
    with pytest.raises(ArgumentError, match="evaluation_chunk must be positive"):
        Bare(evaluation_chunk=0)


def test_clips_are_those_of_the_encoder_that_is_trained(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    data = Kitchen(kitchen_root, batch_size=4, sampling=ClipSampling(num_clips=2), **small)
    for num_frames, size in ((2, 16), (3, 8)):
        encoder = TinyVideo(dim=8, num_frames=num_frames, size=size, width=4)
        learner = VideoTextLearner(encoder, tiny_learner().text_encoder, InfoNCE())
        options = {"max_steps": 1, "limit_val_batches": 1}
        quiet_trainer(tmp_path, **options).fit(learner, datamodule=data)
        assert data.clip_shape == (num_frames, size)


def test_what_is_only_listed_has_no_size_and_a_length_where_it_is_known(tmp_path: Path) -> None:
    report = tmp_path / "unreadable.jsonl"
    report.touch()
    for given, asked, found in ((4, None, 4), (4, 2, 4), (None, 2, 2)):
        sampling = ClipSampling(num_frames=given, fps=8.0)
        bare = Bare(sampling=sampling, unreadable_log=report)
        bare.list_only(asked)
        bare.prepare_data()
        assert bare.reading.clip_seconds == found / 8
    assert report.exists()  # what a training could not read
    bare = Bare()
    bare.list_only()
    with pytest.raises(ArgumentError, match=r"sampling\.num_frames is left to the video encoder"):
        _ = bare.reading.clip_seconds


def test_another_report_of_what_cannot_be_read(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    data = Kitchen(kitchen_root, **TINY, batch_size=4, **small)
    assert data.unreadable_logs() == []
    data.report_unreadable_in(tmp_path / "other.jsonl")
    data.setup("fit")
    data.train_dataloader()
    (log,) = data.unreadable_logs()
    assert log is data.unreadable
    assert log.path == tmp_path / "other.jsonl"
    options = {"max_steps": 1, "limit_val_batches": 0}  # the encoder fills the rest in
    quiet_trainer(tmp_path, **options).fit(tiny_learner(), datamodule=data)
    assert [log.path for log in data.unreadable_logs()] == [tmp_path / "other.jsonl"]
