import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.otam import otam
from vtlearn.errors import ArgumentError

Cell = tuple[int, int]
HAND = torch.tensor([[1, 2, 3], [4, 1, 2], [3, 2, 1]], dtype=torch.float64)


def costs(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def steps_into(clip: int, column: int, captions: int) -> list[Cell]:
    """The cells before one, in the table with a zero column on either side."""
    if clip == 0:
        return [(0, column - 1)]
    diagonally, vertically, horizontally = (
        (clip - 1, column - 1),
        (clip - 1, column),
        (clip, column - 1),
    )
    if column in (1, captions + 1):
        return [diagonally, vertically, horizontally]
    return [diagonally, horizontally]


def paths_to(clip: int, column: int, captions: int) -> Iterator[list[Cell]]:
    if column == 0:
        yield []
        return
    for before in steps_into(clip, column, captions):
        for path in paths_to(*before, captions):
            yield [*path, (clip, column)]


def by_enumeration(cost: Tensor, gamma: float) -> tuple[float, Tensor]:
    """Value and expected alignment of one float64 cost, (clips, captions)."""
    clips, captions = cost.shape
    paths = [
        [(clip, column - 1) for clip, column in path if column <= captions]
        for path in paths_to(clips - 1, captions + 1, captions)
    ]
    sums = torch.tensor(
        [sum(float(cost[cell]) for cell in path) for path in paths], dtype=torch.float64
    )
    if gamma == 0:
        shares = (sums == sums.min()).double()
        value = float(sums.min())
    else:
        shares = torch.softmax(-sums / gamma, 0)
        value = float(-gamma * torch.logsumexp(-sums / gamma, 0))
    expected = torch.zeros_like(cost)
    for path, share in zip(paths, shares, strict=True):
        for cell in path:
            expected[cell] += share
    return value, expected


def value_and_gradient(cost: Tensor, gamma: float, **lengths: Tensor) -> tuple[Tensor, Tensor]:
    leaf = cost.detach().requires_grad_()
    value = otam(leaf, gamma, **lengths)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


@pytest.mark.parametrize("gamma", [0.05, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (2, 2), (2, 4), (4, 2), (4, 3), (3, 4)])
def test_value_and_gradient_are_those_of_all_paths(shape: tuple[int, int], gamma: float) -> None:
    cost = costs(*shape)
    value, gradient = value_and_gradient(cost, gamma)
    expected_value, expected = by_enumeration(cost, gamma)
    assert float(value) == pytest.approx(expected_value, abs=1e-10)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-10)
    assert float(otam(cost, gamma)) == float(value)


@pytest.mark.parametrize("shape", [(1, 3), (4, 1), (4, 3), (3, 4)])
def test_without_smoothing_it_is_the_best_path(shape: tuple[int, int]) -> None:
    # binary fractions are summed exactly; paths that differ only in the zero columns count once
    cost = (costs(*shape) * 4).round() / 4 + costs(*shape, seed=1).mul(2**30).round() / 2**40
    value, gradient = value_and_gradient(cost, 0.0)
    expected_value, visits = by_enumeration(cost, 0.0)
    assert float(value) == expected_value
    assert torch.equal(gradient, visits.clamp(max=1))


@pytest.mark.parametrize(
    ("cost", "value"),
    [
        (HAND, 2.9999909200),
        (HAND.T, 2.9999818402),
        (-HAND, -11.0000090796),
        (-HAND.T, -9.0000181587),
    ],
)
def test_soft_values_of_a_hand_case(cost: Tensor, value: float) -> None:
    assert float(otam(cost, 0.1)) == pytest.approx(value, abs=1e-9)


def test_hard_values_of_a_hand_case() -> None:
    assert [float(otam(cost, 0.0)) for cost in (HAND, HAND.T, -HAND)] == [3, 3, -11]


def test_gradient_is_that_of_the_value() -> None:
    cost = costs(2, 4, 3, seed=1).requires_grad_()
    n, m = torch.tensor([4, 3]), torch.tensor([3, 2])
    for gamma in (0.3, 0.0):  # no ties: the hard minimum is smooth around a random cost
        assert torch.autograd.gradcheck(lambda x, gamma=gamma: otam(x, gamma, n=n, m=m), (cost,))


