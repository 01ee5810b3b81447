import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from torch.nn import functional

from tests.damage import cut_off, lose_index
from tests.datasets.extraction.storing import contents, feature_walk
from tests.layouts import LAYOUTS, write_layout
from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from tests.processes import Pool
from vtlearn.callbacks import FeatureWriter
from vtlearn.datamodules import HowTo100M, Kitchen
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import ArgumentError, FeatureError, TooManyUnreadableError
from vtlearn.learner import VideoTextLearner
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.spec import num_vectors, read_metadata
from vtlearn.media.features.store import FeatureStore
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


def test_which_frames_the_windows_have_is_written_where_it_is_not_the_screen(
    whole: Path, tmp_path: Path
) -> None:
    assert "frame_at" not in json.loads((whole / "features.json").read_text())
    store, videos = tmp_path / "store", VideoList(["a"], ["a.mp4"], 4.0, frame_at="nearest")
    writer, learner = FeatureWriter(store, **NORMALISED), seeded_learner()
    assert writer.open_writer(store, learner, videos, "32-true").store.spec.frame_at == "nearest"
    assert read_metadata(store)[0].frame_at == "nearest"
    with pytest.raises(FeatureError, match="frame_at: 'nearest' there, 'screen' now"):
        writer.open_writer(store, learner, videos._replace(frame_at="screen"), "32-true")


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


def _predict_in_process(
    folder: Path, root: Path, small: dict[str, int], part: str | None = None
) -> None:
    predict(folder, tiny_kitchen(root, small), part=part)


@pytest.mark.slow
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
    for part in ("1/2", "2/2"):
        two_processes.run(_predict_in_process, tmp_path / "parts", kitchen_root, small, part)
    assert contents(tmp_path / "parts") == contents(whole)


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


def test_what_cannot_be_read_is_printed_or_stops_it(
    damaged: partial[Kitchen], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(tmp_path / "store", damaged(max_unreadable_fraction=0.2))
    line = " ".join(capsys.readouterr().out.split())
    assert "vectors of 11 videos" in line
    assert "windows of 1 damaged videos are lost" in line
    assert "2 cannot be read: kitchen_train_0001, kitchen_train_0002 (why: " in line
    with pytest.raises(TooManyUnreadableError, match=r"2 of 13 .*max_unreadable_fraction=0\.1"):
        predict(tmp_path / "store", damaged(max_unreadable_fraction=0.1))


def test_predict_writes_what_a_walk_without_a_trainer_does(
    data: Kitchen, whole: Path, tmp_path: Path
) -> None:
    feature_walk(tmp_path / "store", data.videos())
    assert contents(tmp_path / "store") == contents(whole)


def test_three_parts_of_unequal_shards_give_the_identical_store(
    data: Kitchen, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shards = []
    for part in ("3/3", "1/3", "2/3"):
        predict(store, data, part=part)
        shards.append(len(list(store.glob("0*.json"))))
    assert shards == [1, 3, 5]
    first, second, third = capsys.readouterr().out.splitlines()
    assert f"part 3/3 is whole; 4 of 5 shards are not in {store} yet (parts 1/3, 2/3)." in first
    assert "(part 2/3)." in second
    assert third.startswith("features: ")
    assert "vectors of 13 videos" in third
    assert contents(store) == contents(whole)


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
    with pytest.raises(ArgumentError, match="videos_per_shard"):
        FeatureWriter(tmp_path, videos_per_shard=0)
    for name in ("mean", "std"):
        with pytest.raises(ArgumentError, match=rf"{name}=\[0\.5, 0\.5\] has to be three numbers"):
            FeatureWriter(tmp_path, **{name: [0.5, 0.5]})  # type: ignore[arg-type]
    for part in ("0/4", "5/4", "x"):
        with pytest.raises(ArgumentError, match=rf"part='{part}' is not K/N with K from 1 to N"):
            FeatureWriter(tmp_path, part=part)
    (tmp_path / "file").write_text("text")
    with pytest.raises(FeatureError, match=r"features cannot be kept in .*file: File exists"):
        predict(tmp_path / "file", data)


KILLED = """
import os, signal
from vtlearn.__main__ import main
from vtlearn.media.features import shard

write = shard.replace_text
def write_or_die(path, text):
    if len(list(path.parent.glob("0*.json"))) == 3:  # the vectors are there, and no record of them
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)

shard.replace_text = write_or_die
main()
"""


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

    def run(program: list[str], store: str, *options: str) -> int:
        argv = ["predict", "--config", "tiny.yaml", "--features.folder", store, *options]
        done = subprocess.run(
            [sys.executable, *program, *argv],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode

    assert run(["-m", "vtlearn"], "whole") == 0
    assert run(["-c", KILLED], "killed") == -signal.SIGKILL
    assert len(list(tmp_path.glob("killed/0*.json"))) == 3
    assert len(list(tmp_path.glob("killed/0*.safetensors"))) == 4
    assert run(["-m", "vtlearn"], "killed", "--trainer.devices", "2") == 0
    assert len(contents(tmp_path / "whole")) == 27
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
