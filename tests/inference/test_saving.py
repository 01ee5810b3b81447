import json
from pathlib import Path

import pytest
import torch

from tests.inference.models import CLIPS, WORDS, tiny_aligner, tiny_writer
from vtlearn.encoders.text import Word2Vec
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import S2DTW
from vtlearn.inference import Model, load
from vtlearn.inference.saving import model_configs
from vtlearn.learner import VideoTextLearner


def test_a_folder_is_the_model(tmp_path: Path) -> None:
    model = tiny_aligner()
    model.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    assert torch.equal(again.encode_text(WORDS), model.encode_text(WORDS))
    assert again.learner.clips == CLIPS
    again.save_pretrained(tmp_path / "again")
    assert load(tmp_path / "again").sha256 == again.sha256
    state = model.learner.state_dict()
    assert again.learner.state_dict().keys() == state.keys()
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        *("config.json", "model.safetensors", "vocabulary.json"),
    ]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["source"] == {"saved_from": "tiny"}


def test_a_writer_whose_weights_are_tied_is_saved_whole(tmp_path: Path) -> None:
    model = tiny_writer(tmp_path)
    model.save_pretrained(tmp_path / "model")
    again = load(tmp_path / "model")
    for name, value in model.learner.state_dict().items():
        assert torch.equal(again.learner.state_dict()[name], value)


def test_words_travel_and_their_files_do_not(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("chop\nstir\n")
    text_encoder = Word2Vec(str(words), dim=8, hidden=8, embedding_dim=4)
    learner = VideoTextLearner(TinyVideo(dim=8, size=16, width=4), text_encoder, S2DTW())
    learner.clips = CLIPS
    model = Model(learner)
    assert "vocabulary" not in model_configs(learner)["text_encoder"]["init_args"]
    model.save_pretrained(tmp_path / "model")
    words.unlink()
    again = load(tmp_path / "model")
    assert torch.equal(again.encode_text(["chop"]), model.encode_text(["chop"]))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    model = tiny_aligner()
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(ArgumentError, match="exists already"):
        model.save_pretrained(tmp_path / "model")
