import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.errors import ArgumentError, FeatureError, UnreadableVideoError
from vtlearn.media.clips import Clips, VideoBytes
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.video.reader import VideoReader

STARTS = [0.0, -1.0, 3.7, 0.999, 2.0, 29.9, 100.0]


def read(reader: FeatureReader, source: str | Path | VideoBytes, pad: str = "edge") -> Clips:
    return reader.clips(
        source,
        STARTS,
        num_frames=4,
        fps=reader.spec.fps,
        size=reader.spec.dim,
        pad=pad,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("fps", "pad"), [(1.0, "edge"), (1.0, "black"), (0.5, "edge")])
def test_what_is_shown_when(tmp_path: Path, fps: float, pad: str) -> None:
    wanted = fill_store(tmp_path, {"a": 30.2, "b": 7.0}, fps=fps, stride=1 / fps)
    clips = read(FeatureReader(tmp_path), "a", pad)
    assert clips.frames.dtype == torch.float32
    assert clips.valid.all()
    for clip, start in enumerate(STARTS):
        for number in range(4):
            time = start + number / fps
            # the last vector that begins at this time or before, by looking at all of them
            begun = [k for k in range(len(wanted["a"])) if k / fps <= time] or [0]
            vector = wanted["a"][begun[-1]]
            if pad == "black" and time >= len(wanted["a"]) / fps:
                vector = torch.zeros(4)
            assert torch.equal(clips.frames[clip, number], vector)


def test_times_agree_with_those_of_pixels(tmp_path: Path) -> None:
    """A store of one vector a frame, holding its grey level, is read as the video itself is."""
    video = write_video(tmp_path / "v.mp4", list(range(20, 220, 10)), rate=5)
    fill_store(tmp_path / "store", {"v": 4.0}, fps=5.0, stride=0.2, dim=1)
    path = tmp_path / "store" / "00000.safetensors"
    from safetensors.torch import save_file

    save_file({"v": torch.arange(20.0, 220.0, 10.0)[:, None]}, path)
    starts = np.random.default_rng(0).uniform(-0.5, 4.5, 20)
    asked = {"num_frames": 3, "fps": 5.0}
    pixels = VideoReader().clips(video, starts, size=8, **asked)  # type: ignore[arg-type]
    stored = FeatureReader(tmp_path / "store").clips(video, starts, size=1, **asked)  # type: ignore[arg-type]
    levels = pixels.frames.float().mean((2, 3, 4))
    assert (levels - stored.frames[..., 0]).abs().max() < 5


@pytest.mark.parametrize(
    "source",
    ["-x_1", "videos/-x_1.mp4", Path("deep/-x_1.WebM"), VideoBytes("0/-x_1.mp4", b"")],
)
def test_a_video_is_known_by_its_id(tmp_path: Path, source: str | Path | VideoBytes) -> None:
    wanted = fill_store(tmp_path, {"-x_1": 2.0, "x": 3.0, "y": 1.0})
    reader = FeatureReader(tmp_path)
    assert torch.equal(read(reader, source).frames[0, :2], wanted["-x_1"])
    assert list(reader.ids) == ["-x_1", "x", "y"]
    assert reader.duration("x") == 3.0


def test_an_id_is_not_cut_at_its_dots(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"v1": 2.0, "v1.2": 2.0, "v1.3": None})
    reader = FeatureReader(tmp_path)
    for source, key in (("v1.2", "v1.2"), ("v1.2.mp4", "v1.2"), ("v1.mp4", "v1")):
        assert torch.equal(read(reader, source).frames[0, :2], wanted[key])
    with pytest.raises(UnreadableVideoError, match=r"v1\.3 cannot be read: it is text"):
        read(reader, "v1.3.mp4")
    others: list[str | Path] = ["v1.4", "a/v1.4.mp4", Path("v1.2.en")]
    for other in others:
        with pytest.raises(UnreadableVideoError, match="has no features of it"):
            read(reader, other)


def test_videos_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"a/v": 2.0, "b/v": 2.0, "w": 2.0, "b/lost": None})
    reader = FeatureReader(tmp_path)
    sources: dict[str, str] = {"a/v": "a/v", "/data/b/v.mp4": "b/v", "a/w.mp4": "w"}
    for source, key in sources.items():
        assert torch.equal(read(reader, source).frames[0, :2], wanted[key])
    with pytest.raises(UnreadableVideoError, match=r"^v cannot be read: .* has no features"):
        read(reader, "c/v.mp4")
    assert list(reader.unreadable) == ["b/lost"]


