from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.encoders.bert_by_hand import bert_by_hand, linear, norm, scrambled
from vtlearn.encoders.text.bert import Bert
from vtlearn.encoders.video.videoclip import VideoCLIP

SMALL: dict[str, Any] = {
    "width": 8,
    "input_dim": 4,
    "num_frames": 32,
    "layers": 2,
    "heads": 2,
    "feedforward": 12,
    "vocab_size": 110,
    "max_positions": 40,
}


def small(**options: Any) -> VideoCLIP:
    torch.manual_seed(0)
    encoder = VideoCLIP(**SMALL | options)
    scrambled(encoder)
    return encoder.eval()


def clips(count: int = 3, frames: int = 32, dim: int = 4) -> Tensor:
    return torch.randn(count, frames, dim, generator=torch.Generator().manual_seed(1))


def by_hand(encoder: VideoCLIP, clip: Tensor, sep_position: int = 33) -> tuple[Tensor, Tensor]:
    """The published sequence in full: what does not count is zeros, and masked."""
    weights = encoder.state_dict()
    hidden = functional.gelu(linear(weights, "videomlp.linear1", clip))
    body = linear(weights, "videomlp.linear2", norm(weights, "videomlp.LayerNorm", hidden, 1e-5))
    words = weights["bert.embeddings.word_embeddings.weight"]
    missing = sep_position - 1 - len(clip)
    x = torch.cat([words[101:102], body, body.new_zeros(missing, 8), words[102:103]])
    counted = [encoder.see_cls, *[True] * len(clip), *[False] * missing, True]
    positions = [*range(sep_position), sep_position]
    hidden = bert_by_hand(weights, x, positions, torch.tensor(counted), heads=2)
    tokens = hidden[1 : 1 + len(clip)]
    return torch.cat([tokens, hidden[-1:]]).mean(0), tokens


@pytest.mark.parametrize("see_cls", [True, False])
def test_it_is_the_published_transformer(see_cls: bool) -> None:
    encoder, video = small(see_cls=see_cls), clips(32)
    pooled, tokens, _ = encoder(video, torch.arange(1, 33))
    for index, clip in enumerate(video):
        wanted, frames = by_hand(encoder, clip[: index + 1])
        torch.testing.assert_close(pooled[index], wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(tokens[index, : index + 1, 0], frames, rtol=1e-5, atol=1e-5)
        assert (tokens[index, index + 1 :] == 0).all()


def test_parameters_have_the_published_names_and_number() -> None:
    with torch.device("meta"):
        video, text = VideoCLIP(), Bert(vocab_size=30522)

    def count(module: nn.Module) -> int:
        return sum(one.numel() for one in module.parameters())

    assert (count(video.bert), count(video.videomlp), count(text)) == (
        66_955_008,
        986_112,
        109_482_240,
    )
    assert count(video) + count(text) == 177_423_360
    norms = [
        module
        for encoder in (video, text)
        for name, module in encoder.named_modules()
        if name.endswith("LayerNorm")
    ]
    assert (len(norms), sum(count(one) for one in norms)) == (39, 59_904)
    assert {name.split(".")[0] for name, _ in video.named_parameters()} == {"bert", "videomlp"}
