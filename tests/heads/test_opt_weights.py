import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, OPTConfig, OPTForCausalLM

from tests.heads.published_opt import SIZES, publish
from vtlearn.errors import ArgumentError
from vtlearn.heads.opt_weights import UnreachableError, read_published


def test_weights_are_read_in_float32(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    wanted: Any = OPTForCausalLM.from_pretrained(folder)
    found = read_published(str(folder), download=True)
    assert found.pieces is not None
    assert found.model.config.layerdrop == 0
    for name, value in wanted.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value.float()), name
        assert found.model.state_dict()[name].dtype == torch.float32


def test_a_folder_may_have_no_tokenizer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = publish(tmp_path, tokenizer=False)
    with caplog.at_level(logging.WARNING):
        assert read_published(str(folder), download=True).pieces is None
    assert "has no tokenizer" in caplog.text


def test_what_is_not_there_is_said_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"not a folder, and the hub .*vocab\.json") as info:
        read_published("authors/model", download=False)
    assert "https://huggingface.co/facebook/opt-125m" in str(info.value)
    assert isinstance(pickle.loads(pickle.dumps(info.value)), ArgumentError)  # noqa: S301
    with pytest.raises(UnreachableError, match=r"cannot be read: the folder has to have config"):
        read_published(str(tmp_path), download=True)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ArgumentError, match="are of bert, not of opt"):
        read_published(str(tmp_path), download=True)


def test_weights_that_lack_some_are_refused(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    OPTConfig(**(SIZES | {"num_hidden_layers": 3})).save_pretrained(folder)
    with pytest.raises(ArgumentError, match=r"lack 16 of OPT's weights, for example model\.dec"):
        read_published(str(folder), download=True)
