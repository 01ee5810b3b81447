import json
import logging
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.random import default_rng
from safetensors.torch import save_file
from torch import nn

import vtlearn.media.features.shard
from tests.damage import cut_off, lose_index
from tests.datasets.extraction.storing import contents, feature_walk, open_store, seeded_encoder
from tests.datasets.extraction.walking import list_videos
from tests.media.video.hanging import spare_what_does_not_hang
from tests.media.video.writing import write_video
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.extraction import ChunkResults, FeatureShards, describe_encoder
from vtlearn.datasets.extraction.features import require_channels
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.datasets.windows import VideoList
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, FeatureError, TooManyUnreadableError
from vtlearn.hyperparameters import Configurable
from vtlearn.media.captions.caption import Caption
from vtlearn.media.clips import Clips
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.shard import StoredVideo, VideoRecord, read_shard_record
from vtlearn.media.features.spec import num_vectors
from vtlearn.media.video.reader import VideoReader
from vtlearn.parameters import weights_sha256
from vtlearn.storage.atomic import replace_text


@pytest.fixture(scope="session")
def whole(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was filled without interruption; tests only read it."""
    folder = tmp_path_factory.mktemp("features") / "store"
    feature_walk(folder, list_videos(kitchen_root))
    return folder


@pytest.fixture
def damaged(kitchen_root: Path, tmp_path: Path) -> partial[VideoList]:
    """A Kitchen of which two videos cannot be read, and a third only to its middle."""
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    (root / "videos" / "kitchen_train_0001.mp4").write_text("no video")
    lose_index(root / "videos" / "kitchen_train_0002.mp4")
    cut_off(root / "videos" / "kitchen_train_0004.mp4")
    return partial(list_videos, root)


def _shard_of(number: str) -> int:
    # test videos come first, three of them; then the training videos
    return (3 + int(number)) // 3


def _die_at(shard: int, place: str, folder: Path, root: Path) -> None:
    """Fill a store until a shard has come this far, and die there."""
    name = f"{shard:05d}."

    def save_and_die(tensors: dict[str, torch.Tensor], path: Path) -> None:
        save_file(tensors, path)
        if place == "unfinished" and len(list(folder.glob("0*.safetensors"))) == shard:
            os.kill(os.getpid(), signal.SIGKILL)

    def replace_or_die(path: Path, text: str) -> None:
        if place == "no record" and path.name.startswith(name):
            os.kill(os.getpid(), signal.SIGKILL)
        replace_text(path, text)
        if place == "whole" and path.name.startswith(name):
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setattr(vtlearn.media.features.shard, "save_file", save_and_die)
    patch.setattr(vtlearn.media.features.shard, "replace_text", replace_or_die)
    feature_walk(folder, list_videos(root))


@pytest.mark.parametrize(
    ("place", "tensors", "records"),
    [
        ("no record", 3, 2),
        pytest.param("unfinished", 2, 2, marks=pytest.mark.slow),
        pytest.param("whole", 3, 3, marks=pytest.mark.slow),
    ],
)
def test_killed_between_the_files_of_a_shard_it_resumes_byte_for_byte(
    kitchen_root: Path, whole: Path, tmp_path: Path, place: str, tensors: int, records: int
) -> None:
    store = tmp_path / "store"
    process = multiprocessing.get_context("spawn").Process(
        target=_die_at, args=(2, place, store, kitchen_root)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(store.glob("0*.safetensors"))) == tensors
    done = {path: path.stat().st_mtime_ns for path in store.glob("0*.json")}
    assert len(done) == records
    feature_walk(store, list_videos(kitchen_root))
    assert contents(store) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_three_parts_of_unequal_shards_give_the_identical_store(
    kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    videos = list_videos(kitchen_root)
    for number in (2, 3, 1):
        feature_walk(tmp_path / "one", videos, part=f"{number}/3")
        feature_walk(tmp_path / f"part{number}", videos, part=f"{number}/3")
        shutil.copytree(tmp_path / f"part{number}", tmp_path / "copied", dirs_exist_ok=True)
    counts = [len(list(tmp_path.glob(f"part{number}/0*.json"))) for number in (1, 2, 3)]
    assert counts == [2, 2, 1]
    assert contents(tmp_path / "one") == contents(whole)
    assert contents(tmp_path / "copied") == contents(whole)


def test_what_cannot_be_read_is_named(
    damaged: partial[VideoList], whole: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    for _ in range(2):  # what is in whole shards already is named again
        line = str(feature_walk(store, damaged(max_unreadable_fraction=0.2)))
        assert "vectors of 11 videos" in line
        assert "windows of 1 damaged videos are lost" in line
        assert "2 cannot be read: kitchen_train_0001, kitchen_train_0002 (why: " in line
        assert "To try them again, remove 00001.json there and run the same command" in line
        report = (store / "unreadable.jsonl").read_text().splitlines()
        assert {json.loads(one)["id"] for one in report} == {
            "kitchen_train_0001",
            "kitchen_train_0002",
        }
    lost: dict[str, dict[str, str]] = {}
    for shard in range(5):
        lost |= read_shard_record(store, shard).unreadable
    assert lost.keys() == {"kitchen_train_0001", "kitchen_train_0002"}
    assert all(why["reason"] for why in lost.values())
    ours, theirs = contents(store), contents(whole)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        f"{shard:05d}{suffix}"
        for shard in {_shard_of("0001"), _shard_of("0002"), _shard_of("0004")}
        for suffix in (".json", ".safetensors")
    }


def test_windows_that_are_lost_are_invalid_and_the_others_what_they_were(
    damaged: partial[VideoList], whole: Path, tmp_path: Path
) -> None:
    feature_walk(tmp_path / "store", damaged(max_unreadable_fraction=0.2))
    reader, good = FeatureReader(tmp_path / "store"), FeatureReader(whole)
    duration = good.duration("kitchen_train_0004")
    assert reader.duration("kitchen_train_0004") == duration  # nothing has moved in time
    count = num_vectors(duration, fps=1)
    ours, theirs = (
        one.clips("kitchen_train_0004", [0.0], num_frames=count, fps=1.0, size=8)
        for one in (reader, good)
    )
    readable = int(ours.valid.sum())
    assert count / 4 < readable < count - 5
    assert ours.valid[0, :readable].all()
    torch.testing.assert_close(ours.frames[0, :readable], theirs.frames[0, :readable])
    assert not ours.frames[0, readable:].any()
    shard = read_shard_record(tmp_path / "store", _shard_of("0004"))
    assert shard.videos["kitchen_train_0004"] == VideoRecord(duration, count, count - readable)


class Holes(VideoReader):
    """Loses a frame of each window that starts at second 2 or 5."""

    def clips(self, source: Any, starts: Any, **options: Any) -> Clips:
        clips = super().clips(source, starts, **options)
        clips.valid[[start in (2.0, 5.0) for start in starts], 1] = False
        return clips


@pytest.mark.parametrize("windows_per_chunk", [16, 1])
def test_a_window_lost_amid_others_leaves_a_hole(
    kitchen_root: Path, whole: Path, tmp_path: Path, windows_per_chunk: int
) -> None:
    videos = list_videos(kitchen_root)
    options: dict[str, Any] = {"windows_per_chunk": windows_per_chunk, "reader": Holes()}
    feature_walk(tmp_path / "store", videos, **options)
    reader, good = FeatureReader(tmp_path / "store"), FeatureReader(whole)
    for video_id in good.ids[:2]:
        count = num_vectors(good.duration(video_id), fps=1)
        ours, theirs = (
            one.clips(video_id, [0.0], num_frames=count, fps=1.0, size=8) for one in (reader, good)
        )
        kept = [second for second in range(count) if second not in (2, 5)]
        assert ours.valid[0].nonzero().flatten().tolist() == kept
        torch.testing.assert_close(
            ours.frames[0, kept], theirs.frames[0, kept], rtol=2e-3, atol=2e-3
        )


def test_a_video_that_was_replaced_is_not_mixed_in(
    kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    store = Path(shutil.copytree(whole, tmp_path / "store"))
    (store / "00004.json").unlink()
    feature_walk(store, list_videos(root))  # a copy of the corpus is the same corpus
    assert contents(store) == contents(whole)
    (store / "00004.json").unlink()
    before = contents(store)
    (root / "videos" / "kitchen_train_0000.mp4").write_bytes(
        (root / "videos" / "kitchen_train_0005.mp4").read_bytes()
    )
    with pytest.raises(FeatureError, match=r": kitchen_train_0000\. .* remove 00001\.json there"):
        feature_walk(store, list_videos(root))
    assert contents(store) == before
    (store / "00001.json").unlink()
    feature_walk(store, list_videos(root))
    ours, theirs = contents(store), contents(whole)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "00001.json",
        "00001.safetensors",
    }


def test_a_video_that_took_too_long_is_tried_again(
    kitchen_root: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    slow = root / "videos" / "kitchen_train_0001.mp4"
    video = slow.read_bytes()
    slow.unlink()
    os.mkfifo(slow)  # whoever opens it waits
    store = tmp_path / "store"
    spare_what_does_not_hang(monkeypatch)
    feature_walk(store, list_videos(root, max_unreadable_fraction=0.1, time_budget=0.5))
    assert read_shard_record(store, 1).unreadable["kitchen_train_0001"]["stage"] == "time"
    begun = {path: path.stat().st_mtime_ns for path in store.glob("0*") if path.stem != "00001"}
    slow.unlink()
    slow.write_bytes(video)
    feature_walk(store, list_videos(root))  # no video may be unreadable now, and this one is not
    assert {path: path.stat().st_mtime_ns for path in begun} == begun
    assert contents(store) == contents(whole)


def test_a_video_that_was_mended_is_tried_again(
    damaged: partial[VideoList], whole: Path, kitchen_root: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    feature_walk(store, damaged(max_unreadable_fraction=0.2))
    for number in (1, 2):
        name = f"videos/kitchen_train_{number:04d}.mp4"
        shutil.copy(kitchen_root / name, tmp_path / "kitchen" / name)
    feature_walk(store, damaged())
    for name in ("00001.json", "00001.safetensors"):
        assert contents(store)[name] == contents(whole)[name]


def test_how_to_get_past_too_many_is_said(
    damaged: partial[VideoList], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feature_walk(tmp_path / "store", damaged(max_unreadable_fraction=0.2))
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(TooManyUnreadableError):
        feature_walk(tmp_path / "store", damaged(max_unreadable_fraction=0.1))
    assert f"to try them, remove 00001.json in {tmp_path / 'store'}" in caplog.text


def test_too_many_of_them_stop_it(damaged: partial[VideoList], tmp_path: Path) -> None:
    with pytest.raises(TooManyUnreadableError, match=r"2 of 13 .*max_unreadable_fraction=0\.1"):
        feature_walk(tmp_path / "store", damaged(max_unreadable_fraction=0.1))


def test_training_on_a_store_leaves_out_what_training_on_pixels_does(tmp_path: Path) -> None:
    paths = [
        write_video(tmp_path / "late.mp4", [100] * 50, pts=range(50, 100), sound=5),
        write_video(tmp_path / "prompt.mp4", [100] * 100, sound=5),
    ]
    store = tmp_path / "store"
    feature_walk(store, VideoList(["late", "prompt"], [str(path) for path in paths], 4.0))
    sampling = ClipSampling(num_clips=9, num_frames=2)
    reading = Reading(sampling=sampling, pixels=Pixels(size=16))
    said = [Caption(half / 2, half / 2 + 0.5, str(half)) for half in range(-1, 11)]
    for path, kept in zip(paths, ("4567", "01234567"), strict=True):
        for settings, source in ((reading, path), (replace(reading, features=store), path.stem)):
            reader = NarrationReader(ClipLoader(settings))
            assert reader.read(path.stem, source, said, default_rng(0)).texts == list(kept)
    records = json.loads((store / "00000.json").read_text())["videos"]
    assert "first" not in records["prompt"]
    assert records["late"]["first"] == pytest.approx(2.0, abs=0.05)


def test_vectors_stand_where_their_windows_were_planned(kitchen_root: Path, tmp_path: Path) -> None:
    writer = FeatureShards(open_store(tmp_path, list_videos(kitchen_root)))
    ones, lost = torch.ones(1, 8), torch.tensor([False, False])
    video = writer.video(
        [
            ChunkResults([0.0, 1.0], torch.tensor([False, True]), ones),
            ChunkResults([2.0, 3.0], lost, torch.empty(0, 8)),
            ChunkResults([4.0], torch.tensor([True]), 2 * ones),
        ],
        4.5,
    )
    assert isinstance(video, StoredVideo)
    assert video.duration == 4.5
    assert video.vectors.isnan().all(1).tolist() == [True, False, True, True, False]
    assert video.vectors[[1, 4], 0].tolist() == [1.0, 2.0]
    assert writer.video([ChunkResults([0.0, 1.0], lost, torch.empty(0, 8))], 1.5) is None
    empty = ChunkResults([0.0], torch.tensor([True]), torch.nan * ones)
    assert writer.video([empty], 0.5) is None


def test_an_encoder_is_described_by_its_arguments_and_weights() -> None:
    encoder = seeded_encoder()
    spec = describe_encoder(encoder, fps=4.0, stride=0.5, l2_norm=True, dtype="float32")
    assert spec.backbone == "vtlearn.encoders.TinyVideo(dim=8, num_frames=2, size=16, width=4)"
    assert spec.weights_sha256 == weights_sha256(encoder.state_dict())
    assert (spec.fps, spec.stride, spec.window, spec.num_frames) == (2.0, 0.5, 0.5, 2)
    assert (spec.resize, spec.crop, spec.dim) == (16, 16, 8)
    assert (spec.mean, spec.std) == ((0.5,) * 3, (0.25,) * 3)  # as it says itself
    assert (spec.l2_norm, spec.dtype) == (True, "float32")
    assert spec.frame_at == "screen"
    assert describe_encoder(encoder, fps=4.0, stride=0.5, frame_at="nearest").frame_at == "nearest"
    with torch.no_grad():
        next(encoder.parameters()).zero_()
    changed = describe_encoder(encoder, fps=4.0, stride=0.5, l2_norm=True, dtype="float32")
    assert changed.weights_sha256 != spec.weights_sha256


class Silent(Configurable):
    """An encoder that does not say how it normalises."""

    dim, num_frames, size = 8, 2, 16

    def __init__(self) -> None:
        super().__init__()
        self.std = nn.Buffer(torch.tensor([0.1, 0.2, 0.4]).reshape(3, 1, 1))


def test_mean_and_std_are_the_encoders_or_given() -> None:
    with pytest.raises(ArgumentError, match=r"Silent does not say .*give --features\.mean"):
        describe_encoder(Silent(), fps=4.0, stride=1.0)
    spec = describe_encoder(Silent(), fps=4.0, stride=1.0, mean=[0.0, 0.5, 1.0])
    assert spec.mean == (0.0, 0.5, 1.0)
    assert spec.std == pytest.approx((0.1, 0.2, 0.4))
    given = describe_encoder(
        TinyVideo(dim=8, num_frames=2, size=16, width=4), fps=4.0, stride=1.0, std=[1.0] * 3
    )
    assert (given.mean, given.std) == ((0.5,) * 3, (1.0,) * 3)


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match=r"std=\[0\.5, 0\.5\] has to be three numbers"):
        require_channels(mean=None, std=[0.5, 0.5])
    with pytest.raises(ArgumentError, match=r"mean=\[0\.5\] has to be three numbers"):
        describe_encoder(seeded_encoder(), fps=4.0, stride=1.0, mean=[0.5])
