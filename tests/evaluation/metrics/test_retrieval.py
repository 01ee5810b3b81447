from itertools import permutations

import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.metrics.retrieval import (
    Ranks,
    expected_rank,
    ranks,
    recall_at,
)


def positions_over_tie_orders(scores: list[float], right: set[int]) -> list[int]:
    """Enumerate where the first right item stands, from 0, over every order of equal scores."""
    found = []
    for order in permutations(range(len(scores))):
        listed = sorted(order, key=lambda item: -scores[item])  # stable: keeps the order of ties
        found.append(min(listed.index(item) for item in right))
    return found


def matrix(queries: int, items: int, seed: int = 0) -> Tensor:
    return torch.randn(queries, items, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("right", [{0}, {2}, {0, 1}, {1, 3, 4}, {0, 1, 2, 3, 4, 5}])
@pytest.mark.parametrize("seed", range(4))
def test_recall_and_rank_are_the_mean_over_all_orders_of_ties(right: set[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 3, (1, 6), generator=generator).float()
    found = ranks(scores, torch.tensor([sorted(right)]))
    positions = torch.tensor(positions_over_tie_orders(scores[0].tolist(), right)).double()
    assert expected_rank(*found).item() == pytest.approx(1 + positions.mean().item())
    for k in range(1, 8):
        share = recall_at(found.greater, found.ties, k, found.best).item()
        assert share == pytest.approx((positions < k).double().mean().item()), k


def test_one_right_item_follows_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    greater = torch.randint(0, 12, (500,), generator=generator)
    ties = torch.randint(0, 12, (500,), generator=generator)
    closed = ((5 - greater) / (ties + 1.0)).clamp(0, 1).double()
    torch.testing.assert_close(recall_at(greater, ties, 5), closed, rtol=0, atol=1e-7)
    torch.testing.assert_close(
        expected_rank(greater, ties), 1 + greater + ties / 2.0, check_dtype=False
    )


@pytest.mark.parametrize("best", [2, torch.tensor([2, 2])])
def test_mean_ranks_are_exact_in_large_galleries(best: Tensor | int) -> None:
    """In float32 the first would be 33334.332."""
    rank = expected_rank(torch.tensor([0, 2**25]), torch.tensor([100_000, 1]), best)
    assert rank.tolist() == [1 + 100_000 / 3, 1 + 2**25 + 1 / 3]


def test_without_ties_ranks_are_those_of_argsort() -> None:
    scores = matrix(50, 40)
    right = torch.randint(0, 40, (50,), generator=torch.Generator().manual_seed(1))
    found = ranks(scores, right)
    listed = scores.argsort(1, descending=True)
    assert found.greater.tolist() == (listed == right[:, None]).int().argmax(1).tolist()
    assert not found.ties.any()


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_constant_matrix_scores_as_guessing_does(k: int) -> None:
    found = ranks(torch.full((100, 100), 0.5), torch.arange(100))
    assert recall_at(found.greater, found.ties, k, found.best).mean().item() == pytest.approx(
        k / 100
    )
    assert expected_rank(*found).median().item() == 50.5


def test_rounding_to_bfloat16_moves_recall_by_less_than_half_a_point() -> None:
    generator = torch.Generator().manual_seed(0)
    texts = torch.randn(1000, 64, generator=generator, dtype=torch.float64)
    videos = texts + 3.2 * torch.randn(1000, 64, generator=generator, dtype=torch.float64)
    exact = texts @ videos.T / 64
    shares = []
    for scores in (exact, exact.bfloat16()):
        found = ranks(scores, torch.arange(1000))
        shares.append(100 * recall_at(found.greater, found.ties, 1).mean().item())
    assert 15 < shares[0] < 85
    assert shares[1] == pytest.approx(shares[0], abs=0.5)


def test_any_budget_and_any_monotone_transform_give_the_same() -> None:
    scores = (matrix(13, 9) * 2).round()
    right = torch.arange(13) % 9
    whole = ranks(scores, right)
    for other in (ranks(scores, right, budget=20), ranks(scores.exp(), right)):
        assert all(torch.equal(a, b) for a, b in zip(whole, other, strict=True))


def test_permuting_items_changes_nothing() -> None:
    scores, right = (matrix(13, 9) * 2).round(), torch.arange(13) % 9
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    permuted = ranks(scores[:, order], order.argsort()[right])
    assert all(torch.equal(a, b) for a, b in zip(ranks(scores, right), permuted, strict=True))


def test_padding_of_several_right_items_is_ignored() -> None:
    scores = matrix(4, 6)
    right = torch.tensor([2, 0, 5, 1])
    padded = torch.stack([torch.full((4,), -1), right], dim=1)
    assert all(
        torch.equal(a, b) for a, b in zip(ranks(scores, right), ranks(scores, padded), strict=True)
    )


def test_no_queries_are_no_error() -> None:
    assert [len(part) for part in ranks(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long))] == [
        0,
        0,
        0,
    ]


def test_nan_is_refused_and_its_query_named() -> None:
    scores = matrix(8, 4)
    scores[6, 3] = torch.nan
    with pytest.raises(EvaluationError, match="query 6 contain NaN"):
        ranks(scores, torch.zeros(8, dtype=torch.long), budget=12)


def test_infinities_are_ordered_like_any_number() -> None:
    scores = torch.tensor([[torch.inf, -torch.inf, 0.0]])
    assert ranks(scores, torch.tensor([2])) == Ranks(
        torch.tensor([1]), torch.tensor([0]), torch.tensor([1])
    )


@pytest.mark.parametrize(
    "relevant", [[[0]], [[4], [0]], [[-1], [0]], [[-2], [0]], [[1, 1], [0, -1]]]
)
def test_right_items_that_cannot_be_are_refused(relevant: list[list[int]]) -> None:
    with pytest.raises(ArgumentError, match="for each of 2 queries"):
        ranks(torch.zeros(2, 4), torch.tensor(relevant))
