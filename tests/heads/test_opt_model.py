from typing import Any

import pytest
import torch
from transformers import OPTConfig

from tests.heads.published_opt import SIZES
from vtlearn.errors import ArgumentError
from vtlearn.heads.opt_model import (
    of_rows,
    random_opt,
    require_alike,
    require_room,
    resize,
    sizes_of,
)

TINY = {"width": 16, "layers": 2, "heads": 2, "feedforward": 16, "vocab_size": 9}


def test_an_opt_is_described_by_our_arguments() -> None:
    sizes = sizes_of(OPTConfig(**SIZES))
    assert sizes["width"] == 16
    assert sizes["max_positions"] == 32
    assert sizes["options"] is None
    other = OPTConfig(**SIZES, do_layer_norm_before=False, word_embed_proj_dim=8)
    wanted = {"do_layer_norm_before": False, "word_embed_proj_dim": 8}
    assert sizes_of(other)["options"] == wanted


def test_what_is_described_can_be_built_again() -> None:
    options = {"do_layer_norm_before": False, "activation_function": "gelu"}
    opt = random_opt(TINY, options)
    sizes = sizes_of(opt.config)
    assert sizes["options"] == options
    again = random_opt({name: sizes[name] for name in TINY}, sizes["options"])
    again.load_state_dict(opt.state_dict())


def test_what_is_left_out_is_as_in_opt_125m() -> None:
    config = random_opt(TINY, {}).config
    assert config.max_position_embeddings == OPTConfig().max_position_embeddings
    assert config.dropout == OPTConfig().dropout


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_table_gets_another_size_and_stays_tied(is_frozen: bool) -> None:
    opt = random_opt(TINY, {}).requires_grad_(not is_frozen)
    resize(opt, 9)
    table = opt.get_input_embeddings()
    resize(opt, 400)
    assert opt.get_input_embeddings() is not table
    assert opt.lm_head.weight is opt.get_input_embeddings().weight
    assert opt.lm_head.weight.requires_grad == (not is_frozen)
    assert 0.015 < opt.lm_head.weight.std() < 0.025
    assert not opt.lm_head.weight[1].any()
    assert opt(torch.tensor([[2, 399]])).logits.shape == (1, 2, 400)


def test_a_cache_is_reordered_old_or_new() -> None:
    opt, ids, rows = random_opt(TINY, {}).eval(), torch.tensor([[2, 5], [2, 7]]), [1, 0]
    with torch.no_grad():
        past = opt(ids, use_cache=True).past_key_values
        keys = [layer.keys for layer in past.layers]
        swapped = of_rows(past, torch.tensor(rows))
    assert all(
        torch.equal(layer.keys, before[rows])
        for layer, before in zip(swapped.layers, keys, strict=True)
    )
    old: Any = tuple((key, key + 1) for key in keys)
    for layer, before in zip(of_rows(old, torch.tensor(rows)), keys, strict=True):
        assert torch.equal(layer[0], before[rows])
        assert torch.equal(layer[1], before[rows] + 1)


def test_sizes_and_options_have_to_be_those_of_the_weights() -> None:
    config = OPTConfig(**SIZES)
    require_alike("x", config, {"width": 16}, {"enable_bias": True})
    with pytest.raises(ArgumentError, match="weights=x have width=16, not 32: leave width out"):
        require_alike("x", config, {"width": 32}, {})
    with pytest.raises(ArgumentError, match="have enable_bias=True, not False: leave enable_bias"):
        require_alike("x", config, {}, {"enable_bias": False})
    with pytest.raises(ArgumentError, match="options have depth; they may have do_layer_norm"):
        require_alike("x", config, {}, {"depth": 3})


def test_layers_and_positions_have_to_suffice() -> None:
    config = OPTConfig(**SIZES)
    require_room(config, 2, 31)
    with pytest.raises(ArgumentError, match="every=3 leaves 2 layers"):
        require_room(config, 3, 31)
    with pytest.raises(ArgumentError, match="need 33 positions, but max_positions is 32"):
        require_room(config, 1, 32)
