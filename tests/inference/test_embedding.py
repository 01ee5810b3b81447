import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference.models import tiny_aligner, tiny_writer
from tests.media.video.writing import write_video
from tests.models import tiny_learner
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, FeatureError, TooManyUnreadableError
from vtlearn.heads import MILNCE, S2DTW
from vtlearn.inference import Model
from vtlearn.inference.embedding import (
    EmbeddingOptions,
    HeadVectors,
    embed_videos,
    list_videos,
    write_texts,
)
from vtlearn.media import FeatureReader

EXACT = EmbeddingOptions(dtype="float32", videos_per_shard=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three of three seconds; tests only read them."""
    folder = tmp_path_factory.mktemp("embedding")
    levels = {
        name: [(60 + 40 * n + frame) % 256 for frame in range(70)] for n, name in enumerate("abc")
    }
    return {name: write_video(folder / f"{name}.mp4", grey) for name, grey in levels.items()}


def contents(folder: Path) -> dict[str, bytes]:
    """The files that are written; a reader may add its index."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def embed(
    model: Model, videos: dict[str, Path], folder: Path, options: EmbeddingOptions = EXACT
) -> str:
    return str(embed_videos(model, list_videos(model, videos, 0.0), folder, options))


@pytest.mark.parametrize("pad", ["edge", "black"])
@pytest.mark.parametrize("normalize", [True, False])
def test_vectors_are_those_of_the_model(
    videos: dict[str, Path], tmp_path: Path, pad: str, normalize: bool
) -> None:
    learner = tiny_learner(S2DTW(normalize=normalize))
    learner.clips = {"num_frames": 4, "fps": 2.5, "size": 16, "crop": "center", "pad": pad}
    model = Model(learner, "tiny")
    embed(model, videos, tmp_path / "out", EXACT._replace(stride=0.5))
    reader = FeatureReader(tmp_path / "out")
    assert (reader.spec.stride, reader.spec.window, reader.spec.num_frames) == (0.5, 1.6, 4)
    assert reader.spec.l2_norm == normalize
    for name, path in videos.items():
        expected = model.encode_video(path, stride=0.5).vectors
        clips = reader.clips(name, [0.0], num_frames=len(expected), fps=2.0, size=reader.spec.dim)
        torch.testing.assert_close(clips.frames[0], expected)


def test_float16_is_near(videos: dict[str, Path], tmp_path: Path) -> None:
    model = tiny_aligner()
    embed(model, videos, tmp_path / "out", EmbeddingOptions())
    found = FeatureReader(tmp_path / "out").clips("b", [0.0], num_frames=3, fps=1.0, size=8)
    expected = model.encode_video(videos["b"]).vectors
    torch.testing.assert_close(found.frames[0], expected, atol=1e-3, rtol=0)


def test_another_head_has_other_features(videos: dict[str, Path], tmp_path: Path) -> None:
    model = tiny_aligner()
    embed(model, videos, tmp_path)
    other = Model(tiny_learner(MILNCE()), "other")
    other.learner.video_encoder.load_state_dict(model.learner.video_encoder.state_dict())
    other.learner.clips = model.learner.clips
    with pytest.raises(FeatureError, match="was created with other settings: backbone"):
        embed(other, videos, tmp_path)


def test_weights_of_encoder_and_head_are_hashed() -> None:
    encoder, head = TinyVideo(dim=8), MILNCE()
    head.weight = torch.nn.Parameter(torch.ones(1))
    names = set(HeadVectors(encoder, head).state_dict())
    assert "head.weight" in names
    assert {f"video_encoder.{name}" for name in encoder.state_dict()} <= names


def embed_and_die(model: Model, videos: dict[str, Path], folder: Path) -> None:
    """Embed, and be killed when a chunk of the third video is encoded."""
    calls = iter(range(100))

    def embed_two(*_: object) -> torch.Tensor:
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*_)  # type: ignore[arg-type]

    whole = HeadVectors.embed
    pytest.MonkeyPatch().setattr(HeadVectors, "embed", embed_two)
    embed(model, videos, folder)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_killed_process_is_resumed_and_leaves_the_same(
    videos: dict[str, Path], tmp_path: Path
) -> None:
    model = tiny_aligner()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # whose threads would not survive a fork
    try:
        context = multiprocessing.get_context("fork")
        process = context.Process(target=embed_and_die, args=(model, videos, tmp_path / "killed"))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert "00001.json" in contents(tmp_path / "killed")
        assert "00002.json" not in contents(tmp_path / "killed")
        embed(model, videos, tmp_path / "whole")
        assert embed(model, videos, tmp_path / "killed").startswith("features: 9 vectors of 3 vid")
    finally:
        torch.set_num_threads(threads)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_what_cannot_be_read_is_recorded(videos: dict[str, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"bad")
    model = tiny_aligner()
    given = {**videos, "bad": bad}
    with pytest.raises(TooManyUnreadableError):
        embed(model, given, tmp_path / "out")
    line = embed_videos(model, list_videos(model, given, 0.25), tmp_path / "out", EXACT)
    assert "1 cannot be read: bad" in str(line)


@pytest.mark.parametrize("clips", [{"whole": True}, {"fps": "native"}])
def test_clips_of_no_fixed_length_have_no_store(clips: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match="tiny was trained on clips of no fixed length or rate"):
        list_videos(tiny_aligner(**clips), {})


class Silent(TinyVideo):
    mean = None  # type: ignore[assignment]


def test_an_encoder_has_to_say_how_it_normalises() -> None:
    with pytest.raises(ArgumentError, match="Silent does not say by which mean and std"):
        HeadVectors(Silent(dim=8), S2DTW())


def test_a_head_that_compares_nothing_is_refused(tmp_path: Path) -> None:
    learner = tiny_writer(tmp_path).learner
    with pytest.raises(ArgumentError, match="CaptioningDecoder compares no clips with texts"):
        HeadVectors(learner.video_encoder, learner.head)


@pytest.mark.parametrize(
    "options", [EXACT._replace(stride=0.0), EXACT._replace(videos_per_shard=0)]
)
def test_options_are_positive(
    options: EmbeddingOptions, videos: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match="must be positive"):
        embed(tiny_aligner(), videos, tmp_path, options)


def test_texts_are_written_once(tmp_path: Path) -> None:
    model = tiny_aligner()
    texts = ["chop the carrot", "stir ü"]
    path = write_texts(model, texts, tmp_path / "out")
    there = np.load(path, allow_pickle=False)
    assert there["texts"].tolist() == texts
    assert str(there["model_sha256"]) == model.sha256
    torch.testing.assert_close(torch.from_numpy(there["vectors"]), model.encode_text(texts))
    before = path.read_bytes()
    assert write_texts(model, texts, tmp_path / "out") == path
    with pytest.raises(ArgumentError, match="is not overwritten"):
        write_texts(model, texts[:1], tmp_path / "out")
    other = tiny_aligner()
    torch.nn.init.ones_(next(other.learner.parameters()))
    with pytest.raises(ArgumentError, match="or of another model"):
        write_texts(other, texts, tmp_path / "out")
    assert path.read_bytes() == before
