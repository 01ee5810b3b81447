import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from vtlearn.datasets.reading import ClipSampling, ClipShape, Pixels, Reading
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.errors import ArgumentError


def test_what_is_left_out_comes_from_the_encoder_and_what_is_given_stays() -> None:
    assert Reading().completed(8, 64).clip_shape == ClipShape(8, 64)
    given = Reading(sampling=ClipSampling(num_frames=4), pixels=Pixels(size=32))
    assert given.completed(8, 64) == given
    assert given.clip_shape == ClipShape(4, 32)
    assert replace(given, sampling=ClipSampling()).completed(8, 64).clip_shape == ClipShape(8, 32)


@pytest.mark.parametrize(
    ("reading", "name"),
    [
        (Reading(pixels=Pixels(size=8)), "sampling.num_frames"),
        (Reading(sampling=ClipSampling(num_frames=8)), "pixels.size"),
    ],
)
def test_clips_without_an_encoder_need_their_shape(reading: Reading, name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is left to the video encoder"):
        _ = reading.clip_shape


def test_a_store_tells_its_own_rate_and_width(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 3.0}, fps=2.0, stride=0.5)
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=4), pixels=Pixels(size=9))
    assert reading.clip_shape == ClipShape(4, 4)
    assert (reading.fps, reading.clip_seconds) == (2.0, 2.0)
    typed = replace(reading, sampling=ClipSampling(num_frames=4, fps=10.0))
    assert typed.fps == 2.0  # a configuration's rate is that of pixels
    assert Reading(features=str(tmp_path)).fps == 2.0  # type: ignore[arg-type]
    settings = reading.clip_settings()
    assert settings["features"]["dim"] == settings["size"] == 4
    assert pickle.loads(pickle.dumps(reading)) == reading  # noqa: S301


def test_a_checkpoint_keeps_how_frames_are_taken_where_it_is_not_the_screen() -> None:
    pixels = Pixels(size=8, pad="black")
    reading = Reading(sampling=ClipSampling(num_frames=2), pixels=pixels)
    settings = {"fps": 10.0, "num_frames": 2, "size": 8, "crop": "center", "pad": "black"}
    assert reading.clip_settings() == settings
    nearest = replace(reading, sampling=ClipSampling(num_frames=2, frame_at="nearest"))
    assert nearest.frame_at == "nearest"
    assert nearest.clip_settings() == {**settings, "frame_at": "nearest"}


def test_a_checkpoint_keeps_that_clips_were_whole() -> None:
    reading = Reading(sampling=ClipSampling(num_frames=2, whole=True), pixels=Pixels(size=8))
    assert reading.clip_settings()["whole"] is True
    with pytest.raises(ArgumentError, match=r"sampling\.whole takes a caption's own time"):
        ClipSampling(whole=True, floor_seconds=True)


def test_overlap_leaves_no_clip_of_a_caption() -> None:
    sampling = ClipSampling(num_frames=2, num_clips=3)
    reading = Reading(sampling=sampling, overlap=OverlapSampling(), pixels=Pixels(size=8))
    assert reading.clip_settings()["overlap"]["seconds"] == [3, 32]
    assert "overlap" not in replace(reading, overlap=None).clip_settings()
    assert reading.completed(2, 8) == reading
    for name, value in {
        "candidates": 2, "min_seconds": 5.0, "repeat_last": True, "floor_seconds": True,
        "whole": True,
    }.items():  # fmt: skip
        wrong = replace(sampling, **{name: value})  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match=rf"sampling\.{name}={value} is about the clip of"):
            replace(reading, sampling=wrong)


def test_a_store_tells_which_frames_it_is_of(tmp_path: Path) -> None:
    fill_store(tmp_path / "nearest", {"a": 3.0}, frame_at="nearest")
    fill_store(tmp_path / "screen", {"a": 3.0})
    sampling = ClipSampling(num_frames=2, frame_at="nearest")
    reading = Reading(features=tmp_path / "nearest", sampling=replace(sampling, frame_at="screen"))
    assert reading.frame_at == reading.clip_settings()["frame_at"] == "nearest"
    assert reading.clip_settings()["features"]["frame_at"] == "nearest"
    screen = Reading(features=tmp_path / "screen", sampling=sampling)
    assert screen.frame_at == "screen"
    assert "frame_at" not in screen.clip_settings() | screen.clip_settings()["features"]


def test_pixels_are_read_ten_times_a_second_unless_told_otherwise() -> None:
    assert Reading().fps == 10.0
    assert Reading(sampling=ClipSampling(fps=4.0)).fps == 4.0


def test_native_clips_have_the_rate_of_their_video(tmp_path: Path) -> None:
    sampling = ClipSampling(num_frames=4, fps="native")
    reading = Reading(sampling=sampling, pixels=Pixels(size=8))
    assert reading.rate == reading.clip_settings()["fps"] == "native"
    for name in ("fps", "clip_seconds"):
        with pytest.raises(ArgumentError, match=r"set data\.init_args\.sampling\.fps to frames"):
            getattr(reading, name)
    fill_store(tmp_path, {"a": 3.0}, fps=2.0, stride=0.5)
    assert replace(reading, features=tmp_path).rate == 2.0


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (ClipSampling, {"fps": 0}, "fps=0: it must be positive"),
        (ClipSampling, {"fps": "own"}, r"sampling\.fps: expected frames per second or native"),
        (ClipSampling, {"num_clips": 0}, "num_clips=0"),
        (ClipSampling, {"candidates": -1}, "candidates=-1"),
        (ClipSampling, {"num_frames": 0}, "num_frames=0"),
        (ClipSampling, {"min_seconds": float("nan")}, "min_seconds=nan must be 0 or more"),
        (ClipSampling, {"frame_at": "last"}, "frame_at screen or nearest, got 'last'"),
        (Pixels, {"size": 0}, r"pixels\.size=0 must be 1 or more"),
        (Pixels, {"crop_pixels": 0}, r"pixels\.crop_pixels=0"),
        (Pixels, {"flip": 1.5}, r"pixels\.flip=1\.5 is a probability"),
        (Pixels, {"crop": "left"}, "got 'left'"),
        (Pixels, {"pad": "white"}, "got 'white'"),
        (Reading, {"max_bad_cues": -0.1}, r"max_bad_cues=-0\.1 has to be from 0 to 1"),
        (Reading, {"max_unreadable_fraction": 5.0}, "has to be from 0 to 1"),
        (ClipSampling, {"num_frames": 2.5}, r"num_frames: expected an int, got 2\.5"),
        (Reading, {"time_budget": -1.0}, "time_budget must be positive"),
        (Reading, {"seed": -1}, "seed=-1 has to be 0 or more"),
    ],
)
def test_settings_outside_their_range(kind: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kind(**wrong)


def test_overlapping_clips_of_vectors_are_never_cut(tmp_path: Path) -> None:
    fill_store(tmp_path / "features", {"v": 60.0})
    overlap = OverlapSampling(seconds=(3, 16))
    room = Reading(features=tmp_path / "features", overlap=overlap)
    assert room.completed(num_frames=16, size=4).clip_shape == (16, 4)
    with pytest.raises(ArgumentError, match=r"up to 16 s, which are 16 .* for 8: lower .*overlap"):
        _ = room.completed(num_frames=8, size=4).clip_shape
    # pictures are spread over the time of a clip, however long
    assert Reading(overlap=overlap).completed(num_frames=8, size=64).clip_shape == (8, 64)
