import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, OPTConfig, OPTForCausalLM

from tests.heads.published_opt import SIZES, publish
from vtlearn.encoders.hub import UnreadableWeightsError
from vtlearn.errors import ArgumentError
from vtlearn.heads.opt_weights import read_published


def test_weights_are_read_in_float32(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    wanted: Any = OPTForCausalLM.from_pretrained(folder)
    found = read_published(str(folder))
    assert found.pieces is not None
    assert found.model.config.layerdrop == 0
    for name, value in wanted.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value.float()), name
        assert found.model.state_dict()[name].dtype == torch.float32


def test_a_folder_may_have_no_tokenizer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = publish(tmp_path, tokenizer=False)
    with caplog.at_level(logging.WARNING):
        assert read_published(str(folder)).pieces is None
    assert "has no tokenizer" in caplog.text


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ArgumentError, match="are of model type bert, expected opt"):
        read_published(str(tmp_path))


def test_weights_that_lack_some_are_refused(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    OPTConfig(**(SIZES | {"num_hidden_layers": 3})).save_pretrained(folder)
    with pytest.raises(ArgumentError, match=r"lack 16 weights of OPTForCausalLM, .* model\.dec"):
        read_published(str(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.json"])
def test_a_damaged_file_is_told(name: str, tmp_path: Path) -> None:
    (publish(tmp_path) / name).write_bytes(b"{")
    with pytest.raises(UnreadableWeightsError, match=r"cannot be read \(.*merges\.txt"):
        read_published(str(tmp_path))
