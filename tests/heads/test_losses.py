import math

import pytest
import torch
from torch import Tensor

from vtlearn.heads.losses import batch_accuracy, cross_entropy, mil_nce

#: Own items among all.
OWN = torch.tensor([1, 3])


def logits(*shape: int) -> tuple[Tensor, Tensor]:
    """Row and column logits of the own items of 5."""
    whole = torch.randn(5, 5, *shape, dtype=torch.float64)
    return whole[OWN], whole[:, OWN]


def test_cross_entropy_against_a_loop() -> None:
    rows, columns = logits()
    of_video, of_text = [], []
    for k, i in enumerate(OWN.tolist()):
        of_video.append(math.log(sum(math.exp(rows[k, j]) for j in range(5))) - float(rows[k, i]))
        of_text.append(
            math.log(sum(math.exp(columns[j, k]) for j in range(5))) - float(columns[i, k])
        )
    wanted = torch.tensor([of_video, of_text], dtype=torch.float64)
    torch.testing.assert_close(cross_entropy(rows, None, OWN), wanted[0])
    torch.testing.assert_close(cross_entropy(None, columns, OWN), wanted[1])
    torch.testing.assert_close(cross_entropy(rows, columns, OWN), wanted.mean(0))


@pytest.mark.parametrize("count", [1, 2])
def test_mil_nce_against_a_loop(count: int) -> None:
    rows, columns = logits(3)
    positive = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]).bool()
    wanted = []
    for k in range(2):
        above = sum(math.exp(rows[k, j, c]) for j in range(5) for c in range(3) if positive[k, j])
        row = sum(math.exp(rows[k, j, c]) for j in range(5) for c in range(3))
        column = sum(
            math.exp(columns[j, k, c])
            for j in range(5)
            for c in range(3)
            if count == 2 or not positive[k, j]
        )
        wanted.append(math.log(row + column) - math.log(above))
    losses = mil_nce(rows, columns, positive, positives_in_denominator=count)
    torch.testing.assert_close(losses, torch.tensor(wanted, dtype=torch.float64))


def test_gradients() -> None:
    rows, columns = (x.requires_grad_() for x in logits())
    assert torch.autograd.gradcheck(lambda x, y: cross_entropy(x, y, OWN), (rows, columns))
    more = tuple(x.requires_grad_() for x in logits(2))
    positive = torch.zeros(2, 5, dtype=torch.bool).index_put(
        (torch.arange(2), OWN), torch.tensor(True)
    )
    assert torch.autograd.gradcheck(lambda x, y: mil_nce(x, y, positive), more)


def test_accuracy_of_each_direction_and_of_candidates() -> None:
    rows = torch.tensor([[0.0, 1.0, 0.0], [5.0, 0.0, 1.0]])  # own are 1 and 2: right, wrong
    columns = torch.tensor([[9.0, 0.0], [1.0, 0.0], [0.0, 3.0]])  # wrong, right
    own = torch.tensor([1, 2])
    assert batch_accuracy(rows, None, own) == 0.5
    assert batch_accuracy(rows, columns, own) == 0.5
    assert batch_accuracy(None, columns[:, 1:], own[1:]) == 1
    candidates = torch.stack([rows, torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 6.0]])], 2)
    assert batch_accuracy(candidates, None, own) == 1


def test_without_own_items_there_are_no_losses() -> None:
    rows, columns, own = torch.zeros(0, 4), torch.zeros(4, 0), torch.zeros(0, dtype=torch.int64)
    assert cross_entropy(rows, columns, own).shape == (0,)
    positive = torch.zeros(0, 4, dtype=torch.bool)
    assert mil_nce(rows[..., None], columns[..., None], positive).shape == (0,)
    assert batch_accuracy(rows, columns, own) == 0
