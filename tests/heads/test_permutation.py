from itertools import permutations

import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.heads.base import unit_length
from vtlearn.heads.contrastive import Embeddings
from vtlearn.heads.permutation import (
    draws_for,
    near_permutations,
    permutation_probabilities,
    permute_time,
)


@pytest.mark.parametrize(("size", "count"), [(1, 1), (4, 14), (6, 73), (8, 400)])
def test_permutations_against_all_of_them(size: int, count: int) -> None:
    found = {tuple(order) for order in near_permutations(size).tolist()}
    wanted = {
        order
        for order in permutations(range(size))
        if all(abs(place - entry) <= 2 for place, entry in enumerate(order))
    }
    assert found == wanted
    assert len(found) == count


def test_too_long() -> None:
    with pytest.raises(ArgumentError, match="fewer clips per sample"):
        near_permutations(13)


def test_probabilities_follow_the_formula() -> None:
    vectors = unit_length(torch.randn(1, 4, 3, dtype=torch.float64) * 0.05 + 1)
    affinity = -(vectors[0] @ vectors[0].T)
    logits = []
    for order in near_permutations(4).tolist():
        moved = affinity[order][:, order]
        logits.append(-50 * float((affinity - moved).pow(2).sum().sqrt()))
    wanted = torch.tensor(logits, dtype=torch.float64).softmax(0)
    found = permutation_probabilities(vectors, torch.tensor([4]))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_draws_come_out_as_often_as_they_should() -> None:
    vectors = unit_length(torch.randn(1, 4, 3, dtype=torch.float64) * 0.05 + 1)
    probabilities = permutation_probabilities(vectors, torch.tensor([4]))[0]
    count = 20_000
    draws = draws_for(torch.arange(count), seed=5, stream=0)
    orders = near_permutations(4)
    chosen = torch.searchsorted(probabilities.cumsum(0), draws).clamp(max=len(orders) - 1)
    observed = torch.bincount(chosen, minlength=len(orders)).double()
    expected = probabilities * count
    enough = expected > 5
    chi_square = ((observed - expected)[enough] ** 2 / expected[enough]).sum()
    assert chi_square < 40  # 13 degrees of freedom: p = 1e-4


def test_padding_stays_in_its_place() -> None:
    vectors = torch.ones(50, 5, 2) / 2**0.5
    marked = vectors.clone()
    marked[:, 3:] = 0
    length = torch.full((50,), 3)
    moved = permute_time(Embeddings(marked, length), torch.linspace(0.001, 0.999, 50))
    assert (moved.vectors[:, 3:] == 0).all()
    assert (moved.vectors[:, :3] != 0).all()


def test_draws_belong_to_positions() -> None:
    alone = draws_for(torch.tensor([7]), seed=1, stream=0)
    among = draws_for(torch.tensor([2, 7, 9]), seed=1, stream=0)
    assert alone[0] == among[1]
    assert alone[0] != draws_for(torch.tensor([7]), seed=2, stream=0)[0]
    assert alone[0] != draws_for(torch.tensor([7]), seed=1, stream=1)[0]