def test_videos_without_features(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0, "lost": None})
    reader = FeatureReader(tmp_path)
    with pytest.raises(UnreadableVideoError, match="lost cannot be read: it is text") as caught:
        read(reader, "lost.mp4")
    assert caught.value.stage == "open"
    with pytest.raises(UnreadableVideoError, match="has no features of it"):
        read(reader, "other.mp4")
    with pytest.raises(UnreadableVideoError):
        reader.duration("lost")


def test_a_lost_window_is_invalid_and_never_a_number(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"a": 3.0})["a"]
    vectors[1] = float("nan")
    from safetensors.torch import save_file

    save_file({"a": vectors}, tmp_path / "00000.safetensors")
    clips = FeatureReader(tmp_path).clips("a", [0.0], num_frames=3, fps=1.0, size=4)
    assert clips.valid.tolist() == [[True, False, True]]
    assert clips.frames[0, 1].tolist() == [0.0] * 4
    assert torch.equal(clips.frames[0, 2], vectors[2])


def test_what_the_features_are_not(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0})
    reader = FeatureReader(tmp_path)
    with pytest.raises(ArgumentError, match=r"fps=8\.0, but the features .* are 1\.0 a second"):
        reader.clips("a", [0.0], num_frames=1, fps=8.0, size=4)
    with pytest.raises(ArgumentError, match="fps=native, but the features"):
        reader.clips("a", [0.0], num_frames=1, fps="native", size=4)
    with pytest.raises(ArgumentError, match=r"size=224, .* have dim=4"):
        reader.clips("a", [0.0], num_frames=1, fps=1.0, size=224)
    given = {"num_frames": 1, "fps": 1.0, "size": 4}
    nearest = reader.clips("a", [0.4], **given, frame_at="nearest")  # type: ignore[arg-type]
    assert torch.equal(nearest.frames, reader.clips("a", [0.4], **given).frames)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="crop='center'"):
        reader.clips("a", [0.0], num_frames=1, fps=1.0, size=4, crop=[[0, 0, 8, 8]])
    with pytest.raises(ArgumentError, match="num_frames"):
        reader.clips("a", [0.0], num_frames=0, fps=1.0, size=4)


def test_no_clips_are_no_rows(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0})
    clips = FeatureReader(tmp_path).clips("a", [], num_frames=2, fps=1.0, size=4)
    assert clips.frames.shape == (0, 2, 4)


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"a": 2.0}, dtype="float16")
    frames = read(FeatureReader(tmp_path), "a").frames
    assert torch.equal(frames[0, :2], wanted["a"].half().float())


def test_a_shard_that_went_away(tmp_path: Path) -> None:
    fill_store(tmp_path, {"a": 1.0})
    reader = FeatureReader(tmp_path)
    (tmp_path / "00000.safetensors").unlink()
    with pytest.raises(FeatureError, match=r"00000\.safetensors cannot be read"):
        read(reader, "a")


def test_a_folder_that_says_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((30, 512), np.float16))
    with pytest.raises(FeatureError, match="features without a metadata file are not read"):
        FeatureReader(tmp_path)


def test_it_pickles_small_and_reads_in_another_process(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {f"{number:011d}": 1.0 for number in range(500)})
    reader = FeatureReader(tmp_path)
    assert len(pickle.dumps(reader)) < 500
    copy = pickle.loads(pickle.dumps(reader))  # noqa: S301
    assert torch.equal(read(copy, "00000000007").frames[0, :1], wanted["00000000007"])


def test_it_reads_after_a_fork(tmp_path: Path) -> None:
    wanted = fill_store(tmp_path, {"a": 3.0})
    reader = FeatureReader(tmp_path)
    read(reader, "a")
    ours, theirs = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:  # no pytest in there: it reads, answers and goes
        theirs.send(read(reader, "a").frames.tolist())
        os._exit(0)
    assert ours.poll(60)
    frames = torch.tensor(ours.recv())
    os.waitpid(child, 0)
    assert torch.equal(frames[0, :3], wanted["a"])


def test_a_store_of_a_former_version_is_spoken_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill_store(tmp_path / "former", {"a": 2.0})
    fill_store(tmp_path / "new", {"a": 2.0}, clock="start")
    for _ in range(2):
        FeatureReader(tmp_path / "former")
        FeatureReader(tmp_path / "new")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path / 'former'} does not note")
