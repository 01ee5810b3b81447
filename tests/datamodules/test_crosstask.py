import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.media.features.stores import fill_store
from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Encoded
from vtlearn.datamodules import CrossTask
from vtlearn.datasets.crosstask import draw_training, read_crosstask, segments_file
from vtlearn.datasets.reading import ClipSampling
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.encoders import VideoEncoder
from vtlearn.encoders.text import TinyText
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.step_classification import StepClassification
from vtlearn.evaluation.steps import StepLocalization
from vtlearn.heads import InfoNCE, StepSupervision
from vtlearn.learner import VideoTextLearner
from vtlearn.media.features.reader import FeatureReader
from vtlearn.padding import valid


def crosstask(root: Path, tmp_path: Path, **options: Any) -> CrossTask:
    defaults = {"unreadable_log": tmp_path / "u.jsonl", "batch_size": 2, "train_per_task": 2}
    return CrossTask(root, **{**LOADING, **defaults, **options})


def test_each_video_is_in_one_split(crosstask_root: Path, tmp_path: Path) -> None:
    data = crosstask(crosstask_root, tmp_path)
    files = read_crosstask(crosstask_root)
    videos = {
        split: {clip.video for clip in data.clips(split)} for split in ("train", "validate", "test")
    }
    assert {split: len(ids) for split, ids in videos.items()} == {
        "train": 4,
        "validate": 2,
        "test": 4,
    }
    assert videos["train"] == draw_training(files, 0, 2)
    assert videos["validate"] == files.validation
    assert len(set().union(*videos.values())) == 10


def test_runs_of_steps_are_trained_on(crosstask_root: Path, tmp_path: Path) -> None:
    data = crosstask(crosstask_root, tmp_path)
    steps = {step for task in data.files.tasks.values() for step in task.steps}
    (batch, _) = data.train_dataloader()
    assert batch.num_clips == batch.num_texts
    assert set(batch.texts) <= steps


def test_whole_and_overlapping_steps_are_trained_on(crosstask_root: Path, tmp_path: Path) -> None:
    whole = ClipSampling(num_clips=3, num_frames=2, whole=True)
    (batch, _) = crosstask(crosstask_root, tmp_path, sampling=whole).train_dataloader()
    assert torch.equal(batch.clip_spans, batch.text_spans)
    overlap = OverlapSampling(num_clips=4, words=(3, 12), seconds=(1, 3))
    data = crosstask(crosstask_root, tmp_path, overlap=overlap)
    (batch, _) = data.train_dataloader()
    assert batch.num_clips == batch.num_texts == (4, 4)
    assert set(batch.clip_spans.diff().flatten().tolist()) <= {1.0, 2.0, 3.0}


def test_whole_videos_are_trained_on_with_all_steps_of_their_task(
    stored: Path, crosstask_root: Path, tmp_path: Path
) -> None:
    options = {"features": stored, "sampling": ClipSampling(num_frames=32), "train_on": "windows"}
    data = crosstask(crosstask_root, tmp_path, frame_vectors=True, **options)
    batches = list(data.train_dataloader())
    assert sorted(one for batch in batches for one in batch.ids) == sorted(
        draw_training(data.files, 0, 2)
    )
    videos = {video.id: video for video in data.files.videos}
    for batch in batches:
        clips, texts = iter(batch.clip_spans.tolist()), iter(batch.texts)
        spans = iter(batch.text_spans.tolist())
        for video, windows, said in zip(batch.ids, batch.num_clips, batch.num_texts, strict=True):
            starts = [next(clips)[0] for _ in range(windows)]
            assert starts == [16.0 * n for n in range(windows)]
            steps = data.files.tasks[videos[video].task].steps
            shown = sorted(videos[video].spans, key=lambda span: span.start)
            own = [next(texts) for _ in range(said)]
            assert own[: len(shown)] == [steps[span.step] for span in shown]
            assert set(own) == set(steps)
            times = [next(spans) for _ in range(said)]
            assert times[: len(shown)] == [[span.start, span.end] for span in shown]
            assert all(start != start for start, _ in times[len(shown) :])


def test_steps_are_learned_from_windows(stored: Path, crosstask_root: Path, tmp_path: Path) -> None:
    options = {"features": stored, "sampling": ClipSampling(), "train_on": "windows"}
    data = crosstask(crosstask_root, tmp_path, frame_vectors=True, **options)
    text = TinyText(dim=8, width=8, hidden=8)
    learner = VideoTextLearner(FrameVectors(), text, StepSupervision())
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=data)
    found = trainer.callback_metrics
    assert {"train/steps", "train/order_loss", "train/order_accuracy", "train/counted"} <= {*found}
    assert found["train/counted"] > 0
    assert "val/crosstask-recall/recall" in found


