"""Published checkpoints of random weights: S3D at its size, for it has no other, the rest small."""

from argparse import Namespace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtlearn.encoders.text import Bert, Word2Vec
from vtlearn.encoders.video import S3D, VideoCLIP
from vtlearn.encoders.video.s3d import Stem

__all__: list[str] = []

WORDS = ["chop", "the", "carrot", "Fry", "egg"]


@cache
def s3d_weights(stem: Stem = "plain") -> dict[str, Tensor]:
    """S3D and its text tower under the authors' names, 8 wide and with few words."""
    torch.manual_seed(0)
    video, text = S3D(dim=8, stem=stem), Word2Vec(dim=8, hidden=16, embedding_dim=6)
    text.build([" ".join(WORDS)])
    for name, value in video.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5)
    named = {k: v for k, v in text.state_dict().items() if k != "_extra_state"}
    return video.state_dict() | {f"text_module.{name}": value for name, value in named.items()}


def under(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in weights.items()}


def vttwins(weights: dict[str, Tensor] | None = None) -> dict[str, Any]:
    return under("module.", s3d_weights() if weights is None else weights)


def milnce(weights: dict[str, Tensor] | None = None) -> dict[str, Any]:
    return {"epoch": 3, "state_dict": vttwins(weights), "optimizer": {"state": {}}}


def s3d(weights: dict[str, Tensor] | None = None) -> dict[str, Any]:
    return dict(s3d_weights("space_to_depth") if weights is None else weights)


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def write_words(path: Path, words: list[str] | None = None) -> Path:
    """A ``dict.npy``."""
    np.save(path, np.array(WORDS if words is None else words))
    return path


#: Pieces of words; the places of [CLS] and [SEP] are bert-base-uncased's.
PIECES = [
    *("[PAD]", "[UNK]", "chop", "the", "carrot", "egg"),
    *(f"[unused{number}]" for number in range(95)),
    *("[CLS]", "[SEP]", "[MASK]", "##s"),
]


@cache
def videoclip_weights() -> dict[str, Tensor]:
    """VideoCLIP's two encoders under the authors' names, 64 wide."""
    torch.manual_seed(0)
    sizes: dict[str, int] = {"width": 64, "heads": 1, "feedforward": 32, "max_positions": 64}
    video = VideoCLIP(input_dim=12, layers=2, vocab_size=len(PIECES), **sizes)  # type: ignore[arg-type]
    text = Bert(layers=3, vocab_size=len(PIECES), **sizes)  # type: ignore[arg-type]
    named = {k.removeprefix("bert."): v for k, v in text.state_dict().items() if "extra" not in k}
    return under("video_encoder.", video.state_dict()) | under("text_encoder.", named)


class Options:
    """What fairseq pickles beside the weights, which no reader of plain values knows."""

    def __init__(self) -> None:
        self.lr = 1e-4


def write_pieces(path: Path) -> Path:
    """A ``vocab.txt``."""
    path.write_text("\n".join(PIECES) + "\n")
    return path


def videoclip() -> dict[str, Any]:
    """A ``checkpoint_best.pt``, with the buffers that old versions of transformers saved."""
    ids = torch.arange(64)[None]
    buffers = {
        "video_encoder.bert.embeddings.position_ids": ids,
        "text_encoder.embeddings.position_ids": ids,
    }
    return fairseq({**videoclip_weights(), **buffers})


def fairseq(weights: dict[str, Tensor], options: Any = None) -> dict[str, Any]:
    """Weights as fairseq keeps them."""
    args = Namespace(lr=1e-4) if options is None else options
    return {"args": args, "model": under("mmmodel.", weights), "last_optimizer_state": None}
