import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from torch.nn import functional

import vtlearn.callbacks.feature_writer
from tests.damage import cut_off, lose_index
from tests.layouts import LAYOUTS, write_layout
from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from tests.processes import Pool
from vtlearn.callbacks import FeatureWriter
from vtlearn.datamodules import HowTo100M, Kitchen
from vtlearn.datamodules.base import VideoTextData
from vtlearn.errors import ArgumentError, FeatureError, TooManyUnreadableError
from vtlearn.learner import VideoTextLearner
from vtlearn.media.clips import Clips
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.spec import num_vectors, read_metadata
from vtlearn.media.features.store import FeatureStore, read_shard_record
from vtlearn.media.ids import former_id
from vtlearn.media.video.reader import VideoReader

NORMALISED: dict[str, Any] = {"mean": [0.5] * 3, "std": [0.25] * 3}  # as TinyVideo does


def seeded_learner(seed: int = 0) -> VideoTextLearner:
    torch.manual_seed(seed)
    return tiny_learner()


def predict(
    folder: Path,
    data: VideoTextData,
    *callbacks: Callback,
    learner: VideoTextLearner | None = None,
    **options: Any,
) -> None:
    writer = FeatureWriter(folder, **{"videos_per_shard": 3, **NORMALISED, **options})
    trainer = quiet_trainer(folder.parent, callbacks=[writer, *callbacks])
    trainer.predict(learner or seeded_learner(), datamodule=data, return_predictions=False)


def contents(folder: Path) -> dict[str, str]:
    """Hash of each file that belongs to the store itself."""
    files = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def data(kitchen_root: Path, small: dict[str, int]) -> Kitchen:
    return tiny_kitchen(kitchen_root, small)


@pytest.fixture(scope="session")
def whole(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was filled without interruption; tests only read it."""
    from tests.conftest import SMALL

    folder = tmp_path_factory.mktemp("whole") / "store"
    predict(folder, tiny_kitchen(kitchen_root, SMALL))
    return folder


def test_the_store_holds_what_the_encoder_makes_of_each_window(
    kitchen_root: Path, whole: Path
) -> None:
    reader, encoder = FeatureReader(whole), seeded_learner().video_encoder.eval()
    paths = sorted((kitchen_root / "videos").iterdir())
    assert list(reader.ids) == [path.stem for path in paths]
    for path in paths[:3]:
        duration = VideoReader().probe(path).duration
        assert reader.duration(path.stem) == duration
        count = num_vectors(duration, fps=1)
        windows = VideoReader().clips(path, range(count), num_frames=2, fps=4.0, size=16)
        with torch.no_grad():
            wanted = encoder(windows.frames).pooled  # all at once, in no chunks
        stored = reader.clips(path, [0.0], num_frames=count, fps=1.0, size=8)
        assert stored.valid.all()
        torch.testing.assert_close(stored.frames[0], wanted, rtol=2e-3, atol=2e-3)


def test_the_sidecar_says_what_they_are(whole: Path) -> None:
    spec, layout = read_metadata(whole)
    assert spec.backbone == ("vtlearn.encoders.TinyVideo(dim=8, num_frames=2, size=16, width=4)")
    assert (spec.fps, spec.stride, spec.window, spec.num_frames) == (1.0, 1.0, 0.5, 2)
    assert (spec.resize, spec.crop, spec.mean, spec.std) == (16, 16, (0.5,) * 3, (0.25,) * 3)
    assert (spec.dim, spec.dtype, spec.l2_norm) == (8, "float16", False)
    assert (layout["videos"], layout["videos_per_shard"], layout["precision"]) == (13, 3, "32-true")
    names = {f"{shard:05d}{suffix}" for shard in range(5) for suffix in (".json", ".safetensors")}
    assert contents(whole).keys() == names | {"features.json"}


class Stop(Callback):
    """Interrupts after so many batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def on_predict_batch_end(self, *_: object) -> None:
        self.batches -= 1
        if not self.batches:
            raise KeyError


@pytest.mark.parametrize("batches", [1, 7, 20])
def test_an_interrupted_one_is_gone_on_with_byte_for_byte(
    data: Kitchen, whole: Path, tmp_path: Path, batches: int
) -> None:
    store = tmp_path / "store"
    with pytest.raises(KeyError):
        predict(store, data, Stop(batches))
    begun = {path: path.stat().st_mtime_ns for path in store.glob("0*")}
    assert len(begun) < 10
    predict(store, data)
    assert contents(store) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in begun} == begun  # nothing is made twice


