"""OPT of any size, as transformers has it: built, resized, described, and its cache reordered."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vtlearn.checks import require_divides, require_positive, require_share
from vtlearn.errors import ArgumentError

__all__: list[str] = []

#: Sizes by our names, and what transformers calls them.
SIZES = {
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "feedforward": "ffn_dim",
    "vocab_size": "vocab_size",
    "max_positions": "max_position_embeddings",
    "dropout": "dropout",
}
#: What else makes an OPT, and is not a size.
OPTIONS = (
    "do_layer_norm_before",
    "word_embed_proj_dim",
    "enable_bias",
    "layer_norm_elementwise_affine",
    "activation_function",
    "attention_dropout",
    "init_std",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
)
#: Sizes of opt-125m, but for its pieces: there are fewer in captions.
_USUAL = {
    "width": 768,
    "layers": 12,
    "heads": 12,
    "feedforward": 3072,
    "vocab_size": 4000,
    "max_positions": 2048,
    "dropout": 0.1,
}


def random_opt(given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Build an OPT with random weights.

    Args:
        given: Some of our sizes; the others are those of opt-125m.
        options: Further entries of transformers' ``OPTConfig``.

    Returns:
        A ``transformers.OPTForCausalLM``.

    Raises:
        ArgumentError: If a number is outside its range, the heads do not divide the width, or an
            option is not one of those there are.

    Example:
        >>> opt = random_opt({"width": 4, "heads": 2, "layers": 1, "vocab_size": 9}, {})
        >>> opt.lm_head
        Linear(in_features=4, out_features=9, bias=False)
    """
    sizes = _USUAL | dict(given)
    require_positive(**{name: size for name, size in sizes.items() if name != "dropout"})
    require_share(dropout=sizes["dropout"])
    require_divides(heads=sizes["heads"], width=sizes["width"])
    _require_known(options)
    from transformers import OPTConfig, OPTForCausalLM

    named = {SIZES[name]: size for name, size in sizes.items()}
    return OPTForCausalLM(OPTConfig(**named, **options))


def resize(opt: Any, rows: int) -> None:
    """Make room for another number of pieces: random vectors, zero for the padding."""
    table = opt.get_input_embeddings()
    if table.num_embeddings == rows:
        return
    weight = opt.config.init_std * torch.randn(rows, table.embedding_dim).to(table.weight)
    weight[opt.config.pad_token_id] = 0
    larger = nn.Embedding(rows, table.embedding_dim, opt.config.pad_token_id, _weight=weight)
    larger.weight.requires_grad_(table.weight.requires_grad)
    opt.set_input_embeddings(larger)
    opt.lm_head.weight, opt.lm_head.out_features = larger.weight, rows
    opt.config.vocab_size = opt.model.decoder.vocab_size = rows


def of_rows(past: Any, rows: Tensor) -> Any:
    """Take some rows of transformers' cache, in an order."""
    if isinstance(past, tuple):  # of older transformers
        return tuple(tuple(x.index_select(0, rows) for x in layer) for layer in past)
    past.reorder_cache(rows)
    return past


def sizes_of(config: Any) -> dict[str, Any]:
    """Describe an OPT by our arguments, so that it can be built again without its files.

    Args:
        config: A ``transformers.OPTConfig``.

    Returns:
        Sizes, and ``options`` where they are not the usual ones.
    """
    from transformers import OPTConfig

    sizes = {ours: getattr(config, theirs) for ours, theirs in SIZES.items()}
    usual = OPTConfig(hidden_size=config.hidden_size)
    options = {
        name: getattr(config, name)
        for name in OPTIONS
        if getattr(config, name) != getattr(usual, name)
    }
    return {**sizes, "options": options or None}


def require_alike(
    weights: str, config: Any, given: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Refuse sizes and options that are not those of weights.

    Args:
        weights: What they are called.
        config: Their ``transformers.OPTConfig``.
        given: Some of our sizes that were asked for.
        options: Further entries of the configuration, likewise.

    Raises:
        ArgumentError: If one differs, or an option is not one of those there are.
    """
    _require_known(options)
    for name, value in {**given, **options}.items():
        theirs = getattr(config, SIZES.get(name, name))
        if value != theirs:
            message = f"weights={weights} have {name}={theirs}, not {value}: leave {name} out"
            raise ArgumentError(message)


def require_room(config: Any, every: int, max_words: int) -> None:
    """Refuse adapters behind no layer, and texts without positions.

    Args:
        config: A ``transformers.OPTConfig``.
        every: There is an adapter behind each ``every``-th layer.
        max_words: How many pieces of a text are read.

    Raises:
        ArgumentError: If there are fewer layers, or fewer positions.
    """
    layers, positions = config.num_hidden_layers, config.max_position_embeddings
    if every > layers:
        message = f"every={every} leaves {layers} layers without an adapter"
        raise ArgumentError(message)
    if max_words + 1 > positions:
        message = (
            f"max_words={max_words} and the beginning need {max_words + 1} positions, but "
            f"max_positions is {positions}"
        )
        raise ArgumentError(message)


def _require_known(options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        message = f"options have {unknown[0]}; they may have {', '.join(OPTIONS)}"
        raise ArgumentError(message)
