import json
import logging
import pickle
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from huggingface_hub import constants
from transformers import TimesformerConfig, TimesformerModel

from vtlearn.encoders.hub import UnreadableWeightsError, read_config, read_model, read_tokenizer
from vtlearn.errors import ArgumentError
from vtlearn.parameters import weights_follow

NAME = "facebook/timesformer-base-finetuned-k400"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sizes: dict[str, Any] = {"image_size": 16, "hidden_size": 8, "intermediate_size": 8}
    config = TimesformerConfig(**sizes, num_hidden_layers=1, num_attention_heads=2)
    model: Any = TimesformerModel(config)
    model.half().save_pretrained(tmp_path)
    return tmp_path


def read(folder: Path) -> Any:
    config = read_config(TimesformerConfig, str(folder))
    return read_model(TimesformerModel, str(folder), config)


def test_a_folder_is_read_in_torchs_default_dtype(folder: Path) -> None:
    one = read(folder)
    other: Any = TimesformerModel.from_pretrained(folder)
    assert one.training
    assert one.dtype == torch.float32
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, other.float().get_parameter(name))


def test_weights_of_another_model_are_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    with pytest.raises(ArgumentError, match="are of model type bert, expected timesformer"):
        read(folder)


def test_weights_that_lack_some_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["layernorm.bias"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnreadableWeightsError, match=r"lack 1 weights .* example layernorm\.bias"):
        read(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"{", b""], ids=["absent", "damaged", "empty"])
def test_a_folder_that_cannot_be_read_says_what_belongs_there(
    folder: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(
        UnreadableWeightsError, match=r"cannot be read \(.+\); expected a folder with config\.json"
    ):
        read(folder)


@pytest.mark.parametrize("weights", ["/no/such", "./absent", "~/absent", "a/b/c", "..\\absent"])
def test_a_path_is_not_looked_for_on_the_hub(weights: str) -> None:
    with pytest.raises(UnreadableWeightsError, match="is not a directory; give a folder with"):
        read_config(TimesformerConfig, weights)


def test_nothing_is_read_where_a_checkpoint_brings_the_weights(folder: Path) -> None:
    with weights_follow(), pytest.raises(UnreadableWeightsError, match="checkpoint was to bring"):
        read(folder)
    with weights_follow(False):
        assert read(folder).training


def test_attempts_to_reach_the_hub_are_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def attempt(_: str) -> NoReturn:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        message = "no network"
        raise OSError(message)

    monkeypatch.setattr(TimesformerConfig, "get_config_dict", attempt)
    level = logging.getLogger("huggingface_hub").level
    caplog.set_level(logging.INFO, "vtlearn")
    with pytest.raises(UnreadableWeightsError, match=r"hub \(no network\): download"):
        read_config(TimesformerConfig, NAME)
    assert caplog.messages == [f"looking for {NAME} on the Hugging Face hub"]
    assert logging.getLogger("huggingface_hub").level == level


def test_a_hub_out_of_reach_names_the_folder_that_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UnreadableWeightsError) as caught:
        read_config(TimesformerConfig, NAME)
    message = str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301
    assert "download config.json and model.safetensors (or pytorch_model.bin) from ht" in message
    assert f"https://huggingface.co/{NAME}" in message
    assert message.endswith("and set weights to the folder that they are in")


def test_a_message_names_the_files_that_are_read() -> None:
    files = "config.json, model.safetensors and preprocessor_config.json"
    with pytest.raises(UnreadableWeightsError, match=f"give a folder with {files}, or a name on"):
        read_config(TimesformerConfig, "./absent", files=files)
    with pytest.raises(UnreadableWeightsError, match=f"give a folder with {files}, or a name on"):
        read_model(TimesformerModel, "./absent", None, files=files)
    with pytest.raises(
        UnreadableWeightsError, match=r"vocab\.json and merges\.txt \(or tokenizer\."
    ):
        read_tokenizer("./absent")