def test_loader_processes_change_nothing(
    kitchen_root: Path, small: dict[str, int], whole: Path, tmp_path: Path
) -> None:
    predict(tmp_path / "store", tiny_kitchen(kitchen_root, small, num_workers=1))
    assert contents(tmp_path / "store") == contents(whole)


def _predict_in_process(folder: Path, root: Path, small: dict[str, int]) -> None:
    predict(folder, Kitchen(root, **LOADING, **small))  # type: ignore[arg-type]


@pytest.mark.ddp
def test_two_processes_write_what_one_does(
    kitchen_root: Path,
    small: dict[str, int],
    whole: Path,
    tmp_path: Path,
    two_processes: Pool,
) -> None:
    store = tmp_path / "store"
    two_processes.run(_predict_in_process, store, kitchen_root, small)
    assert contents(store) == contents(whole)
    (store / "00003.json").unlink()
    two_processes.run(_predict_in_process, store, kitchen_root, small)  # with one idle process
    assert contents(store) == contents(whole)


def test_a_store_of_other_weights_is_refused(data: Kitchen, whole: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(whole, tmp_path / "store"))
    with pytest.raises(FeatureError, match=r"weights_sha256: '[0-9a-f]{64}' there, '[0-9a-f]{64}'"):
        predict(store, data, learner=seeded_learner(1))
    with pytest.raises(FeatureError, match=r"stride: 1\.0 there, 2\.0 now"):
        predict(store, data, stride=2.0)
    with pytest.raises(FeatureError, match="windows_per_chunk: 16 there, 4 now"):
        predict(store, data, windows_per_chunk=4)
    assert contents(store) == contents(whole)


