import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.encoders.bert_by_hand import bert_by_hand, scrambled
from vtlearn.encoders.bert_model import BertOutput, bert_model, encode_sequences
from vtlearn.errors import ArgumentError

SMALL: dict[str, Any] = {
    "vocab_size": 9,
    "width": 8,
    "layers": 2,
    "heads": 2,
    "feedforward": 12,
    "dropout": 0.1,
    "max_positions": 12,
}


def small(**options: Any) -> Any:
    torch.manual_seed(0)
    return bert_model(**SMALL | options).eval()


def body(items: int = 3, size: int = 5) -> Tensor:
    return torch.randn(items, size, 8, generator=torch.Generator().manual_seed(1))


def encode(bert: Any, x: Tensor, length: Tensor | None, sep: list[int], **options: Any) -> Any:
    positions = torch.tensor(sep, dtype=torch.int64)
    output: BertOutput = encode_sequences(
        bert, x, length, cls_id=2, sep_id=3, sep_position=positions, **options
    )
    return output


@pytest.mark.parametrize("see_cls", [True, False])
def test_sep_behind_the_padding_is_sep_behind_the_words(see_cls: bool) -> None:
    bert, x, length = small(), body(), torch.tensor([5, 2, 0])
    scrambled(bert)
    output = encode(bert, x, length, [6, 3, 1], see_cls=see_cls)
    words = bert.embeddings.word_embeddings.weight
    for row, count in enumerate(length.tolist()):
        sequence = torch.cat([words[2:3], x[row, :count], words[3:4]])
        keys = torch.tensor([see_cls] + [True] * (count + 1))
        hidden = bert_by_hand(bert.state_dict(), sequence, list(range(count + 2)), keys, heads=2)
        torch.testing.assert_close(output.pooled[row], hidden[1:].mean(0), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(output.hidden[row, :count], hidden[1:-1], rtol=1e-5, atol=1e-5)
        assert (output.hidden[row, count:] == 0).all()


def test_its_settings_are_those_of_bert_base_uncased() -> None:
    config = small().config
    assert (config.hidden_act, config.layer_norm_eps, config.initializer_range) == (
        *("gelu", 1e-12, 0.02),
    )
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.1
    assert config.type_vocab_size == 2


def test_the_pooler_is_kept_and_not_trained() -> None:
    frozen = {name for name, one in small().named_parameters() if not one.requires_grad}
    assert frozen == {"pooler.dense.weight", "pooler.dense.bias"}


@pytest.mark.parametrize("length", [None, torch.empty(0, dtype=torch.int64)])
def test_no_sequences_reach_every_parameter(length: Tensor | None) -> None:
    bert, sep = small().train(), [6] if length is None else []
    output = encode(bert, body(0), length, sep, see_cls=False)
    assert output.pooled.shape == (0, 8)
    assert output.hidden.shape == (0, 5, 8)
    output.pooled.sum().backward()
    for name, parameter in bert.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or (parameter.grad == 0).all(), name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width must be positive"),
        ({"layers": 0}, "layers must be positive"),
        ({"heads": 3}, "heads=3 has to divide"),
        ({"dropout": 1.5}, r"dropout=1\.5"),
    ],
)
def test_refusals(options: dict[str, float], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        small(**options)


def test_importing_the_encoders_imports_no_transformers() -> None:
    code = (
        "import sys, vtlearn.encoders; assert not {'transformers', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
