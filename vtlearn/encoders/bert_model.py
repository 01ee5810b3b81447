"""BERT between [CLS] and [SEP], for the two encoders that are one: VideoCLIP and Bert.

The network is transformers' ``BertModel``, whose parameters have the names of published weights. It
is imported when one is built, because that takes seconds.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.checks import require_divides, require_positive, require_share
from vtlearn.padding import valid

__all__: list[str] = []


class BertOutput(NamedTuple):
    """What BERT makes of sequences.

    Attributes:
        pooled: The mean over what counts and the final [SEP], (items, width).
        hidden: The last hidden states without [CLS] and [SEP], (items, length, width), zero where
            an entry does not count.
    """

    pooled: Tensor
    hidden: Tensor


def bert_model(
    *,
    vocab_size: int,
    width: int,
    layers: int,
    heads: int,
    feedforward: int,
    dropout: float,
    max_positions: int,
) -> Any:
    """Build BERT as bert-base-uncased is built, at any size, with random weights.

    Its pooler is kept for the sake of published weights, but not trained: nothing reads it.

    Args:
        vocab_size: Rows of the word table.
        width: Width of the hidden states.
        layers: Transformer layers.
        heads: Attention heads of a layer.
        feedforward: Width of a layer's feed-forward network.
        dropout: Probability that a value is dropped in training, from 0 to 1.
        max_positions: Rows of the position table.

    Returns:
        A ``transformers.BertModel``.

    Raises:
        ArgumentError: If a number is outside its range, or the heads do not divide the width.

    Example:
        >>> sizes = {"vocab_size": 9, "width": 4, "layers": 1, "heads": 2, "feedforward": 8}
        >>> model = bert_model(**sizes, dropout=0.0, max_positions=5)
        >>> model.embeddings.word_embeddings
        Embedding(9, 4)
    """
    require_positive(
        vocab_size=vocab_size,
        width=width,
        layers=layers,
        heads=heads,
        feedforward=feedforward,
        max_positions=max_positions,
    )
    require_share(dropout=dropout)
    require_divides(heads=heads, width=width)
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feedforward,
        hidden_act="gelu",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        max_position_embeddings=max_positions,
        type_vocab_size=2,
        initializer_range=0.02,
        layer_norm_eps=1e-12,
        pad_token_id=None,  # padding is masked, so no row of the table is special
    )
    model: Any = BertModel(config)
    model.pooler.requires_grad_(False)
    return model


def encode_sequences(
    bert: Any,
    body: Tensor,
    length: Tensor | None,
    *,
    cls_id: int,
    sep_id: int,
    sep_position: Tensor,
    see_cls: bool = True,
) -> BertOutput:
    """Encode [CLS] body [SEP], and pool the body and [SEP].

    [SEP] lies behind the padding, which changes nothing: to BERT, a place is its position id.

    Args:
        bert: What :func:`bert_model` built.
        body: Vectors between the two, (items, length, width), finite also where they do not count.
        length: How many of them count, (items,), int64; None: all.
        cls_id: Row of the word table that is [CLS].
        sep_id: Row of the word table that is [SEP].
        sep_position: Position id of [SEP], (items,) or (1,), int64.
        see_cls: Whether the others attend to [CLS].

    Returns:
        The pooled vectors and the hidden states of the body.
    """
    items, size, _ = body.shape
    counted = None if length is None else valid(length, size)
    words = bert.embeddings.word_embeddings.weight
    ends = words[[cls_id, sep_id]].expand(items, 2, -1)
    hidden = _hidden(
        bert,
        torch.cat([ends[:, :1], body.to(words.dtype), ends[:, 1:]], 1),
        _position_ids(size, sep_position),
        _keys(items, size, counted, see_cls, body.device),
    )
    tokens = hidden[:, 1:-1]
    if counted is not None:
        tokens = tokens.masked_fill(~counted[:, :, None], 0)
    number = size if length is None else length[:, None]
    return BertOutput((tokens.sum(1) + hidden[:, -1]) / (number + 1), tokens)


def _position_ids(size: int, sep_position: Tensor) -> Tensor:
    before = torch.arange(size + 1, device=sep_position.device)
    return torch.cat([before.expand(len(sep_position), -1), sep_position[:, None]], 1)


def _keys(
    items: int, size: int, counted: Tensor | None, see_cls: bool, device: torch.device
) -> Tensor | None:
    """Tell which places are attended to, (items, size + 2), bool; None: all."""
    if counted is None:
        if see_cls:
            return None
        counted = torch.ones(items, size, dtype=torch.bool, device=device)
    keys = functional.pad(counted, (1, 1), value=True)
    keys[:, 0] = see_cls
    return keys


def _hidden(bert: nn.Module, x: Tensor, positions: Tensor, keys: Tensor | None) -> Tensor:
    items = len(x)
    if not items:  # transformers cannot split no rows into heads: one of zeros, which is cut off
        x = functional.pad(x, (0, 0, 0, 0, 0, 1))
        positions = positions[:0].new_zeros(1, x.shape[1])
        keys = None
    hidden: Tensor = bert(
        inputs_embeds=x,
        position_ids=positions,
        token_type_ids=torch.zeros(x.shape[:2], dtype=torch.int64, device=x.device),
        attention_mask=keys,
    ).last_hidden_state
    return hidden[:items]