def test_the_checkpoints_weights_are_taken_or_it_is_said_that_none_was_given(
    data: Kitchen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained, checkpoint = seeded_learner(1), tmp_path / "trained.ckpt"
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(trained, datamodule=data)
    trainer.save_checkpoint(checkpoint)
    predict(tmp_path / "trained", data, learner=trained)
    assert "no --ckpt_path" in caplog.text
    caplog.clear()
    writer = FeatureWriter(tmp_path / "restored", videos_per_shard=3, **NORMALISED)
    quiet_trainer(tmp_path, callbacks=[writer]).predict(
        seeded_learner(2), datamodule=data, ckpt_path=checkpoint, return_predictions=False
    )
    assert "no --ckpt_path" not in caplog.text
    assert contents(tmp_path / "restored") == contents(tmp_path / "trained")


def test_vectors_of_length_one(data: Kitchen, whole: Path, tmp_path: Path) -> None:
    predict(tmp_path / "store", data, l2_norm=True, dtype="float32")
    raw, unit = FeatureReader(whole), FeatureReader(tmp_path / "store")
    assert unit.spec.l2_norm
    shape = {"num_frames": 5, "fps": 1.0, "size": 8}
    frames = [reader.clips(raw.ids[0], [0.0], **shape).frames for reader in (raw, unit)]  # type: ignore[arg-type]
    torch.testing.assert_close(
        functional.normalize(frames[0], dim=-1), frames[1], atol=2e-3, rtol=0
    )


@pytest.fixture
def damaged(kitchen_root: Path, small: dict[str, int], tmp_path: Path) -> partial[Kitchen]:
    """A Kitchen of which two videos cannot be read, and a third only to its middle."""
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    (root / "videos" / "kitchen_train_0001.mp4").write_text("no video")
    lose_index(root / "videos" / "kitchen_train_0002.mp4")
    cut_off(root / "videos" / "kitchen_train_0004.mp4")
    return partial(tiny_kitchen, root, small)


def test_what_cannot_be_read_is_named(
    damaged: partial[Kitchen], whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    for _ in range(2):  # what is in whole shards already is named again
        predict(store, damaged(max_unreadable_fraction=0.2))
        line = " ".join(capsys.readouterr().out.split())
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
    damaged: partial[Kitchen], whole: Path, tmp_path: Path
) -> None:
    predict(tmp_path / "store", damaged(max_unreadable_fraction=0.2))
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
    assert shard.videos["kitchen_train_0004"] == (duration, count, count - readable)


class Holes(VideoReader):
    """Loses a frame of each window that starts at second 2 or 5."""

    def clips(self, source: Any, starts: Any, **options: Any) -> Clips:
        clips = super().clips(source, starts, **options)
        clips.valid[[start in (2.0, 5.0) for start in starts], 1] = False
        return clips


@pytest.mark.parametrize("windows_per_chunk", [16, 1])
def test_a_window_lost_amid_others_leaves_a_hole(
    data: Kitchen, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    windows_per_chunk: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(vtlearn.callbacks.feature_writer, "clip_reader", lambda **_: Holes())
    predict(tmp_path / "store", data, windows_per_chunk=windows_per_chunk)
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


def _shard_of(number: str) -> int:
    # test videos come first, three of them; then the training videos
    return (3 + int(number)) // 3


def test_a_video_that_was_replaced_is_not_mixed_in(
    kitchen_root: Path, small: dict[str, int], whole: Path, tmp_path: Path
) -> None:
    videos = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen")) / "videos"
    data = tiny_kitchen(videos.parent, small)
    store = Path(shutil.copytree(whole, tmp_path / "store"))
    (store / "00004.json").unlink()
    predict(store, data)  # a copy of the corpus is the same corpus
    assert contents(store) == contents(whole)
    (store / "00004.json").unlink()
    before = contents(store)
    (videos / "kitchen_train_0000.mp4").write_bytes(
        (videos / "kitchen_train_0005.mp4").read_bytes()
    )
    with pytest.raises(FeatureError, match=r": kitchen_train_0000\. .* remove 00001\.json there"):
        predict(store, data)
    assert contents(store) == before
    (store / "00001.json").unlink()
    predict(store, data)
    ours, theirs = contents(store), contents(whole)
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "00001.json",
        "00001.safetensors",
    }


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
def test_an_old_store_of_names_up_to_a_dot_is_not_gone_on_with(
    ids: Sequence[str], tmp_path: Path
) -> None:
    root = write_layout(tmp_path, ids, ids)
    data = HowTo100M(root / "captions", videos=root / "videos", **LOADING)
    predict(root / "store", data)
    reader = FeatureReader(root / "store")
    assert list(reader.ids) == list(ids)
    for name in ids:
        source = root / "videos" / f"{name}.mp4"
        found = reader.clips(source, [0.0], num_frames=2, fps=1.0, size=8).frames
        assert torch.equal(found, reader.clips(name, [0.0], num_frames=2, fps=1.0, size=8).frames)
    predict(root / "store", data)  # which is whole
    spec, layout = read_metadata(root / "store")
    kept = {name: layout[name] for name in ("windows_per_chunk", "precision")}
    FeatureStore(root / "old", spec, [former_id(ids[0])], videos_per_shard=3, layout=kept)
    with pytest.raises(FeatureError, match=f"both {ids[0]!r} and {ids[1]!r}".replace("[", r"\[")):
        predict(root / "old", data)
    assert [path.name for path in (root / "old").iterdir()] == ["features.json"]


def test_a_video_that_took_too_long_is_tried_again(
    kitchen_root: Path, small: dict[str, int], whole: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    slow = root / "videos" / "kitchen_train_0001.mp4"
    video = slow.read_bytes()
    slow.unlink()
    os.mkfifo(slow)  # whoever opens it waits
    store, data = tmp_path / "store", partial(tiny_kitchen, root, small)
    predict(store, data(max_unreadable_fraction=0.1, time_budget=1.5))
    assert read_shard_record(store, 1).unreadable["kitchen_train_0001"]["stage"] == "time"
    begun = {path: path.stat().st_mtime_ns for path in store.glob("0*") if path.stem != "00001"}
    slow.unlink()
    slow.write_bytes(video)
    predict(store, data())  # no video may be unreadable now, and this one is not
    assert {path: path.stat().st_mtime_ns for path in begun} == begun
    assert contents(store) == contents(whole)


def test_a_video_that_was_mended_is_tried_again(
    damaged: partial[Kitchen], whole: Path, kitchen_root: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    predict(store, damaged(max_unreadable_fraction=0.2))
    for number in (1, 2):
        name = f"videos/kitchen_train_{number:04d}.mp4"
        shutil.copy(kitchen_root / name, tmp_path / "kitchen" / name)
    predict(store, damaged())
    for name in ("00001.json", "00001.safetensors"):
        assert contents(store)[name] == contents(whole)[name]


def test_how_to_get_past_too_many_is_said(
    damaged: partial[Kitchen], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predict(tmp_path / "store", damaged(max_unreadable_fraction=0.2))
    caplog.clear()
    with pytest.raises(TooManyUnreadableError):
        predict(tmp_path / "store", damaged(max_unreadable_fraction=0.1))
    assert f"to try them, remove 00001.json in {tmp_path / 'store'}" in caplog.text


def test_too_many_of_them_stop_it(damaged: partial[Kitchen], tmp_path: Path) -> None:
    with pytest.raises(TooManyUnreadableError, match=r"2 of 13 .*max_unreadable_fraction=0\.1"):
        predict(tmp_path / "store", damaged(max_unreadable_fraction=0.1))


class Hanging(VideoTextLearner):
    """Gives what no float16 can hold."""

    def predict_step(self, *arguments: Any) -> torch.Tensor:
        return super().predict_step(*arguments) + 1e6


def test_vectors_too_large_are_not_made_infinite(data: Kitchen, tmp_path: Path) -> None:
    parts = seeded_learner()
    learner = Hanging(parts.video_encoder, parts.text_encoder, parts.head)
    with pytest.raises(FeatureError, match="float16 cannot hold"):
        predict(tmp_path / "store", data, learner=learner)


def test_what_is_left_undone_is_said(
    data: Kitchen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = FeatureWriter(tmp_path / "store", videos_per_shard=3, **NORMALISED)
    trainer = quiet_trainer(tmp_path, callbacks=[writer], limit_predict_batches=4)
    trainer.predict(seeded_learner(), datamodule=data, return_predictions=False)
    there = len(list((tmp_path / "store").glob("0*.json")))
    assert f"{5 - there} of 5 shards are not in" in capsys.readouterr().out


def test_refusals(data: Kitchen, tmp_path: Path) -> None:
    trainer = partial(quiet_trainer, tmp_path)
    with pytest.raises(ArgumentError, match=r"give --features\.folder DIR"):
        trainer(callbacks=[FeatureWriter()]).predict(seeded_learner(), datamodule=data)
    with pytest.raises(ArgumentError, match="add a FeatureWriter"):
        trainer().predict(seeded_learner(), datamodule=data)
    with pytest.raises(ArgumentError, match="windows_per_chunk"):
        FeatureWriter(tmp_path, windows_per_chunk=0)
    for name in ("mean", "std"):
        with pytest.raises(ArgumentError, match=rf"{name}=\[0\.5, 0\.5\] has to be three numbers"):
            FeatureWriter(tmp_path, **{name: [0.5, 0.5]})  # type: ignore[arg-type]
    (tmp_path / "file").write_text("text")
    with pytest.raises(FeatureError, match=r"features cannot be kept in .*file: File exists"):
        predict(tmp_path / "file", data)


@pytest.mark.slow
def test_a_killed_command_is_gone_on_with_byte_for_byte(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    from tests.models import TINY_ENCODERS

    config = {
        "seed_everything": 1,
        "model": {**TINY_ENCODERS, "head": {"class_path": "S2DTW"}},
        "data": {
            "class_path": "Kitchen",
            "init_args": {
                "root": str(kitchen_root),
                "sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0},
                "pixels": {"size": 16},
                **small,
            },
        },
        "trainer": {"accelerator": "cpu", "logger": False, "enable_checkpointing": False},
        "features": {"videos_per_shard": 1, "windows_per_chunk": 1, **NORMALISED},
    }
    (tmp_path / "tiny.yaml").write_text(json.dumps(config))

    def command(store: str, *options: str) -> "subprocess.Popen[bytes]":
        argv = ["predict", "--config", "tiny.yaml", "--features.folder", store, *options]
        return subprocess.Popen(
            [sys.executable, "-m", "vtlearn", *argv],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def finish(process: "subprocess.Popen[bytes]") -> None:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()

    finish(command("whole"))
    killed = command("killed")
    while len(list(tmp_path.glob("killed/0*.json"))) < 3 and killed.poll() is None:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    there = len(list(tmp_path.glob("killed/0*.json")))
    assert 3 <= there < 13
    finish(command("killed", "--trainer.devices", "2"))
    assert len(contents(tmp_path / "whole")) == 27
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
