import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.encoders.bert_by_hand import bert_by_hand, linear, norm, scrambled
from tests.media.features.stores import fill_store
from vtlearn.encoders.text.bert import Bert
from vtlearn.encoders.video.videoclip import VideoCLIP
from vtlearn.errors import ArgumentError
from vtlearn.hyperparameters import to_config
from vtlearn.media.features.reader import FeatureReader

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


@pytest.mark.parametrize("see_cls", [True, False])
@pytest.mark.parametrize("filling", [math.nan, math.inf, 1e4])
def test_padding_changes_nothing_and_gets_no_gradient(see_cls: bool, filling: float) -> None:
    encoder, length = small(see_cls=see_cls), torch.tensor([2, 32, 9])
    video, other = clips(), clips()
    for row, count in enumerate(length.tolist()):
        other[row, count:] = filling
    other.requires_grad_()
    one, two = encoder(video, length), encoder(other, length)
    assert all(torch.equal(x, y) for x, y in zip(one, two, strict=True))
    (two.pooled.square().sum() + two.tokens.square().sum()).backward()
    assert other.grad is not None
    for row, count in enumerate(length.tolist()):
        assert (other.grad[row, :count] != 0).all()
        assert (other.grad[row, count:] == 0).all()
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("see_cls", [True, False])
@pytest.mark.parametrize("frames", [1, 5, 31, 32])
def test_sep_stays_at_33_however_short_the_tensor(see_cls: bool, frames: int) -> None:
    encoder, video = small(see_cls=see_cls), clips(2, frames)
    pooled, tokens, length = encoder(video)
    assert length.tolist() == [frames] * 2
    for row, clip in enumerate(video):
        wanted, hidden = by_hand(encoder, clip)
        torch.testing.assert_close(pooled[row], wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(tokens[row, :, 0], hidden, rtol=1e-5, atol=1e-5)
    other, _ = by_hand(encoder, video[0], sep_position=34)
    assert (pooled[0] - other).abs().max() > 1e-3


def test_sep_lies_behind_the_frames_it_was_made_for() -> None:
    encoder, video = small(num_frames=7), clips(2, 7)
    wanted, _ = by_hand(encoder, video[0], sep_position=8)
    torch.testing.assert_close(encoder(video).pooled[0], wanted, rtol=1e-5, atol=1e-5)


def test_pooled_is_the_mean_of_frames_and_sep_without_cls() -> None:
    # With one layer and [CLS] hidden, its row reaches nothing but its own hidden state.
    encoder, video, length = small(see_cls=False, layers=1), clips(), torch.tensor([2, 32, 9])
    before = encoder(video, length).pooled
    encoder.bert.embeddings.word_embeddings.weight.data[101] *= 100
    assert torch.equal(encoder(video, length).pooled, before)
    encoder.bert.embeddings.word_embeddings.weight.data[102] *= 100
    assert not torch.allclose(encoder(video, length).pooled, before, atol=1e-3)


def test_seeing_cls_gives_other_vectors() -> None:
    video = clips()
    seen, hidden = small()(video).pooled, small(see_cls=False)(video).pooled
    assert (seen - hidden).abs().max() > 1e-3


def test_the_others_of_a_batch_do_not_matter() -> None:
    encoder, video, length = small(), clips(4), torch.tensor([32, 1, 9, 20])
    pooled = encoder(video, length).pooled
    for row, count in enumerate(length.tolist()):
        alone = encoder(video[row : row + 1, :count]).pooled
        torch.testing.assert_close(pooled[row : row + 1], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [[2, 5, 9], [5, 5, 5]])
def test_frames_behind_the_longest_clip_are_zeros(lengths: list[int]) -> None:
    encoder, video = small(), clips()
    pooled, tokens, length = encoder(video, torch.tensor(lengths))
    assert tokens.shape == (3, 32, 1, 8)
    assert length.tolist() == lengths
    for row, count in enumerate(lengths):
        wanted, hidden = by_hand(encoder, video[row, :count])
        torch.testing.assert_close(pooled[row], wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(tokens[row, :count, 0], hidden, rtol=1e-5, atol=1e-5)
        assert (tokens[row, count:] == 0).all()


def test_shapes() -> None:
    encoder = small()
    assert encoder.frame_vectors
    assert encoder.dim == encoder.token_width == 8
    encoded = encoder(clips(3, 5), torch.tensor([5, 1, 3]))
    assert encoded.pooled.shape == (3, 8)
    assert encoded.tokens.shape == (3, 5, 1, 8)
    assert encoded.token_length.tolist() == [5, 1, 3]


def test_only_cls_and_sep_are_read_of_the_word_table() -> None:
    encoder = small(vocab_size=6, cls_id=4, sep_id=0).train()
    encoder(clips()).pooled.square().sum().backward()
    gradient = encoder.bert.embeddings.word_embeddings.weight.grad
    assert gradient.abs().sum(1).bool().tolist() == [True, *[False] * 3, True, False]


def test_gradient_reaches_every_parameter_but_the_poolers() -> None:
    encoder = small().train()
    (encoder(clips()).pooled * torch.arange(8)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.requires_grad == (not name.startswith("bert.pooler")), name
        if name.endswith("key.bias"):
            continue  # moves all logits of a query alike
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or parameter.grad.abs().sum() > 0, name


def test_shorter_clips_are_accepted() -> None:
    encoder = small(num_frames=5)
    accepted = {(t, s) for t in range(8) for s in (3, 4) if encoder.accepts(t, s)}
    assert accepted == {(t, 4) for t in range(1, 6)}


def test_a_checkpoint_says_how_to_build_it() -> None:
    encoder = small(see_cls=False, dropout=0.2)
    config = to_config(encoder)
    options = SMALL | {"see_cls": False, "dropout": 0.2}
    assert config == {"class_path": "vtlearn.encoders.VideoCLIP", "init_args": options}
    other = VideoCLIP(**config["init_args"]).eval()
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(clips()).pooled, encoder(clips()).pooled)


def test_names_are_the_published_ones() -> None:
    names = {name for name in small().state_dict() if "encoder.layer" not in name}
    assert names == {
        *(f"bert.embeddings.{one}_embeddings.weight" for one in ("word", "position", "token_type")),
        *(f"bert.embeddings.LayerNorm.{one}" for one in ("weight", "bias")),
        *(f"bert.pooler.dense.{one}" for one in ("weight", "bias")),
        *(
            f"videomlp.{a}.{b}"
            for a in ("linear1", "LayerNorm", "linear2")
            for b in ("weight", "bias")
        ),
    }


def test_it_computes_in_the_dtype_of_its_weights() -> None:
    assert small().bfloat16()(clips()).pooled.dtype == torch.bfloat16


def test_it_reads_a_store(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"a": 7.0})["a"]
    encoder = small(num_frames=5)
    stored = FeatureReader(tmp_path).clips(
        "a", [1.0, 2.0], num_frames=encoder.num_frames, fps=1.0, size=encoder.size
    )
    wanted = encoder(torch.stack([vectors[1:6], vectors[2:7]])).pooled
    assert torch.equal(encoder(stored.frames).pooled, wanted)


@pytest.mark.parametrize("shape", [(2, 5, 3, 8, 8), (2, 5, 3), (2, 33, 4), (5, 4)])
def test_clips_it_was_not_made_for(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"VideoCLIP takes .* 32 frames, 4\) of stored vectors"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_dim": 0}, "input_dim must be positive"),
        ({"heads": 3}, "heads=3 has to divide width=8"),
        ({"num_frames": 39}, "need 41 positions, but max_positions is 40"),
        ({"vocab_size": 102}, "sep_id=102 have to be two rows of the word table, from 0 to 101"),
        ({"sep_id": 101}, "have to be two rows"),
    ],
)
def test_refusals(options: dict[str, int], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        small(**options)