def test_of_equal_paths_one_is_taken() -> None:
    _, gradient = value_and_gradient(torch.zeros(4, 2), 0.0)
    # it ends as early as it can, and before that with the next clip rather than with the same
    assert gradient.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    _, gradient = value_and_gradient(torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]), 0.0)
    assert gradient.tolist() == [[0, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize("gamma", [0.0, 0.1])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_what_lies_beyond_the_lengths_changes_nothing(gamma: float, poison: float) -> None:
    cost = costs(5, 8, 6, 5, seed=3)
    generator = torch.Generator().manual_seed(3)
    n = torch.randint(1, 7, (5, 8), generator=generator)
    m = torch.randint(1, 6, (8,), generator=generator)
    for b in range(5):
        for p in range(8):
            cost[b, p, n[b, p] :] = poison
            cost[b, p, :, m[p] :] = poison
    value, gradient = value_and_gradient(cost, gamma, n=n, m=m)
    assert value.shape == (5, 8)
    for b in range(5):
        for p in range(8):
            rows, columns = int(n[b, p]), int(m[p])
            alone, inner = value_and_gradient(cost[b, p, :rows, :columns], gamma)
            expected = torch.zeros(6, 5, dtype=torch.float64)
            expected[:rows, :columns] = inner
            torch.testing.assert_close(value[b, p], alone, rtol=0, atol=1e-12)
            torch.testing.assert_close(gradient[b, p], expected, rtol=0, atol=1e-12)
            assert int((gradient[b, p][expected == 0] != 0).sum()) == 0


@pytest.mark.parametrize("gamma", [0.0, 1e-30, 0.1])
def test_a_wall_is_gone_round_and_never_makes_nan(gamma: float) -> None:
    cost = costs(4, 5, 3, seed=4)
    cost[0, :3, 0] = math.inf
    cost[1, :, 2] = math.inf  # nothing can pass
    cost[2, 1:] = math.inf
    cost[3] = math.inf
    value, gradient = value_and_gradient(cost, gamma)
    assert value.isinf().tolist() == [False, True, False, True]
    assert bool((gradient[cost.isinf()] == 0).all())
    assert not bool(gradient.isnan().any())
    assert gradient[[1, 3]].abs().sum() == 0
    dear = torch.where(cost.isinf(), 1e6, cost)
    torch.testing.assert_close(value[[0, 2]], otam(dear, gamma)[[0, 2]])


def test_pairs_do_not_know_each_other() -> None:
    cost = costs(6, 7, 4, seed=5)
    n, order = torch.tensor([7, 1, 3, 7, 2, 5]), torch.tensor([3, 0, 5, 1, 4, 2])
    value, gradient = value_and_gradient(cost, 0.1, n=n)
    shuffled_value, shuffled_gradient = value_and_gradient(cost[order], 0.1, n=n[order])
    assert torch.equal(value[order], shuffled_value)
    assert torch.equal(gradient[order], shuffled_gradient)


def test_a_small_gamma_tends_to_the_hard_minimum() -> None:
    cost = costs(50, 6, 5, seed=6)
    hard, soft = otam(cost, 0.0), otam(cost, 1e-3)
    torch.testing.assert_close(soft, hard, rtol=0, atol=1e-3 * math.log(2 * 2 * 15 * 2**4))
    assert bool((soft <= hard).all())


def test_float32_is_close_to_float64() -> None:
    cost = costs(20, 32, 24, seed=7).float()
    value, gradient = value_and_gradient(cost, 0.1)
    exact_value, exact_gradient = value_and_gradient(cost.double(), 0.1)
    torch.testing.assert_close(value.double(), exact_value, rtol=5e-6, atol=5e-6)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=0, atol=1e-4)
    assert bool((gradient >= 0).all())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_solved_in_float32(dtype: torch.dtype) -> None:
    cost = costs(3, 20, 20, seed=8).to(dtype)
    value, gradient = value_and_gradient(cost, 0.1)
    exact_value, exact_gradient = value_and_gradient(cost.float(), 0.1)
    assert value.dtype == gradient.dtype == dtype
    assert torch.equal(value, exact_value.to(dtype))
    assert torch.equal(gradient, exact_gradient.to(dtype))


def test_any_layout_and_no_pair_at_all() -> None:
    cost = costs(3, 4, 5, 6, seed=9)
    value = otam(cost)
    assert torch.equal(otam(cost.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1)), value)
    assert torch.equal(otam(cost[1, 2]), value[1, 2])
    assert otam(torch.zeros(0, 2, 3, requires_grad=True)).shape == (0,)


def test_a_second_derivative_is_refused() -> None:
    cost = costs(2, 3).requires_grad_()
    with pytest.raises(ArgumentError, match="otam can be differentiated once, not twice"):
        torch.autograd.grad(otam(cost), cost, create_graph=True)


def test_mistakes_are_named() -> None:
    with pytest.raises(ArgumentError, match="gamma is -1"):
        otam(HAND, -1)
    with pytest.raises(ArgumentError, match=r"m of pair \(\) is 4"):
        otam(HAND, m=4)
