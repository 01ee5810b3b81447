import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.media.features.stores import fill_store, make_spec
from tests.media.video.writing import write_video
from vtlearn.datasets.clips import ClipLoader, clip_reader
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import ArgumentError
from vtlearn.media.clips import Clips
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.store import FeatureStore
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

SAMPLING = ClipSampling(num_frames=2, fps=2.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four seconds, darker at the left."""
    picture = np.zeros((16, 32, 3), np.uint8) + np.arange(0, 160, 5, dtype=np.uint8)[:, None]
    return write_video(tmp_path / "x.mp4", np.stack([picture] * 8), rate=2)


def loader(**pixels: Any) -> ClipLoader:
    return ClipLoader(Reading(sampling=SAMPLING, pixels=Pixels(size=16, **pixels)))


def test_evaluation_is_neither_cropped_at_random_nor_mirrored(video: Path) -> None:
    plain = loader(flip=0.0).read(video, [0.0, 5.0])
    assert plain.frames.shape == (2, 2, 3, 16, 16)
    changed = loader(flip=1.0, crop="random", crop_pixels=8).read(video, [0.0, 5.0])
    assert torch.equal(plain.frames, changed.frames)


def test_evaluation_pads_as_training_does(video: Path) -> None:
    starts, rng = [3.5, 5.0], np.random.default_rng(0)
    edge, black = loader(flip=0.0), loader(flip=0.0, pad="black")
    shown = edge.read(video, starts).frames
    assert shown.float().mean((2, 3, 4)).min() > 10
    padded = black.read(video, starts).frames
    assert torch.equal(padded[0, 0], shown[0, 0])
    assert padded[0, 1].sum() == padded[1].sum() == 0
    for reader, frames in ((edge, shown), (black, padded)):
        assert torch.equal(reader.draw(video, starts, rng).frames, frames)


@pytest.mark.parametrize("budget", [None, 60.0])
def test_native_clips_are_frames_that_follow_each_other(
    budget: float | None, tmp_path: Path
) -> None:
    sampling = ClipSampling(num_frames=4, fps="native")
    reading = Reading(sampling=sampling, pixels=Pixels(size=16, flip=0.0), time_budget=budget)
    clips = ClipLoader(reading)
    for rate in (5, 20):
        path = write_video(tmp_path / f"{rate}.mkv", range(0, 200, 10), rate=rate)
        assert clips.rate(path) == pytest.approx(rate)
        assert clips.clip_seconds(path) == pytest.approx(4 / rate)
        drawn = clips.draw(path, [7 / rate], np.random.default_rng(0))
        levels = drawn.frames[0].float().mean((1, 2, 3))
        assert levels.tolist() == pytest.approx([70, 80, 90, 100], abs=3)


def test_frames_are_taken_as_the_settings_say(tmp_path: Path) -> None:
    video = write_video(tmp_path / "x.mp4", range(0, 200, 10), rate=10)
    shown = {}
    for frame_at in ("screen", "nearest"):
        sampling = ClipSampling(num_frames=3, fps=2.0, frame_at=frame_at)
        clips = ClipLoader(Reading(sampling=sampling, pixels=Pixels(size=16)))
        read = clips.read(video, [0.0]).frames
        assert torch.equal(clips.draw(video, [0.0], np.random.default_rng(0)).frames, read)
        shown[frame_at] = (read.float().mean((2, 3, 4))[0] / 10).round().tolist()
    assert shown == {"screen": [0, 5, 10], "nearest": [2, 7, 12]}  # before 0.25, 0.75, 1.25 s


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


def test_whole_times_of_pixels_are_shown_in_the_middles_of_equal_parts(tmp_path: Path) -> None:
    video = write_video(tmp_path / "x.mp4", range(0, 200, 4), rate=10, gop=5)
    spans = [(1.0, 4.2), (0.0, 0.4), (3.0, 3.0), (4.0, 6.0)]  # the last goes on after the end
    for frame_at in ("screen", "nearest"):
        sampling = ClipSampling(num_frames=4, fps=3.0, whole=True, frame_at=frame_at)
        clips = ClipLoader(Reading(sampling=sampling, pixels=Pixels(size=16, flip=0.0)))
        drawn = clips.draw_spans(video, spans, np.random.default_rng(0))
        shown = (drawn.frames.float().mean((2, 3, 4)) / 4).round().int().tolist()
        assert shown == [[14, 22, 30, 38], [0, 1, 2, 3], [30] * 4, [42, 47, 49, 49]]
        for frames, (start, end) in zip(drawn.frames, spans[:2], strict=False):
            part = (end - start) / 4
            read = VideoReader().clips(
                video, [start + part / 2], num_frames=4, fps=1 / part, size=16
            )
            assert torch.equal(frames, read.frames[0])
        assert drawn.spans == spans
        assert drawn.frame_length == [4] * 4
        assert drawn.readable.all()


def test_whole_times_are_read_in_one_call(video: Path) -> None:
    class Counting(VideoReader):
        calls = 0

        def clips(self, *args: Any, **kwargs: Any) -> Clips:
            Counting.calls += 1
            return super().clips(*args, **kwargs)

    clips = ClipLoader(Reading(sampling=SAMPLING, pixels=Pixels(size=16)), Counting())
    spans = [(0.0, 4.0), (0.5, 1.0), (0.0, 3.0)]
    assert len(clips.draw_spans(video, spans, np.random.default_rng(0)).frames) == 3
    assert Counting.calls == 1


def test_whole_times_of_evaluation_are_neither_cropped_at_random_nor_mirrored(video: Path) -> None:
    spans = [(0.0, 2.0), (1.0, 4.0)]
    plain = loader(flip=0.0).draw_spans(video, spans, np.random.default_rng(0))
    read = loader(flip=1.0, crop="random", crop_pixels=8).read_spans(video, spans)
    assert torch.equal(read.frames, plain.frames)
    assert read[1:] == (read.readable, spans, [2, 2])


def test_whole_times_are_mirrored_and_cropped_clip_by_clip(video: Path) -> None:
    rng, spans = np.random.default_rng, [(0.0, 2.0), (1.0, 4.0), (2.0, 2.5)]
    plain = loader(flip=0.0).draw_spans(video, spans, rng(0)).frames
    mirrored = loader(flip=1.0).draw_spans(video, spans, rng(0)).frames
    assert torch.equal(mirrored, plain.flip(-1))
    boxes = loader(flip=0.0, crop="random", crop_pixels=8)
    cropped = boxes.draw_spans(video, [(0.0, 2.0)] * 8, rng(0)).frames.float()
    assert (cropped[:, 0] - cropped[:, 1]).abs().max() < 4  # one box for all frames of a clip
    assert cropped.mean((1, 2, 3, 4)).std() > 4  # and another for another clip


def test_whole_times_of_stored_vectors(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"a": 4.6}, fps=2.0, stride=0.5)["a"].float()
    clips = ClipLoader(Reading(features=tmp_path, sampling=ClipSampling(num_frames=4, whole=True)))
    spans = [(0.7, 1.9), (1.0, 4.0), (4.2, 9.0), (7.0, 8.0), (2.0, 2.0)]
    drawn = clips.draw_spans("a.mp4", spans, np.random.default_rng(0))
    chosen = [(1, 4), (2, 6), (8, 10), (9, 10), (4, 5)]
    assert drawn.frame_length == [3, 4, 2, 1, 1]
    assert drawn.spans == [(first / 2, last / 2) for first, last in chosen]
    for frames, (first, last) in zip(drawn.frames, chosen, strict=True):
        assert torch.equal(frames[: last - first], vectors[first:last])
        assert not frames[last - first :].any()


def test_a_vector_that_does_not_count_may_be_lost(tmp_path: Path) -> None:
    vectors = torch.ones(6, 4)
    vectors[3] = torch.nan
    store = FeatureStore(tmp_path, make_spec(), ["a"])
    store.write(0, {"a": StoredVideo(vectors, 6.0)}, {})
    clips = ClipLoader(Reading(features=tmp_path, sampling=ClipSampling(num_frames=4, whole=True)))
    drawn = clips.draw_spans("a", [(1.0, 3.0), (2.0, 4.0)], np.random.default_rng(0))
    assert drawn.readable.tolist() == [True, False]


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
