"""Captioners small enough for a test: of our own, of transformers, and one that is told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.heads import S2DTW, CaptioningDecoder, Head, TextDecoder
from vtlearn.learner import VideoTextLearner
from vtlearn.pseudolabel import FrameCaptioner

WORDS = ["a", "person", "is", "chopping", "stirring", "the", "carrot", "egg", "pan"]
TEXTS = ["a person is chopping the carrot", "a person is stirring the egg", "the pan is a pan"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Brightness(FrameCaptioner):
    """Says how bright a frame is; how likely a text is depends on both."""

    size, name = 8, "brightness"

    def captions(self, frames: Tensor) -> list[str]:
        levels = frames.float().mean((1, 2, 3)).tolist()
        return [f"a room of brightness {round(level / 16)}" for level in levels]

    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Tensor:
        levels = frames.float().mean((1, 2, 3)) / 16
        said = torch.tensor([float(text.split()[-1]) for text in texts])
        return -(levels[:, None] - said).abs()


class Particular(Brightness):
    """Wants to be told something."""

    def __init__(self, where: str) -> None:
        self.where = where


class Unsized(FrameCaptioner):
    """Does not say which pictures it takes."""

    def captions(self, frames: Tensor) -> list[str]:
        return [""] * len(frames)


class WideAsText(Brightness):
    size = "224"  # type: ignore[assignment]


class Numbered(Brightness):
    name = 7  # type: ignore[assignment]


class Failing(Brightness):
    """Lacks what it needs."""

    def __init__(self) -> None:
        message = "no weights"
        raise ValueError(message)


def captioner_checkpoint(path: Path) -> Path:
    """Save a captioner of untrained weights."""
    torch.manual_seed(0)
    decoder = TextDecoder(width=16, layers=1, heads=2, dropout=0.0, max_words=8)
    learner = learner_of(CaptioningDecoder(decoder, beams=2, max_new=8), None)
    learner.head.build(TEXTS * 4)
    return save(learner, path)


def aligner_checkpoint(path: Path) -> Path:
    """Save an aligner of untrained weights."""
    torch.manual_seed(0)
    text_encoder = TinyText(dim=8, width=8, hidden=8, vocab_size=60)
    text_encoder.build(TEXTS * 4)
    return save(learner_of(S2DTW(), text_encoder), path)


def learner_of(head: Head, text_encoder: TinyText | None) -> VideoTextLearner:
    video_encoder = TinyVideo(dim=8, num_frames=2, size=16, width=4)
    return VideoTextLearner(video_encoder, text_encoder, head)


def save(learner: VideoTextLearner, path: Path) -> Path:
    content = {"state_dict": learner.state_dict(), "hyper_parameters": dict(learner.hparams)}
    torch.save(content, path)
    return path


def write_tokenizer(folder: Path, pieces: Sequence[str]) -> None:
    from transformers import BertTokenizerFast  # type: ignore[attr-defined]

    BertTokenizerFast(vocab={piece: n for n, piece in enumerate(pieces)}).save_pretrained(folder)


def write_processor(folder: Path, size: Any) -> None:
    content = {"size": size, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(content))


def blip_folder(folder: Path) -> Path:
    """Save a tiny BLIP of random weights, as it would come from the hub."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    pieces = [*SPECIAL, *WORDS, "[DEC]"]
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = BlipConfig(
        text_config={
            **sizes,
            "num_hidden_layers": 1,
            "vocab_size": len(pieces),
            "encoder_hidden_size": 16,
            "max_position_embeddings": 64,
            "bos_token_id": len(pieces) - 1,
            "sep_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config={**sizes, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
        projection_dim=16,
        image_text_hidden_size=16,
    )
    torch.manual_seed(0)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    write_tokenizer(folder, pieces)
    write_processor(folder, {"height": 32, "width": 32})
    return folder


def git_folder(folder: Path) -> Path:
    """Save a tiny GIT of random weights."""
    from transformers import GitConfig, GitForCausalLM

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_attention_heads": 2,
    }
    vision = {**sizes, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16}
    config = GitConfig(
        vision_config=vision,
        **sizes,
        num_hidden_layers=1,
        vocab_size=len(SPECIAL) + len(WORDS),
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    GitForCausalLM(config).save_pretrained(folder)
    write_tokenizer(folder, [*SPECIAL, *WORDS])
    write_processor(folder, {"shortest_edge": 32})
    return folder


def vit_gpt2_folder(folder: Path) -> Path:
    """Save a tiny ViT-GPT2 of random weights."""
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
    )

    vision = ViTConfig(
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=1,
        image_size=32,
        patch_size=16,
    )
    text = GPT2Config(
        n_embd=16,
        n_head=2,
        n_layer=1,
        n_positions=64,
        vocab_size=len(SPECIAL) + len(WORDS),
        bos_token_id=2,
        eos_token_id=3,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, text)
    config.decoder_start_token_id, config.pad_token_id = 2, 0
    torch.manual_seed(0)
    VisionEncoderDecoderModel(config=config).save_pretrained(folder)
    write_tokenizer(folder, [*SPECIAL, *WORDS])
    write_processor(folder, 32)
    return folder


def clip_folder(folder: Path) -> Path:
    """Save a tiny CLIP of random weights."""
    from transformers import CLIPConfig, CLIPModel

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    pieces = [*SPECIAL, *WORDS]
    config = CLIPConfig(
        text_config={
            **sizes,
            "num_hidden_layers": 1,
            "vocab_size": len(pieces),
            "max_position_embeddings": 32,
            "eos_token_id": 3,
            "bos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={**sizes, "num_hidden_layers": 1, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    write_tokenizer(folder, pieces)
    write_processor(folder, {"shortest_edge": 32})
    return folder
