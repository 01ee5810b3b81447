import torch
from torch import Tensor, nn

from vtlearn.heads.decoder_layers import DecoderLayer, KeysValues

WIDTH, HEADS = 8, 2


def layer() -> DecoderLayer:
    torch.manual_seed(0)
    return DecoderLayer(WIDTH, HEADS, dropout=0.0).double()


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def everything(clips: int, entries: int) -> Tensor:
    return torch.ones(clips, 1, 1, entries, dtype=torch.bool)


def torchs_own(ours: DecoderLayer) -> nn.TransformerDecoderLayer:
    """PyTorch's layer with the same weights."""
    other = nn.TransformerDecoderLayer(
        WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    weights = {
        "self_attn.in_proj_": ours.words,
        "self_attn.out_proj.": ours.words_out,
        "multihead_attn.out_proj.": ours.memory_out,
        "linear1.": ours.up,
        "linear2.": ours.down,
        "norm1.": ours.norm1,
        "norm2.": ours.norm2,
        "norm3.": ours.norm3,
    }
    state = {
        f"{name}{kind}": getattr(module, kind)
        for name, module in weights.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        parts = [getattr(ours.query, kind), getattr(ours.memory, kind)]
        state[f"multihead_attn.in_proj_{kind}"] = torch.cat(parts)
    other.load_state_dict(state)
    return other


def test_it_computes_what_pytorchs_layer_does() -> None:
    ours, x, tokens = layer(), random(3, 4, WIDTH), random(3, 5, WIDTH)
    seen = torch.ones(4, 4, dtype=torch.bool).tril()
    counted = everything(3, 5).clone()
    counted[1, ..., 2:] = False
    wanted = torchs_own(ours)(x, tokens, tgt_mask=~seen, memory_key_padding_mask=~counted[:, 0, 0])
    found, _ = ours(x, seen[None, None], ours.remember(tokens), counted)
    torch.testing.assert_close(found, wanted)


def test_several_rows_read_one_clip() -> None:
    ours, x, tokens = layer(), random(6, 4, WIDTH), random(2, 5, WIDTH)
    counted = everything(2, 5).clone()
    counted[0, ..., 3:] = False
    found, _ = ours(x, None, ours.remember(tokens), counted)
    copied = tokens.repeat_interleave(3, 0)
    wanted, _ = ours(x, None, ours.remember(copied), counted.repeat_interleave(3, 0))
    torch.testing.assert_close(found, wanted)


def test_words_one_after_another_are_as_all_at_once() -> None:
    ours, x, tokens = layer(), random(2, 4, WIDTH), random(2, 3, WIDTH)
    memory, counted = ours.remember(tokens), everything(2, 3)
    seen = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    wanted, _ = ours(x, seen, memory, counted)
    past, found = None, []
    for place in range(4):
        y, past = ours(x[:, place : place + 1], None, memory, counted, past)
        found.append(y)
    torch.testing.assert_close(torch.cat(found, 1), wanted)


def test_rows_of_the_past_are_taken_in_an_order() -> None:
    past = KeysValues(random(3, 2, 1, 4), random(3, 2, 1, 4))
    rows = torch.tensor([2, 2, 0])
    assert torch.equal(past.of_rows(rows).keys[1], past.keys[2])
    assert past.followed_by(past.of_rows(rows)).values.shape == (3, 2, 2, 4)


def test_no_rows_reach_every_parameter() -> None:
    ours = layer()
    y, _ = ours(random(0, 1, WIDTH), None, ours.remember(random(0, 3, WIDTH)), everything(0, 3))
    y.sum().backward()
    assert all(parameter.grad is not None for parameter in ours.parameters())


def test_dropout_is_for_training_alone() -> None:
    ours, x, tokens = (
        DecoderLayer(WIDTH, HEADS, 0.5).double(),
        random(1, 4, WIDTH),
        random(1, 3, WIDTH),
    )
    runs = [ours(x, None, ours.remember(tokens), everything(1, 3))[0] for _ in range(2)]
    assert not torch.equal(*runs)
    ours.eval()
    runs = [ours(x, None, ours.remember(tokens), everything(1, 3))[0] for _ in range(2)]
    assert torch.equal(*runs)