def test_an_unknown_way_to_train_is_refused(crosstask_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="train_on: expected one of segments, windows"):
        crosstask(crosstask_root, tmp_path, train_on="videos")
    whole = ClipSampling(num_frames=2, whole=True)
    data = crosstask(crosstask_root, tmp_path, train_on="windows", sampling=whole)
    with pytest.raises(ArgumentError, match=r"sampling.whole=True .* train_on=windows trains on"):
        data.train_dataset()


def test_steps_are_found_on_what_is_neither_trained_nor_validated_on(
    crosstask_root: Path, tmp_path: Path
) -> None:
    data = crosstask(crosstask_root, tmp_path)
    recall, names = data.tasks("test")
    (protocol,) = recall.protocols
    assert isinstance(protocol, StepLocalization)
    assert (protocol.name, protocol.version) == ("crosstask-recall", 1)
    assert set(protocol.expected) == {clip.video for clip in data.clips("test")}
    assert protocol.settings["split_seed"] == 0
    for item in recall.items.items:
        assert list(item.starts) == [float(second) for second in range(len(item.starts))]
    (named,) = names.protocols
    assert isinstance(named, StepClassification)
    (validation,) = data.tasks("validate")
    assert set(validation.protocols[0].expected) == data.files.validation


def test_all_splits_are_scored_in_one_pass(crosstask_root: Path, tmp_path: Path) -> None:
    data = crosstask(crosstask_root, tmp_path, all_splits=True)
    (protocol,) = data.tasks("test")[0].protocols
    assert isinstance(protocol, StepLocalization)
    assert protocol.name == "crosstask-recall-20"
    outside = {video.id for video in data.files.videos} - data.files.validation
    assert set(protocol.expected) <= outside
    drawn = [draw_training(data.files, seed, 2) for seed in range(20)]
    assert [set(split) for split in protocol.splits] == [outside - one for one in drawn]


def test_names_are_scored_where_segments_are_listed(crosstask_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(crosstask_root, tmp_path / "copy"))
    segments_file(root).unlink()
    assert len(crosstask(root, tmp_path).tasks("test")) == 1


def test_a_video_that_is_not_there_is_counted(crosstask_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(crosstask_root, tmp_path / "copy"))
    data = crosstask(root, tmp_path)
    before = draw_training(data.files, 0, 2)
    lost = next(video for video in data.files.videos if video.id not in before)
    lost.path.unlink()
    again = crosstask(root, tmp_path)
    assert draw_training(again.files, 0, 2) == before
    with pytest.raises(ArgumentError, match=r"1 of .* videos .*--data CrossTask"):
        [again.tasks(stage) for stage in ("validate", "test")]
    allowed = crosstask(root, tmp_path, max_unreadable=1)
    learner = tiny_learner(InfoNCE())
    assert learner.text_encoder is not None
    learner.text_encoder.build(allowed.captions())
    quiet_trainer(tmp_path).test(learner, datamodule=allowed, verbose=False)
    assert any(not result.coverage.complete for result in learner.results)


def test_there_have_to_be_videos_left(crosstask_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="train_per_task=9"):
        crosstask(crosstask_root, tmp_path, train_per_task=9).train_dataset()


def test_it_is_trained_and_scored(crosstask_root: Path, tmp_path: Path) -> None:
    data, learner = crosstask(crosstask_root, tmp_path, mode="reference"), tiny_learner(InfoNCE())
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=data)
    assert "val/primary" in trainer.callback_metrics
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    recall, ctr = learner.results
    assert (recall.mode, ctr.mode) == ("reference", "reference")
    assert recall.coverage.complete
    assert ctr.coverage.complete
    assert 0 <= recall.metrics["recall"] <= recall.ceiling["recall"] <= 100


class FrameVectors(VideoEncoder):
    """A vector for each stored one, which depends on all that count of its window."""

    frame_vectors = True

    def __init__(self) -> None:
        super().__init__()
        self.dim = self.token_width = 8
        self.num_frames, self.size = 6, 4
        self.project = nn.Linear(4, 8)

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        length = (
            torch.full((len(frames),), frames.shape[1]) if frame_length is None else frame_length
        )
        counted = valid(length, frames.shape[1])[:, :, None]
        x = self.project(frames.masked_fill(~counted, 0))
        mean = (x * counted).sum(1) / length[:, None]
        tokens = (x + mean[:, None]).masked_fill(~counted, 0)
        return Encoded(mean, tokens[:, :, None], length)


