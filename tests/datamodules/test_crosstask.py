import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.datamodules import CrossTask
from vtlearn.datasets.crosstask import draw_training, read_crosstask, segments_file
from vtlearn.datasets.reading import ClipSampling
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.step_classification import StepClassification
from vtlearn.evaluation.steps import StepLocalization
from vtlearn.heads import InfoNCE


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
