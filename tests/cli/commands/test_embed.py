import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference.models import save_checkpoint, tiny_aligner, tiny_writer
from tests.media.video.writing import write_video
from vtlearn.cli.commands import tree
from vtlearn.cli.commands.embed import find_given
from vtlearn.errors import ArgumentError
from vtlearn.inference import load
from vtlearn.media import FeatureReader


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return save_checkpoint(tiny_aligner().learner, folder / "tiny.ckpt")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of three seconds; tests only read them."""
    folder = tmp_path_factory.mktemp("embedded") / "videos"
    folder.mkdir()
    for number, name in enumerate("abc"):
        write_video(
            folder / f"{name}.mp4", [(60 + 40 * number + frame) % 256 for frame in range(70)]
        )
    return folder


def call(videos: Path, checkpoint: Path, out: Path, *options: str) -> int:
    fixed = ["-o", str(out), "--model", str(checkpoint), "--device", "cpu"]
    return tree.run("embed", [str(videos), *fixed, *options])


def contents(folder: Path) -> dict[str, bytes]:
    """The files that the command writes; a reader may add its index."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_it_writes_a_store_and_says_how_to_read_it(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "features"
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("chop the carrot\n\n  stir the soup \n")
    assert call(videos, checkpoint, out, "--texts", str(sentences), "--dtype", "float32") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"features: 9 vectors of 3 videos in {out}"
    assert f'vtlearn.media.FeatureReader("{out}").clips(' in second
    assert f'numpy.load("{out}/texts.npz")["vectors"]' in second
    assert second.endswith(f"--data.init_args.features {out}")
    clips = FeatureReader(out).clips("b", [0.0], num_frames=3, fps=1.0, size=8)
    texts = np.load(out / "texts.npz")
    assert texts["texts"].tolist() == ["chop the carrot", "stir the soup"]
    model = load(checkpoint)
    expected = model.encode_video(videos / "b.mp4") @ model.encode_text(texts["texts"].tolist()).T
    torch.testing.assert_close(clips.frames[0] @ torch.from_numpy(texts["vectors"]).T, expected)


def test_without_sentences_the_model_gives_them(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(videos, checkpoint, tmp_path / "out") == 0
    assert "whose dot products with model.encode_text([...])" in capsys.readouterr().out
    assert "texts.npz" not in contents(tmp_path / "out")


def test_again_it_does_nothing_and_leaves_the_same(
    videos: Path, checkpoint: Path, tmp_path: Path
) -> None:
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("chop the carrot")
    options = ("--texts", str(sentences), "--videos-per-shard", "2")
    assert call(videos, checkpoint, tmp_path / "out", *options) == 0
    before = contents(tmp_path / "out")
    assert call(videos, checkpoint, tmp_path / "out", *options) == 0
    assert contents(tmp_path / "out") == before
    assert call(videos, checkpoint, tmp_path / "other", *options, "--workers", "1") == 0
    assert contents(tmp_path / "other") == before


def test_parts_make_the_same_whole(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--videos-per-shard", "1")
    assert call(videos, checkpoint, tmp_path / "whole", *options) == 0
    capsys.readouterr()
    assert call(videos, checkpoint, tmp_path / "parts", *options, "--part", "2/2") == 0
    assert "part 2/2 is whole; 2 of 3 shards are not in" in capsys.readouterr().out
    assert call(videos, checkpoint, tmp_path / "parts", *options, "--part", "1/2") == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_json_says_what_is_there(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"bad")
    out = tmp_path / "out"
    options = ["-o", str(out), "--model", str(checkpoint), "--device", "cpu", "--json"]
    assert tree.run("embed", [str(videos), str(bad), *options]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content.pop("unreadable").keys() == {"bad"}
    assert content == {"features": str(out), "texts": None, "videos": 4, "embedded": 3}


def test_other_sentences_are_not_overwritten(
    videos: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("chop the carrot")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "texts.npz").write_bytes(b"mine")
    assert call(videos, checkpoint, tmp_path / "out", "--texts", str(sentences)) == 2
    assert "texts.npz holds vectors of other sentences" in capsys.readouterr().err
    assert contents(tmp_path / "out") == {"texts.npz": b"mine"}


def test_a_model_that_writes_is_refused(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = save_checkpoint(tiny_writer(tmp_path).learner, tmp_path / "w.ckpt")
    assert call(videos, writer, tmp_path / "out") == 2
    assert "CaptioningDecoder, which compares no clips with texts" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "3/2"], "part='3/2' is not K/N"),
        (["--stride", "0"], "--stride must be positive"),
        (["--videos-per-shard", "0"], "--videos-per-shard must be positive"),
        (["--workers", "-1"], "--workers must be 0 or more"),
        (["--max-unreadable-fraction", "2"], "--max-unreadable-fraction=2.0 has to be from 0 to 1"),
        (["--texts", "absent.txt"], "absent.txt cannot be read as sentences, one per line"),
    ],
)
def test_options_have_to_make_sense(
    options: list[str],
    message: str,
    videos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(videos, tmp_path / "absent.ckpt", tmp_path / "out", *options) == 2
    assert message in capsys.readouterr().err


def test_an_empty_list_of_sentences_is_refused(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.txt").write_text("\n \n")
    options = ("--texts", str(tmp_path / "none.txt"))
    assert call(videos, tmp_path / "absent.ckpt", tmp_path / "out", *options) == 2
    assert "none.txt holds no sentences" in capsys.readouterr().err


def test_files_and_folders_are_taken_once(videos: Path, tmp_path: Path) -> None:
    other = tmp_path / "talk.MP4"
    other.touch()
    found = find_given([other, videos, videos / "b.mp4"])
    assert found == {
        **{name: videos / f"{name}.mp4" for name in "abc"},
        "talk": other,
    }


def test_two_videos_of_one_id_are_refused(videos: Path, tmp_path: Path) -> None:
    twin = tmp_path / "a.mkv"
    twin.touch()
    with pytest.raises(ArgumentError, match="have the same id, a: give one folder that holds"):
        find_given([videos, twin])


def test_paths_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="absent: No such file or directory"):
        find_given([tmp_path / "absent"])
    with pytest.raises(ArgumentError, match="no video is in"):
        find_given([tmp_path])