@pytest.fixture
def stored(crosstask_root: Path, tmp_path: Path) -> Path:
    """Features of four numbers a second."""
    files = read_crosstask(crosstask_root).videos
    fill_store(tmp_path / "store", {one.video: 70.3 + n for n, one in enumerate(files)})
    return tmp_path / "store"


def learner_of(encoder: VideoEncoder, data: CrossTask) -> VideoTextLearner:
    learner = VideoTextLearner(encoder, TinyText(dim=8, width=8, hidden=8), InfoNCE())
    assert learner.text_encoder is not None
    learner.text_encoder.build(data.captions())
    return learner


@pytest.mark.parametrize("pooling", ["head", "raw"])
def test_steps_are_found_by_frame_vectors(
    stored: Path, crosstask_root: Path, tmp_path: Path, pooling: str
) -> None:
    data = crosstask(
        *(crosstask_root, tmp_path),
        features=stored,
        frame_vectors=True,
        pooling=pooling,
        sampling=ClipSampling(),
        train_per_task=1,
    )
    encoder = FrameVectors()
    learner = learner_of(encoder, data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    result = learner.results[0]
    assert (result.protocol, result.version, result.coverage.complete) == (
        "crosstask-recall",
        1,
        True,
    )
    assert result.windows == "6 s every 3 s; frames averaged where they overlap"
    assert result.settings["frame_vectors"] is True

    task = data.tasks("test")[0]
    (protocol,) = task.protocols
    assert isinstance(protocol, StepLocalization)
    assert min(task.items.part_counts) > 1
    reader, head = FeatureReader(stored), learner.head
    assert isinstance(head, InfoNCE)

    def compared(vectors: Tensor) -> Tensor:
        return head.embed(vectors) if pooling == "head" else vectors

    by_hand = StepLocalization(
        *("by-hand", 1, protocol.videos, protocol.steps),
        windows="1 s",
        splits=protocol.splits,
        similarity="dot",
        pooling="raw",
    )
    learner.eval()
    with torch.inference_mode():
        pooled = compared(learner._encode_texts(list(by_hand.texts.values())))
        by_hand.begin("dot", dict(zip(by_hand.texts, pooled, strict=True)))
        for video in protocol.expected:
            seconds = int(-(-reader.duration(video) // 1))
            clip = reader.clips(video, [0.0], num_frames=seconds, fps=1.0, size=4).frames[0]
            sums, counts = torch.zeros(seconds, 8), torch.zeros(seconds, 1)
            start = 0
            while True:
                window = clip[start : start + 6]
                encoded: Encoded = encoder(window[None])
                assert encoded.tokens is not None
                sums[start : start + 6] += compared(encoded.tokens[0, :, 0])
                counts[start : start + 6] += 1
                if start + 6 >= seconds:
                    break
                start += 3
            spans = torch.arange(seconds)[:, None] + torch.tensor([0.0, 1.0])
            by_hand.add(EncodedItem(video, windows=sums / counts, window_spans=spans))
    assert by_hand.result().metrics == pytest.approx(result.metrics)


def test_frame_vectors_are_one_per_second_of_an_encoder_that_has_them(
    crosstask_root: Path, tmp_path: Path
) -> None:
    files = read_crosstask(crosstask_root).videos
    seconds = {one.video: 20.0 for one in files}
    fill_store(tmp_path / "fast", seconds, fps=2.0, stride=0.5)
    sampling = ClipSampling(num_frames=6)
    options: dict[str, Any] = {"frame_vectors": True, "sampling": sampling}
    fast = crosstask(crosstask_root, tmp_path, features=tmp_path / "fast", **options)
    with pytest.raises(ArgumentError, match=r"2 are read: make .*fast with a vector per second"):
        fast.tasks("test")
    pixels = crosstask(crosstask_root, tmp_path, **options)
    with pytest.raises(ArgumentError, match=r"10 are read: set data.init_args.sampling.fps=1"):
        pixels.tasks("test")
    slow = crosstask(
        crosstask_root, tmp_path, **{**options, "sampling": ClipSampling(num_frames=2, fps=1.0)}
    )
    learner = tiny_learner(InfoNCE())
    with pytest.raises(ArgumentError, match=r"recall@1\) needs frames.* no vector per frame"):
        quiet_trainer(tmp_path).test(learner, datamodule=slow, verbose=False)
