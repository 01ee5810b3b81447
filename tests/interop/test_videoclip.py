from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop import files
from vtlearn.checkpoints import load_learner
from vtlearn.encoders.text import Bert
from vtlearn.encoders.video import VideoCLIP
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import InfoNCE
from vtlearn.hyperparameters import to_config
from vtlearn.interop.conversion import convert
from vtlearn.interop.reading import find_weights
from vtlearn.interop.videoclip import recognizes, translate
from vtlearn.interop.weights import load_weights, read_weights

SIZES: dict[str, Any] = {"width": 64, "feedforward": 32, "max_positions": 64}


def ours(name: str) -> str:
    """The name a weight of the authors' has in a learner."""
    return name.replace("text_encoder.", "text_encoder.bert.")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint_best.pt and a vocab.txt."""
    root = tmp_path_factory.mktemp("published")
    files.write(root / "checkpoint_best.pt", files.videoclip())
    files.write_pieces(root / "vocab.txt")
    return root


def test_the_model_is_read_off_the_weights() -> None:
    file = find_weights(Path("x.pt"), files.videoclip())
    assert recognizes(file)
    assert not recognizes(find_weights(Path("x"), files.milnce()))
    published = translate(file)
    video, text, head = published.video_encoder(), published.text_encoder(), published.head()
    assert isinstance(video, VideoCLIP)
    wanted = {**SIZES, "layers": 2, "heads": 1, "input_dim": 12, "num_frames": 32}
    assert wanted.items() <= to_config(video)["init_args"].items()
    assert isinstance(text, Bert)
    assert {**SIZES, "layers": 3, "max_words": 61}.items() <= to_config(text)["init_args"].items()
    assert isinstance(head, InfoNCE)
    assert (head.normalize, head.temperature) == (False, 1.0)
    assert published.dropped == [
        "video_encoder.bert.embeddings.position_ids",
        "text_encoder.bert.embeddings.position_ids",
    ]


def test_published_sizes_are_those_of_bert_base() -> None:
    with torch.device("meta"):
        video, text = VideoCLIP(), Bert(vocab_size=30522)
    parts = {"video_encoder.": video, "text_encoder.": text}
    weights = {
        f"{part}{name.removeprefix('bert.') if part == 'text_encoder.' else name}": value
        for part, encoder in parts.items()
        for name, value in encoder.state_dict().items()
        if "extra" not in name
    }
    assert sum(value.numel() for value in weights.values()) == 177_423_360
    published = translate(find_weights(Path("x"), {"model": files.under("mmmodel.", weights)}))
    with torch.device("meta"):
        encoders = published.video_encoder(), published.text_encoder()
    shapes = {ours(name): value.shape for name, value in weights.items()}
    for part, encoder in zip(parts, encoders, strict=True):
        for name, value in encoder.state_dict().items():
            assert "extra" in name or shapes.pop(f"{part}{name}") == value.shape
    assert shapes == {}


@pytest.mark.parametrize("half", [False, True])
def test_every_weight_comes_back_bit_for_bit(half: bool, published: Path, tmp_path: Path) -> None:
    content: Any = files.videoclip()
    weights = content["model"]
    if half:  # as fairseq saves them
        content["model"] = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    path = files.write(tmp_path / "checkpoint_best.pt", content)
    done = convert(path, tmp_path / "model", vocabulary=published / "vocab.txt")
    assert done.has_words
    assert len(done.report.dropped) == 2
    model = load_learner(tmp_path / "model")
    state = model.state_dict()
    assert state.pop("text_encoder._extra_state") == files.PIECES
    assert state.keys() == {ours(name) for name in files.videoclip_weights()}
    for name, value in files.videoclip_weights().items():
        wanted = value.half().float() if half else value
        assert torch.equal(state[ours(name)], wanted)
    assert model.encode_text(["chop the carrots"]).shape == (1, 64)


def test_old_names_of_layer_norms(tmp_path: Path) -> None:
    content = files.videoclip()
    for name in [name for name in content["model"] if ".LayerNorm." in name]:
        old = name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
        content["model"][old] = content["model"].pop(name)
    path = files.write(tmp_path / "x.pt", content)
    assert convert(path, tmp_path / "model").report.complete()


def test_without_the_vocabulary_it_is_said_where_it_is_had(published: Path, tmp_path: Path) -> None:
    assert not convert(published / "checkpoint_best.pt", tmp_path / "model").has_words
    model = load_learner(tmp_path / "model")
    with pytest.raises(ArgumentError, match="bert-base-uncased"):
        model.encode_text(["chop"])


def test_weights_of_another_size_name_the_arguments(published: Path) -> None:
    weights = read_weights(published / "checkpoint_best.pt")
    video = VideoCLIP(input_dim=12, layers=1, heads=2, vocab_size=len(files.PIECES), **SIZES)
    text = Bert(str(published / "vocab.txt"), layers=3, heads=1, **SIZES)
    with pytest.raises(CheckpointError, match=r"--model\.video_encoder\.init_args\.layers 2$"):
        load_weights(weights, video, text, InfoNCE())
    video = VideoCLIP(input_dim=12, layers=2, heads=2, vocab_size=len(files.PIECES), **SIZES)
    report, remarks = load_weights(weights, video, text, InfoNCE())
    assert report.complete()
    assert remarks == ["video_encoder: heads is 2, the weights were trained with 1"]


def test_a_folder_without_words_asks_for_them_and_says_what_is_not_there(
    published: Path, tmp_path: Path
) -> None:
    convert(published / "checkpoint_best.pt", tmp_path / "model")
    weights = read_weights(tmp_path / "model")
    video = VideoCLIP(input_dim=12, layers=2, heads=1, vocab_size=len(files.PIECES), **SIZES)
    for named, said in ((None, "$"), ("nope.txt", r" \(nope\.txt is not there\)$")):
        text = Bert(named, layers=3, heads=1, **SIZES)  # a table of 4,000 words
        with pytest.raises(CheckpointError, match=rf"vocabulary FILE, the words .*{said}"):
            load_weights(weights, video, text, InfoNCE())
