import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.captioning import LetterCaptioner
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import collate
from vtlearn.callbacks import AlignmentPictures, CaptionPictures, caption_pictures
from vtlearn.datasets.kitchen import narrated_videos
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.references import references_of
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import CaptionedFrames, draw_captions


def writer() -> VideoTextLearner:
    return VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[CaptionedFrames]]:
    """The clips of each picture, in the order of drawing."""
    kept: list[Sequence[CaptionedFrames]] = []

    def captions(clips: Sequence[CaptionedFrames], *, title: str) -> object:
        kept.append(clips)
        return draw_captions(clips, title=title)

    monkeypatch.setattr(caption_pictures, "draw_captions", captions)
    return kept


def test_fixed_validation_clips_are_shown_with_what_is_written(
    kitchen_root: Path,
    small: dict[str, Any],
    tmp_path: Path,
    drawn: list[Sequence[CaptionedFrames]],
) -> None:
    data, learner = tiny_kitchen(kitchen_root, small, task="captioning"), writer()
    logger = TensorBoardLogger(tmp_path, "run")
    trainer = quiet_trainer(
        tmp_path,
        max_epochs=3,
        limit_train_batches=1,
        limit_val_batches=1,
        callbacks=[CaptionPictures(every_n_validations=2), AlignmentPictures()],
        logger=logger,
    )
    trainer.fit(learner, datamodule=data)
    folder = Path(logger.log_dir)
    assert sorted(path.name for path in (folder / "captions").iterdir()) == [
        "epoch-000.png",
        "epoch-002.png",
    ]
    assert not (folder / "alignment").exists()  # what only writes cannot align
    events = EventAccumulator(logger.log_dir).Reload()
    assert [event.step for event in events.Images("captions")] == [1, 3]

    first, last = drawn
    assert len(first) == 8
    assert [clip.id for clip in first] == [clip.id for clip in last]
    (task,) = data.tasks("validate")
    items = {item.id: item for item in task.items.items}
    truth = {video.id: video.truth for video in narrated_videos(kitchen_root, "val")}
    learner.eval()
    for clip in last:
        sample = task.items.sample(items[clip.id])
        assert [clip.caption] == learner.head.generate(learner.encode(collate([sample])))  # type: ignore[operator]
        video, step = clip.id.split(":")
        assert clip.reference == references_of(truth[video].steps[int(step)])[0]
        assert len(clip.frames) == 2
        for frame, pixels in zip(clip.frames, sample.clips[0].permute(0, 2, 3, 1), strict=True):
            assert np.array_equal(frame, pixels.numpy())


def test_what_writes_nothing_has_no_pictures(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = quiet_trainer(tmp_path)
    for learner, task in ((tiny_learner(), "captioning"), (writer(), "retrieval")):
        trainer.datamodule = tiny_kitchen(kitchen_root, small, task=task)  # type: ignore[attr-defined]
        callback = CaptionPictures()
        caplog.clear()
        with caplog.at_level(logging.INFO, "vtlearn.callbacks"):
            for _ in range(2):
                callback.on_validation_end(trainer, learner)
        assert [record.getMessage() for record in caplog.records] == [
            "no pictures of captions: none are written, or validated"
        ]
    assert not (tmp_path / "captions").exists()


def test_a_training_without_validation_says_that_there_are_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = quiet_trainer(tmp_path)
    caplog.clear()
    with caplog.at_level(logging.INFO, "vtlearn.callbacks"):
        for every in (0, 1):
            CaptionPictures(every_n_validations=every).on_fit_end(trainer, writer())
    assert [record.getMessage() for record in caplog.records] == [
        "no pictures of captions: nothing was validated"
    ]


def test_none_are_drawn_when_none_are_wanted(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    trainer = quiet_trainer(tmp_path)
    trainer.datamodule = tiny_kitchen(kitchen_root, small, task="captioning")  # type: ignore[attr-defined]
    CaptionPictures(every_n_validations=0).on_validation_end(trainer, writer())
    assert not (tmp_path / "captions").exists()
    with pytest.raises(ArgumentError, match="num_clips must be positive"):
        CaptionPictures(num_clips=0)
