from pathlib import Path
from typing import Any

import pytest

from tests.inference.models import CLIPS
from vtlearn.datamodules import Kitchen
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.encoders.video import CachedFeatures, TinyVideo
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.inference.reading import reading_of

ENCODER = TinyVideo(dim=8, num_frames=2, size=16, width=4)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(sampling=ClipSampling(num_frames=4, fps=5.0), pixels=Pixels(size=32)),
        Reading(
            sampling=ClipSampling(num_frames=2, fps="native", frame_at="nearest"),
            pixels=Pixels(size=16, pad="black"),
        ),
        Reading(sampling=ClipSampling(num_frames=2, whole=True), pixels=Pixels(size=16)),
    ],
)
def test_clips_are_read_as_in_training(reading: Reading) -> None:
    again = reading_of(reading.clip_settings(), ENCODER, "x.ckpt")
    assert again.clip_settings() == reading.clip_settings()


def test_clips_that_overlapped_captions_are_whole() -> None:
    reading = Reading(overlap=OverlapSampling()).completed(2, 16)
    assert reading_of(reading.clip_settings(), ENCODER, "x.ckpt").sampling.whole


def test_crops_at_random_are_of_training_alone() -> None:
    assert reading_of(CLIPS | {"crop": "random"}, ENCODER, "x.ckpt").pixels.crop == "center"


def test_kitchens_settings_are_understood() -> None:
    data = Kitchen(
        Path("absent"), sampling=ClipSampling(num_frames=2, fps=4.0), pixels=Pixels(size=16)
    )
    assert reading_of(data.clip_settings(), ENCODER, "x.ckpt").clip_seconds == 0.5


@pytest.mark.parametrize("clips", [{"num_frames": 2}, CLIPS | {"fps": -1.0}, CLIPS | {"pad": "x"}])
def test_settings_that_make_no_sense_are_refused(clips: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"x\.ckpt: what it says of its clips"):
        reading_of(clips, ENCODER, "x.ckpt")


def test_a_model_without_settings_says_how_to_give_them() -> None:
    with pytest.raises(ArgumentError, match=r"x\.ckpt does not say .* vtlearn\.Model\(learner"):
        reading_of(None, ENCODER, "x.ckpt")


def test_a_model_of_features_reads_no_videos() -> None:
    with pytest.raises(ArgumentError, match=r"x\.ckpt reads stored features \(CachedFeatures\)"):
        reading_of(CLIPS, CachedFeatures(input_dim=4, dim=8), "x.ckpt")
    with pytest.raises(ArgumentError, match="reads stored features"):
        reading_of(CLIPS | {"features": {}}, ENCODER, "x.ckpt")
