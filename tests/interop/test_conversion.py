import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop import files
from vtlearn.checkpoints import load_learner
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.interop.conversion import convert

MAKERS: list[Callable[[], Any]] = [files.vttwins, files.milnce, files.s3d]


def ours(name: str) -> str:
    """The name a weight of S3D's files has in a learner."""
    if name.startswith("text_module."):
        return f"text_encoder.{name.removeprefix('text_module.')}"
    return f"video_encoder.{name}"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of VT-TWINS's file, with its words; tests only read it."""
    root = tmp_path_factory.mktemp("converted")
    path = files.write(root / "pretrained.pth.tar", files.vttwins())
    convert(path, root / "model", vocabulary=files.write_words(root / "dict.npy"))
    return root / "model"


@pytest.mark.parametrize("make", MAKERS)
def test_every_weight_comes_back_bit_for_bit(make: Callable[[], Any], tmp_path: Path) -> None:
    weights = files.s3d_weights("space_to_depth" if make is files.s3d else "plain")
    path = files.write(tmp_path / "x.pth", make())
    words = files.write_words(tmp_path / "dict.npy")
    report = convert(path, tmp_path / "model", vocabulary=words).report
    assert (len(report.matched), report.complete()) == (537, True)
    state = load_learner(tmp_path / "model").state_dict()
    assert state.pop("text_encoder._extra_state") == files.WORDS
    assert state.keys() == {ours(name) for name in weights}
    for name, value in weights.items():
        assert state[ours(name)].dtype == value.dtype
        assert torch.equal(state[ours(name)], value)


def test_the_model_opens_and_says_what_it_was(converted: Path) -> None:
    model = load_learner(converted)
    assert type(model.head).__name__ == "S2DTW"
    assert model.clips is not None
    assert model.clips["fps"] == 10.0
    assert model.encode_text(["chop the Fry", "unknown"]).shape == (2, 8)
    config = json.loads((converted / "config.json").read_text())
    path = converted.parent / "pretrained.pth.tar"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert config["source"] == {
        "kind": "vttwins",
        "file": "pretrained.pth.tar",
        "sha256": digest,
        "missing": [],
    }
    assert "vocabulary" not in config["model"]["text_encoder"]["init_args"]


def test_without_words_the_model_opens_and_its_encoder_says_what_is_missing(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x.pth", files.vttwins())
    assert not convert(path, tmp_path / "model").has_words
    model = load_learner(tmp_path / "model")
    table = files.s3d_weights()["text_module.word_embd.weight"]
    assert model.text_encoder is not None
    assert torch.equal(model.text_encoder.state_dict()["word_embd.weight"], table)
    with pytest.raises(ArgumentError, match=r"vectors of 5 words and not the words.*--vocabulary"):
        model.encode_text(["chop"])


def refused(tmp_path: Path, weights: dict[str, torch.Tensor], **options: Any) -> str:
    path = files.write(tmp_path / "x.pth", files.vttwins(weights))
    with pytest.raises(CheckpointError) as caught:
        convert(path, tmp_path / "refused", **options)
    assert not (tmp_path / "refused").exists()
    return str(caught.value)


def test_missing_extra_and_reshaped_weights_are_each_reported(tmp_path: Path) -> None:
    weights = dict(files.s3d_weights())
    del weights["fc.bias"], weights["mixed_3b.conv_b0.bn1.num_batches_tracked"]
    weights["classifier.weight"] = torch.ones(2)
    weights["conv_2b.bn1.weight"] = torch.ones(3)
    message = refused(tmp_path, weights)
    assert "534 matched: " in message
    assert "1 missing: video_encoder.fc.bias\n" in message
    assert "1 unexpected: video_encoder.classifier.weight\n" in message
    assert "1 reshaped: video_encoder.conv_2b.bn1.weight: (3,) in the file, (64,)" in message


def test_what_is_missing_may_be_allowed_by_prefix(tmp_path: Path) -> None:
    weights = dict(files.s3d_weights())
    del weights["fc.bias"], weights["fc.weight"]
    weights["classifier.weight"] = torch.ones(2)
    allowed = ["video_encoder.fc"]
    assert "2 missing" in refused(tmp_path, weights, allow_missing=allowed)  # one is left over
    allowed.append("video_encoder.classifier")
    path = files.write(tmp_path / "y.pth", files.vttwins(weights))
    # the width of the text tower still says how wide a vector is
    report = convert(path, tmp_path / "model", allow_missing=allowed).report
    assert report.missing == ["video_encoder.fc.weight", "video_encoder.fc.bias"]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["source"]["missing"] == report.missing
    assert load_learner(tmp_path / "model").video_encoder.dim == 8


def test_other_words_than_the_vectors_are_refused(tmp_path: Path) -> None:
    words = files.write_words(tmp_path / "dict.npy", ["too", "few"])
    message = refused(tmp_path, files.s3d_weights(), vocabulary=words)
    assert "text_encoder.word_embd.weight: (6, 6) in the file, (3, 6) in the model" in message
    assert "its authors' dict.npy, by --vocabulary" in message


def test_files_are_looked_for_first(tmp_path: Path) -> None:
    path = files.write(tmp_path / "x.pth", {"a": torch.ones(1)})
    with pytest.raises(ArgumentError, match=r"exists already"):
        convert(path, tmp_path)
    with pytest.raises(ArgumentError, match=r"--vocabulary .*no\.npy: there is no such file"):
        convert(path, tmp_path / "model", vocabulary=tmp_path / "no.npy")
    with pytest.raises(CheckpointError, match="is not a published checkpoint"):
        convert(path, tmp_path / "model")
    own = files.write(tmp_path / "own.ckpt", {"hyper_parameters": {}, "state_dict": {}})
    with pytest.raises(CheckpointError, match="--weights open checkpoints of vtlearn as they are"):
        convert(own, tmp_path / "model")


def test_names_to_allow_leave_the_check_of_all_others_on(tmp_path: Path) -> None:
    weights = dict(files.s3d_weights())
    del weights["fc.bias"], weights["gating.fc.bias"], weights["gating.fc.weight"]
    weights["queue"] = torch.ones(2)
    names = ["video_encoder.gating", "video_encoder.fc.bias", "video_encoder.queue"]
    message = refused(tmp_path, weights)
    assert message.endswith(f"missing or left over: --allow-missing {' '.join(names)}")
    path = files.write(tmp_path / "y.pth", files.vttwins(weights))
    assert len(convert(path, tmp_path / "model", allow_missing=names).report.missing) == 3
    assert "1 missing: video_encoder.conv1.bn1.bias\n" in refused(
        tmp_path,
        {k: v for k, v in files.s3d_weights().items() if k != "conv1.bn1.bias"},
        allow_missing=names,
    )
