import itertools
import math

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.ordered import ordered_assignment
from vtlearn.errors import ArgumentError


def costs(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def total(cost: Tensor, seconds: Tensor) -> float:
    return sum(float(cost[second, step]) for step, second in enumerate(seconds.tolist()))


def least(cost: Tensor) -> float:
    choices = itertools.combinations(range(cost.shape[0]), cost.shape[1])
    return min(total(cost, torch.tensor(seconds)) for seconds in choices)


def by_state_machine(cost: Tensor) -> list[int]:
    """Background and steps by turns, as published: for more seconds than steps."""
    seconds, steps = cost.shape
    states = 2 * steps + 1
    reached = [[math.inf] * states for _ in range(seconds + 1)]
    came_from = [[-1] * states for _ in range(seconds + 1)]
    reached[0][0] = 0
    for second in range(1, seconds + 1):
        for state in range(states):
            is_step = state % 2 == 1
            before = [state - 1, state - 2] if is_step else [state, state - 1]
            price = float(cost[second - 1, state // 2]) if is_step else 0.0
            for other in before:
                if other < 0:
                    continue
                sum_here = reached[second - 1][other] + price
                if reached[second][state] > sum_here:
                    reached[second][state] = sum_here
                    came_from[second][state] = other
    state = states - 2 if reached[-1][states - 2] <= reached[-1][states - 1] else states - 1
    chosen = []
    for second in range(seconds, 0, -1):
        if state % 2 == 1:
            chosen.append(second - 1)
        state = came_from[second][state]
    return chosen[::-1]


def test_a_hand_case() -> None:
    cost = torch.tensor([[1, 3], [2, 0.5], [0.2, 2], [3, 1]])
    seconds = ordered_assignment(cost)
    assert seconds.tolist() == [2, 3]
    assert seconds.dtype == torch.int64
    assert total(cost, seconds) == pytest.approx(1.2)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("seconds", [5, 6, 8])
def test_sum_is_the_least_of_all_choices(seconds: int, steps: int) -> None:
    cost = costs(10, seconds, steps, seed=seconds) - 0.5
    for one, chosen in zip(cost, ordered_assignment(cost), strict=True):
        assert bool((chosen.diff() > 0).all())
        assert total(one, chosen) == pytest.approx(least(one), abs=1e-12)


def test_as_many_seconds_as_steps_leave_no_choice() -> None:
    for size in (1, 2, 6):
        assert ordered_assignment(costs(size, size)).tolist() == list(range(size))


def test_ties_are_those_of_the_published_state_machine() -> None:
    generator = torch.Generator().manual_seed(1)
    for seconds, steps in [(2, 1), (4, 1), (4, 3), (6, 2), (7, 3), (9, 4)]:
        cost = torch.randint(0, 3, (60, seconds, steps), generator=generator).double()
        expected = [by_state_machine(one) for one in cost]
        assert ordered_assignment(cost).tolist() == expected


def test_where_all_is_equal_the_last_step_is_last_and_the_others_first() -> None:
    assert ordered_assignment(torch.zeros(5, 3)).tolist() == [0, 1, 4]
    nearly = torch.zeros(5, 3)
    nearly[4, 2] = 1
    assert ordered_assignment(nearly).tolist() == [0, 1, 2]


@pytest.mark.parametrize("poison", [math.nan, -math.inf])
def test_pairs_of_several_lengths_are_solved_each_by_itself(poison: float) -> None:
    cost = (3 * costs(4, 6, 8, 5, seed=2)).round()
    generator = torch.Generator().manual_seed(2)
    m = torch.randint(1, 6, (4, 6), generator=generator)
    n = torch.maximum(m, torch.randint(1, 9, (6,), generator=generator))
    for b, p in itertools.product(range(4), range(6)):
        cost[b, p, n[b, p] :] = poison
        cost[b, p, :, m[b, p] :] = poison
    seconds = ordered_assignment(cost, n=n, m=m)
    for b, p in itertools.product(range(4), range(6)):
        rows, columns = int(n[b, p]), int(m[b, p])
        alone = ordered_assignment(cost[b, p, :rows, :columns])
        assert torch.equal(seconds[b, p, :columns], alone)
        assert bool((seconds[b, p, columns:] == -1).all())
    order = torch.tensor([2, 0, 3, 1])
    assert torch.equal(ordered_assignment(cost[order], n=n[order], m=m[order]), seconds[order])


def test_an_infinite_cost_is_avoided_and_seconds_stay_in_order() -> None:
    cost = costs(50, 6, 3, seed=3)
    cost[costs(50, 6, 3, seed=4) < 0.5] = math.inf
    cost[0] = math.inf
    for one, chosen in zip(cost, ordered_assignment(cost), strict=True):
        assert bool((chosen.diff() > 0).all())
        assert int(chosen[0]) >= 0
        assert int(chosen[-1]) < 6
        assert total(one, chosen) == pytest.approx(least(one), abs=1e-12)


def test_half_precision_is_solved_in_float32() -> None:
    # in bfloat16 256 and 1 are 256
    cost = torch.tensor([[256, 256], [256, 1], [256, 0]], dtype=torch.bfloat16)
    assert ordered_assignment(cost).tolist() == [0, 2]
    assert not ordered_assignment(cost.requires_grad_()).requires_grad


def test_no_pair_at_all() -> None:
    assert ordered_assignment(torch.zeros(0, 3, 2)).shape == (0, 2)


def test_more_steps_than_seconds_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"pair \(\) has 2 seconds for 3 steps"):
        ordered_assignment(torch.zeros(2, 3))
    n = torch.tensor([[3, 4], [4, 2]])
    with pytest.raises(ArgumentError, match=r"pair \(1, 1\) has 2 seconds for 3 .*1 of 4 pairs"):
        ordered_assignment(torch.zeros(2, 2, 4, 3), n=n)


def test_nan_is_refused() -> None:
    cost = torch.zeros(3, 4, 2)
    cost[1, 2, 1] = math.nan
    with pytest.raises(ArgumentError, match=r"cost of pair \(1,\) has NaN.*1 of 3 pairs"):
        ordered_assignment(cost)
