import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.datasets.clips import ClipLoader, clip_reader
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import ArgumentError
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

SAMPLING = ClipSampling(num_frames=2, fps=2.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four seconds, darker at the left."""
    picture = np.zeros((16, 32, 3), np.uint8) + np.arange(0, 160, 5, dtype=np.uint8)[:, None]
    return write_video(tmp_path / "x.mp4", np.stack([picture] * 8), rate=2)


def loader(**pixels: object) -> ClipLoader:
    return ClipLoader(Reading(sampling=SAMPLING, pixels=Pixels(size=16, **pixels)))  # type: ignore[arg-type]


def test_evaluation_is_neither_cropped_at_random_nor_mirrored_nor_black(video: Path) -> None:
    plain = loader(flip=0.0).read(video, [0.0, 5.0])
    assert plain.frames.shape == (2, 2, 3, 16, 16)
    changed = loader(flip=1.0, crop="random", crop_pixels=8, pad="black").read(video, [0.0, 5.0])
    assert torch.equal(plain.frames, changed.frames)
    assert plain.frames[1].float().mean() > 10


def test_training_clips_are_mirrored_cropped_and_padded(video: Path) -> None:
    rng = np.random.default_rng
    plain = loader(flip=0.0).draw(video, [0.0, 5.0], rng(0)).frames
    mirrored = loader(flip=1.0).draw(video, [0.0, 5.0], rng(0)).frames
    assert torch.equal(mirrored, plain.flip(-1))
    assert loader(flip=0.0, pad="black").draw(video, [5.0], rng(0)).frames.sum() == 0
    boxes = loader(flip=0.0, crop="random", crop_pixels=8)
    one, again, other = (boxes.draw(video, [0.0] * 4, rng(seed)).frames for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_stored_vectors_are_neither(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"a": 3.0}, fps=2.0, stride=0.5)
    settings = Reading(features=tmp_path, sampling=ClipSampling(num_frames=2))
    both = ClipLoader(settings)
    drawn = both.draw("a", [1.0], np.random.default_rng(0))
    assert torch.equal(drawn.frames, both.read("a.mp4", [1.0]).frames)
    assert torch.equal(drawn.frames[0], vectors["a"][2:4].float())


def test_a_loader_is_sent_to_a_worker_without_what_is_open(video: Path) -> None:
    first = loader()
    before = first.read(video, [0.0])
    again = pickle.loads(pickle.dumps(first))  # noqa: S301
    assert "_reader" not in vars(again)
    assert torch.equal(again.read(video, [0.0]).frames, before.frames)


def test_clips_of_unknown_shape_are_refused(video: Path) -> None:
    with pytest.raises(ArgumentError, match="left to the video encoder"):
        ClipLoader(Reading()).read(video, [0.0])


def test_what_reads_follows_from_the_settings(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 3.0})
    assert isinstance(clip_reader(tmp_path), FeatureReader)
    assert isinstance(clip_reader(), VideoReader)
    assert isinstance(clip_reader(time_budget=5.0), SubprocessVideoReader)
