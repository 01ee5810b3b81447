from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.heads.base import unit_length
from vtlearn.heads.contrastive import Embeddings
from vtlearn.heads.permutation import (
    draw_orders,
    draw_other_orders,
    draws_for,
    near_permutations,
    permutation_probabilities,
    permutations_of,
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


@pytest.mark.parametrize("size", range(2, 7))
def test_permutations_by_their_rank_against_all_of_them(size: int) -> None:
    ranks = torch.arange(factorial(size)).reshape(2, -1)
    wanted = torch.tensor(list(permutations(range(size)))).reshape(2, -1, size)
    assert torch.equal(permutations_of(ranks, size), wanted)


def test_the_last_order_of_twenty_is_the_reverse() -> None:
    last = permutations_of(torch.tensor(factorial(20) - 1), 20)
    assert last.tolist() == list(reversed(range(20)))


@pytest.mark.parametrize(("size", "count"), [(5, 31), (20, 31), (4, 23), (4, 40), (2, 1)])
def test_orders_are_distinct_and_the_identity_is_the_first(size: int, count: int) -> None:
    orders = draw_orders([0, 7], size, count, seed=3)
    assert orders.shape == (2, 1 + min(count, factorial(size) - 1), size)
    for of_sample in orders.tolist():
        assert of_sample[0] == list(range(size))
        assert len({tuple(order) for order in of_sample}) == len(of_sample)
        assert all(sorted(order) == list(range(size)) for order in of_sample)


def test_orders_depend_on_the_seed_and_the_sample_alone() -> None:
    both = draw_orders([2, 5], 5, 31, seed=1)
    assert torch.equal(draw_orders([5], 5, 31, seed=1), both[1:])
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(draw_orders([5], 5, 31, seed=2), both[1:])


def test_every_other_order_is_drawn_as_often() -> None:
    count = 4_000
    drawn = draw_orders(range(count), 4, 3, seed=0)[:, 1:].reshape(-1, 4)
    numbers = (drawn * torch.tensor([64, 16, 4, 1])).sum(1)
    _, observed = numbers.unique(return_counts=True)
    expected = 3 * count / 23
    assert len(observed) == 23
    chi_square = ((observed - expected) ** 2 / expected).sum()
    assert chi_square < 54  # 22 degrees of freedom: p = 2e-4


def test_orders_that_read_otherwise_are_drawn_with_replacement() -> None:
    labels = [3, 1, 3]
    orders = draw_other_orders(labels, 600, np.random.default_rng(0)).tolist()
    assert orders[0] == [0, 1, 2]
    read = [[labels[place] for place in order] for order in orders[1:]]
    assert labels not in read
    share = sum(one == [1, 3, 3] for one in read) / 600  # two of four orders
    assert share == pytest.approx(0.5, abs=0.1)
    again = draw_other_orders(labels, 600, np.random.default_rng(0))
    assert again.tolist() == orders
    assert draw_other_orders([0, 1], 31, np.random.default_rng(1))[1:].tolist() == [[1, 0]] * 31


def test_what_reads_alike_in_any_order_is_refused() -> None:
    with pytest.raises(ArgumentError, match="2 entries that are alike"):
        draw_other_orders([5, 5], 3, np.random.default_rng(0))
