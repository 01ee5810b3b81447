import pytest
import torch
from torch import nn

from vtlearn.encoders.text.table import max_over_words, padded, resized
from vtlearn.errors import ArgumentError


def test_ids_are_padded_and_cut() -> None:
    tokens = padded([[3], [1, 2, 3, 4], []], 3)
    assert tokens.ids.tolist() == [[3, 0, 0], [1, 2, 3], [0, 0, 0]]
    assert tokens.length.tolist() == [1, 3, 0]
    assert tokens.ids.dtype == tokens.length.dtype == torch.int64


def test_no_width_is_refused() -> None:
    with pytest.raises(ArgumentError, match="max_words=0 must be positive"):
        padded([[1]], 0)


def test_no_texts_are_no_rows() -> None:
    tokens = padded([], 4)
    assert tokens.ids.shape == (0, 4)
    assert tokens.length.shape == (0,)


def test_max_sees_real_words_only() -> None:
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(6, 5, 7, generator=generator) - 3
    length = torch.tensor([0, 1, 2, 3, 4, 5])
    pooled = max_over_words(words, length)
    for row, count in enumerate(length.tolist()):
        expected = torch.stack([words[row, word] for word in range(max(count, 1))]).max(0).values
        assert torch.equal(pooled[row], expected)


def test_a_table_of_the_right_size_is_kept() -> None:
    table = nn.Embedding(4, 2)
    assert resized(table, 4) is table


def test_a_larger_table_takes_after_the_smaller() -> None:
    table = nn.Embedding(1, 3, dtype=torch.float64)
    table.weight.requires_grad_(False)
    larger = resized(table, 5)
    assert larger.weight.shape == (5, 3)
    assert larger.weight.dtype == torch.float64
    assert not larger.weight.requires_grad
    assert larger.weight[0].tolist() == [0, 0, 0]
    assert (larger.weight[1:] != 0).all()
