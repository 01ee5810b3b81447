import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from tests.pseudolabel.models import (
    TEXTS,
    WORDS,
    blip_folder,
    clip_folder,
    git_folder,
    vit_gpt2_folder,
    write_processor,
)
from vtlearn.errors import ArgumentError
from vtlearn.pseudolabel.pretrained import PretrainedCaptioner, open_pretrained, read_pixels

CPU = torch.device("cpu")
KINDS: dict[str, Callable[[Path], Path]] = {
    "blip": blip_folder,
    "git": git_folder,
    "vit_gpt2": vit_gpt2_folder,
}


@pytest.fixture(scope="module", params=KINDS)
def captioner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PretrainedCaptioner:
    folder = KINDS[request.param](tmp_path_factory.mktemp("models") / request.param)
    opened = open_pretrained(str(folder), CPU)
    torch.manual_seed(1)
    for weight in opened._model.parameters():  # so that pictures and words matter
        weight.data += 0.5 * torch.randn_like(weight)
    return opened


@pytest.fixture(scope="module")
def frames() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=generator)


def test_what_is_written_has_words_alone(captioner: PretrainedCaptioner, frames: Tensor) -> None:
    captions = captioner.captions(captioner.encode(frames))
    assert len(captions) == 3
    assert {word for caption in captions for word in caption.split()} <= set(WORDS)
    assert captioner.captions(captioner.encode(frames[:0])) == []


def test_a_picture_has_the_caption_that_it_has_alone(
    captioner: PretrainedCaptioner, frames: Tensor
) -> None:
    together = captioner.captions(captioner.encode(frames))
    alone = [captioner.captions(captioner.encode(frames[i : i + 1]))[0] for i in range(3)]
    assert together == alone


def published_loss(model: Any, pixels: Tensor, ids: Tensor) -> float:
    """What transformers trains with: cross-entropy of each piece after those before it."""
    name = type(model).__name__
    if name.startswith("Blip"):
        seen = model.vision_model(pixel_values=pixels)[0]
        logits = model.text_decoder(input_ids=ids, encoder_hidden_states=seen).logits
    elif name.startswith("Git"):
        logits = model(pixel_values=pixels, input_ids=ids).logits[:, -ids.shape[1] :]
    else:
        logits = model(pixel_values=pixels, decoder_input_ids=ids).logits
    return float(functional.cross_entropy(logits[0, :-1], ids[0, 1:]))


@torch.no_grad()
def test_likelihoods_are_those_of_one_text_alone(
    captioner: PretrainedCaptioner, frames: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtlearn.pseudolabel.pretrained._ROWS", 4)  # blocks that end amid a picture
    found = captioner.log_likelihood(captioner.encode(frames), [*TEXTS, ""])
    assert found.shape == (3, 4)
    assert found.isfinite().all()
    for picture in range(3):
        pixels = captioner._pixels(frames[picture : picture + 1])
        for number, text in enumerate(TEXTS):
            ids = torch.tensor([captioner._pieces(text)])
            wanted = -published_loss(captioner._model, pixels, ids)
            assert math.isclose(float(found[picture, number]), wanted, rel_tol=1e-4)
    assert not torch.allclose(found[0], found[1])
    assert captioner.log_likelihood(captioner.encode(frames), []).shape == (3, 0)


def test_blip_predicts_what_its_own_loss_does(tmp_path: Path, frames: Tensor) -> None:
    captioner = open_pretrained(str(blip_folder(tmp_path / "blip")), CPU)
    ids = torch.tensor([captioner._pieces(TEXTS[0])])
    pixels = captioner._pixels(frames[:1])
    with torch.no_grad():
        found = captioner.log_likelihood(captioner.encode(frames[:1]), TEXTS[:1])
        model = captioner._model
        logits = model(pixel_values=pixels, input_ids=ids, labels=ids).logits
    wanted = -functional.cross_entropy(logits[0, :-1], ids[0, 1:])
    torch.testing.assert_close(found[0, 0], wanted)


def test_pictures_are_scaled_as_the_processor_says(tmp_path: Path) -> None:
    write_processor(tmp_path, {"shortest_edge": 32})
    size, pixels = read_pixels(str(tmp_path))
    assert size == 32
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    assert pixels(white).unique().tolist() == [2.0]  # (1 - 0.5) / 0.25
    content = '{"size": {"shortest_edge": 40}, "do_center_crop": true, "crop_size": 36}'
    (tmp_path / "preprocessor_config.json").write_text(content)
    assert read_pixels(str(tmp_path))[0] == 36


def test_a_model_that_wants_a_prompt_is_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    with pytest.raises(ArgumentError, match="of model type clip, which does not caption a picture"):
        open_pretrained(str(folder), CPU)


def test_a_folder_that_lacks_a_file_is_named(tmp_path: Path) -> None:
    folder = blip_folder(tmp_path / "blip")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ArgumentError, match=f"captioner: {folder} cannot be read"):
        open_pretrained(str(folder), CPU)
    write_processor(folder, {"height": 32, "width": 48})
    with pytest.raises(ArgumentError, match="they have to be squares"):
        open_pretrained(str(folder), CPU)


def test_a_hub_out_of_reach_names_the_folder_that_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ArgumentError, match="set captioner to the folder that they are in"
    ) as found:
        open_pretrained("nobody/no-such-captioner", CPU)
    assert (
        "preprocessor_config.json, tokenizer_config.json and tokenizer.json (or vocab.txt, or "
        in str(found.value)
    )


def test_weights_that_are_missing_are_not_drawn_by_chance(tmp_path: Path) -> None:
    folder = blip_folder(tmp_path / "blip")
    weights = load_file(folder / "model.safetensors")
    gone = "text_decoder.bert.embeddings.LayerNorm.weight"
    left = {name: value for name, value in weights.items() if name != gone}
    save_file(left, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArgumentError, match=f"captioner: .* lack 1 weights .* {gone}"):
        open_pretrained(str(folder), CPU)
