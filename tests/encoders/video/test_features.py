import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.media.features.stores import fill_store
from vtlearn.encoders.video.features import CachedFeatures
from vtlearn.errors import ArgumentError
from vtlearn.media.features.reader import FeatureReader

SMALL: dict[str, Any] = {"dim": 6, "input_dim": 4, "num_frames": 5, "width": 8, "heads": 2}


def small(**options: Any) -> CachedFeatures:
    torch.manual_seed(0)
    return CachedFeatures(**SMALL | options).eval()


def clips(count: int = 3, frames: int = 5, dim: int = 4) -> Tensor:
    return torch.randn(count, frames, dim, generator=torch.Generator().manual_seed(1))


def twin(encoder: CachedFeatures, frames: Tensor) -> Tensor:
    """Clip by clip and head by head, from the weights alone."""
    weights = encoder.state_dict()

    def linear(x: Tensor, name: str) -> Tensor:
        moved: Tensor = x @ weights[f"{name}weight"].T + weights[f"{name}bias"]
        return moved

    def norm(x: Tensor, name: str) -> Tensor:
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        normal: Tensor = x * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return normal

    pooled = []
    for clip in frames:
        x = linear(clip, "project.") + weights["positions"][: len(clip)]
        for number in range(len(encoder.layers)):
            name = f"layers.{number}"
            parts = linear(norm(x, f"{name}.norm1"), f"{name}.self_attn.in_proj_").chunk(3, -1)
            read = []
            for head in range(2):
                query, key, value = (part[:, 4 * head : 4 * head + 4] for part in parts)
                read.append((query @ key.T / math.sqrt(4)).softmax(-1) @ value)
            x = x + linear(torch.cat(read, -1), f"{name}.self_attn.out_proj.")
            inner = functional.gelu(linear(norm(x, f"{name}.norm2"), f"{name}.linear1."))
            x = x + linear(inner, f"{name}.linear2.")
        pooled.append(linear(norm(x, "norm").mean(0), "fc."))
    return torch.stack(pooled)


@pytest.mark.parametrize("frames", [5, 2])
def test_it_is_the_transformer_it_says_it_is(frames: int) -> None:
    encoder = small(layers=2).double()
    video = clips(frames=frames).double()
    torch.testing.assert_close(encoder(video).pooled, twin(encoder, video))


def test_without_layers_it_is_a_matrix() -> None:
    encoder, video = small(layers=0), clips()
    matrix = encoder.fc.weight @ encoder.project.weight
    shift = encoder.fc.weight @ encoder.project.bias + encoder.fc.bias
    torch.testing.assert_close(encoder(video).pooled, video.mean(1) @ matrix.T + shift)
    torch.testing.assert_close(encoder(video.flip(1)).pooled, encoder(video).pooled)


def test_with_layers_order_counts() -> None:
    encoder, video = small(layers=1), clips()
    assert (encoder(video.flip(1)).pooled - encoder(video).pooled).abs().max() > 1e-3


def test_shapes() -> None:
    encoded = small()(clips(3, 4))
    assert encoded.pooled.shape == (3, 6)
    assert encoded.tokens.shape == (3, 4, 1, 8)


@pytest.mark.parametrize("layers", [0, 2])
def test_a_shorter_clip_is_the_cut_clip(layers: int) -> None:
    encoder, video = small(layers=layers).double(), clips().double()
    lengths = [2, 5, 4]
    pooled = encoder(video, torch.tensor(lengths)).pooled
    cut = [
        twin(encoder, clip[None, :count]) if layers else encoder(clip[None, :count]).pooled
        for clip, count in zip(video, lengths, strict=True)
    ]
    torch.testing.assert_close(pooled, torch.cat(cut))


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("training", [True, False])
def test_vectors_that_do_not_count_may_be_anything(layers: int, training: bool) -> None:
    encoder = small(layers=layers, dropout=0.0).train(training)
    video = clips()
    video[0, 2:] = math.nan
    video.requires_grad_()
    encoder(video, torch.tensor([2, 5, 4])).pooled.square().sum().backward()
    assert video.grad is not None
    assert (video.grad[0, :2] != 0).all()
    assert (video.grad[0, 2:] == 0).all()
    assert (video.grad[2, 4:] == 0).all()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_shorter_clips_are_accepted() -> None:
    encoder = small()
    accepted = {(t, s) for t in range(8) for s in (3, 4) if encoder.accepts(t, s)}
    assert accepted == {(t, 4) for t in range(1, 6)}


def test_gradient_reaches_every_parameter() -> None:
    for layers in (0, 2):
        encoder = small(layers=layers).train()
        encoder(clips()).pooled.square().sum().backward()
        for name, parameter in encoder.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_it_computes_in_the_dtype_of_its_weights() -> None:
    assert small().bfloat16()(clips()).pooled.dtype == torch.bfloat16


def test_it_reads_a_store(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"a": 7.0})["a"]
    encoder = small()
    stored = FeatureReader(tmp_path).clips(
        "a", [1.0, 2.0], num_frames=encoder.num_frames, fps=1.0, size=encoder.size
    )
    wanted = encoder(torch.stack([vectors[1:6], vectors[2:7]])).pooled
    assert torch.equal(encoder(stored.frames).pooled, wanted)


@pytest.mark.parametrize("shape", [(2, 5, 3, 8, 8), (2, 5, 3), (2, 6, 4), (5, 4)])
def test_clips_it_was_not_made_for(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"up to 5 frames, 4\) of stored vectors"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width"),
        ({"layers": -1}, "layers must be 0 or more"),
        ({"heads": 3}, "heads=3 has to divide width=8"),
    ],
)
def test_refusals(options: dict[str, int], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        small(**options)
