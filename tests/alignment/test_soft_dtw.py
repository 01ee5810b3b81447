import math
import warnings
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from vtlearn.alignment import kernels
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import as_pairs
from vtlearn.alignment.soft_dtw import divergence, soft_alignment, soft_dtw
from vtlearn.alignment.soft_dtw_torch import solve as solve_in_torch
from vtlearn.errors import ArgumentError

Enumeration = Callable[[Tensor, float], tuple[float, Tensor]]
HAND = torch.tensor([[1, 2, 3], [4, 1, 2], [3, 2, 1]], dtype=torch.float64)


@pytest.fixture(params=["fast", "reference"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the kernel for the CPU, and with the torch reference."""
    name: str = request.param
    if name == "fast":
        pytest.importorskip("numba")
        assert kernels.kernel_for(torch.zeros(1)) == "numba"
    else:
        monkeypatch.setattr(kernels, "_kernel", lambda _: kernels._TORCH)
    return name


def costs(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double()


def by_reference(cost: Tensor, gamma: float, **lengths: Tensor | int) -> tuple[Tensor, Tensor]:
    """Solve in float64 with the specification."""
    pairs = as_pairs(cost.double(), **lengths)
    expected = torch.empty_like(pairs.cost)
    value = solve_in_torch(pairs, SoftDTWOptions(gamma), expected)
    return value.reshape(cost.shape[:-2]), expected.movedim(2, 0).reshape(cost.shape)


def value_and_gradient(
    cost: Tensor, gamma: float, **lengths: Tensor | int
) -> tuple[Tensor, Tensor]:
    leaf = cost.detach().requires_grad_()
    value = soft_dtw(leaf, gamma, **lengths)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("gamma", [0.0, 0.05, 1.0, 5.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 3), (4, 4), (4, 5), (5, 4)])
def test_value_and_alignment_are_those_of_all_paths(
    shape: tuple[int, int], gamma: float, by_enumeration: Enumeration
) -> None:
    cost = 2 * costs(*shape) - 2
    value, gradient = value_and_gradient(cost, gamma)
    expected_value, expected = by_enumeration(cost, gamma)
    assert float(value) == pytest.approx(expected_value, abs=1e-10)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(soft_alignment(cost, gamma), expected, rtol=0, atol=1e-10)


@pytest.mark.usefixtures("kernel")
def test_published_values_of_a_hand_case() -> None:
    value, gradient = value_and_gradient(HAND, 1.0)
    assert float(value) == pytest.approx(2.5778419962, abs=1e-9)
    expected = [
        [1, 0.14701357, 0.00162515],
        [0.01989612, 0.96109539, 0.13663043],
        [0.00021994, 0.10700091, 1],
    ]
    torch.testing.assert_close(gradient, torch.tensor(expected).double(), rtol=0, atol=1e-7)
    value, gradient = value_and_gradient(HAND, 0.1)
    assert float(value) == pytest.approx(2.9999999994, abs=1e-9)
    torch.testing.assert_close(gradient, torch.eye(3).double(), rtol=0, atol=1e-8)


@pytest.mark.usefixtures("kernel")
def test_gradient_is_that_of_the_value() -> None:
    cost = costs(2, 3, 4, seed=1).requires_grad_()
    n, m = torch.tensor([3, 2]), torch.tensor([4, 3])
    assert torch.autograd.gradcheck(lambda x: soft_dtw(x, 0.3, n=n, m=m), (cost,))


def strided(cost: Tensor, layout: int) -> Tensor:
    """The same numbers in another memory layout: contiguous, pairs innermost, or with gaps."""
    if layout == 0:
        return cost.contiguous()
    if layout == 1:
        order = (cost.ndim - 2, cost.ndim - 1, *range(cost.ndim - 2))
        back = (*range(2, cost.ndim), 0, 1)
        return cost.permute(order).contiguous().permute(back)
    return torch.stack([cost, cost + 1], dim=-1)[..., 0]


@settings(max_examples=60)
@given(
    leading=st.lists(st.integers(0, 4), max_size=2),
    clips=st.integers(1, 7),
    captions=st.integers(1, 7),
    gamma=st.sampled_from([0.0, 1e-3, 0.1, 1.0, 10.0]),
    layout=st.integers(0, 2),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 1000),
)
def test_kernel_agrees_with_the_reference_on_each_pair_cut_to_its_lengths(
    leading: list[int],
    clips: int,
    captions: int,
    gamma: float,
    layout: int,
    dtype: torch.dtype,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    cost = strided(costs(*leading, clips, captions, seed=seed).to(dtype), layout)
    n = torch.randint(1, clips + 1, leading, generator=generator)
    m = torch.randint(1, captions + 1, leading, generator=generator)
    value, gradient = value_and_gradient(cost, gamma, n=n, m=m)
    assert value.shape == tuple(leading)
    assert gradient.shape == cost.shape
    tolerance = 1e-12 if dtype == torch.float64 else 1e-3
    flat = cost.reshape(-1, clips, captions)
    for p in range(len(flat)):
        rows, columns = int(n.flatten()[p]), int(m.flatten()[p])
        alone, visits = by_reference(flat[p, :rows, :columns], gamma)
        expected = torch.zeros(clips, captions, dtype=torch.float64)
        expected[:rows, :columns] = visits
        actual = value.flatten()[p].double()
        torch.testing.assert_close(actual, alone, rtol=5e-6, atol=5e-6)
        actual = gradient.reshape(flat.shape)[p].double()
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("size", [17, 128])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1, 1.0])
def test_float32_is_close_to_float64(size: int, gamma: float) -> None:
    cost = costs(20 if size == 17 else 4, size, size, seed=2)
    value, gradient = value_and_gradient(cost.float(), gamma)
    exact, expected = by_reference(cost.float(), gamma)
    torch.testing.assert_close(value.double(), exact, rtol=5e-6, atol=0)
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=1e-3)
    torch.testing.assert_close(gradient[:, 0, 0], torch.ones(len(cost)), rtol=0, atol=1e-5)
    assert bool((gradient >= 0).all())


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("gamma", [0.0, 0.1])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_what_lies_beyond_the_lengths_changes_nothing(gamma: float, poison: float) -> None:
    cost = costs(70, 6, 5, seed=3)
    generator = torch.Generator().manual_seed(3)
    n, m = (torch.randint(1, size + 1, (70,), generator=generator) for size in (6, 5))
    outside = (torch.arange(6)[:, None] >= n[:, None, None]) | (torch.arange(5) >= m[:, None, None])
    clean = value_and_gradient(cost.masked_fill(outside, 0.5), gamma, n=n, m=m)
    dirty = value_and_gradient(cost.masked_fill(outside, poison), gamma, n=n, m=m)
    assert torch.equal(clean[0], dirty[0])
    assert torch.equal(clean[1], dirty[1])
    assert bool((dirty[1][outside] == 0).all())


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.1])
def test_infinite_costs_are_walls(gamma: float) -> None:
    cost = HAND.repeat(3, 1, 1)
    cost[0, 1, 1] = math.inf  # a wall to walk around
    cost[1, 0] = math.inf  # no way in
    cost[2] = math.inf
    value, gradient = value_and_gradient(cost, gamma)
    assert float(value[0]) == pytest.approx(1 + 2 + 2 + 1, abs=0.3)  # 0,0  0,1  1,2  2,2
    assert value[1:].tolist() == [math.inf, math.inf]
    assert not bool(gradient.isnan().any())
    assert float(gradient[0, 1, 1]) == 0
    assert float(gradient[1:].abs().max()) == 0


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_nan_within_the_lengths_is_not_hidden(gamma: float) -> None:
    for cell in ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2)):
        cost = HAND.clone()
        cost[cell] = math.nan
        assert math.isnan(float(soft_dtw(cost, gamma)))


@pytest.mark.usefixtures("kernel")
def test_small_gamma_approaches_the_hard_minimum_and_ties_are_broken_only_at_zero() -> None:
    cost = costs(30, 5, 6, seed=4)
    hard = soft_dtw(cost, 0.0)
    for gamma in (0.1, 1e-3, 1e-45):
        difference = hard - soft_dtw(cost, gamma)
        assert bool((difference >= -1e-12).all())
        assert bool((difference <= gamma * math.log(1683)).all())  # Delannoy number of 6 x 6 cells
    flat = torch.zeros(2, 2)
    assert soft_alignment(flat, 0.0).tolist() == [[1, 0], [0, 1]]
    torch.testing.assert_close(soft_alignment(flat, 0.1)[0, 1], torch.tensor(1 / 3))


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_only_at_the_end(dtype: torch.dtype) -> None:
    cost = costs(5, 8, 8, seed=5).to(dtype)
    value, gradient = value_and_gradient(cost, 0.1)
    wide_value, wide_gradient = value_and_gradient(cost.float(), 0.1)
    assert value.dtype == gradient.dtype == dtype
    assert torch.equal(value, wide_value.to(dtype))
    assert torch.equal(gradient, wide_gradient.to(dtype))
    assert soft_alignment(cost).dtype == dtype


@pytest.mark.usefixtures("kernel")
def test_order_of_the_pairs_does_not_matter() -> None:
    cost, order = costs(150, 5, 4, seed=6), torch.randperm(150)
    n = torch.randint(1, 6, (150,), generator=torch.Generator().manual_seed(6))
    value, gradient = value_and_gradient(cost, 0.1, n=n)
    permuted_value, permuted_gradient = value_and_gradient(cost[order], 0.1, n=n[order])
    assert torch.equal(value[order], permuted_value)
    assert torch.equal(gradient[order], permuted_gradient)


def test_gradient_is_scaled_by_what_arrives_for_each_pair() -> None:
    cost = costs(2, 3, 4, 5, seed=7).requires_grad_()
    arriving = torch.randn(2, 3, generator=torch.Generator().manual_seed(7)).double()
    (gradient,) = torch.autograd.grad(soft_dtw(cost), cost, arriving)
    expected = arriving[..., None, None] * soft_alignment(cost)
    torch.testing.assert_close(gradient, expected)
    assert not soft_alignment(cost).requires_grad


def test_second_derivative_is_refused() -> None:
    cost = costs(3, 3).requires_grad_()
    with pytest.raises(ArgumentError, match="differentiated once, not twice"):
        torch.autograd.grad(soft_dtw(cost), cost, create_graph=True)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"gamma is -0\.1"):
        soft_dtw(HAND, -0.1)
    with pytest.raises(ArgumentError, match=r"n of pair \(1,\) is 0"):
        soft_dtw(HAND.expand(2, 3, 3), n=torch.tensor([3, 0]))
    with pytest.raises(ArgumentError, match=r"m of pair \(0,\) is 4"):
        soft_alignment(HAND.expand(2, 3, 3), m=torch.tensor([4, 3]))
    with pytest.raises(ArgumentError, match="bandwidth of pair 1 is -2"):
        soft_dtw(HAND.expand(2, 3, 3), bandwidth=torch.tensor([0, -2]))


def in_band(n: int, m: int, width: int) -> Tensor:
    """Mark the cells of a slope-corrected band, in fractions."""
    cells = torch.ones(n, m, dtype=torch.bool)
    for i in range(n):
        for j in range(m):
            cells[i, j] = n == 1 or abs(Fraction(i * (m - 1), n - 1) - j) <= width
    return cells


@pytest.mark.usefixtures("kernel")
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    width=st.integers(0, 6),
    gamma=st.sampled_from([0.0, 0.1, 1.0]),
    pairs=st.sampled_from([1, 17]),
)
def test_a_band_is_a_wall_around_the_diagonal(
    n: int, m: int, width: int, gamma: float, pairs: int
) -> None:
    cost = costs(pairs, 12, 12, seed=n).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some bands are widened
        value, gradient = value_and_gradient(cost, gamma, n=n, m=m, bandwidth=width)
    while not math.isfinite(
        float(by_reference(torch.where(in_band(n, m, width), 0.0, math.inf), 0.0)[0])
    ):
        width += 1
    walled = torch.where(in_band(n, m, width), cost[:, :n, :m], math.inf)
    expected_value, expected = by_reference(walled, gamma)
    torch.testing.assert_close(value.double(), expected_value, rtol=5e-6, atol=5e-6)
    torch.testing.assert_close(gradient[:, :n, :m].double(), expected, rtol=0, atol=1e-5)
    assert float(gradient.sum()) == pytest.approx(float(expected.sum()), abs=1e-3)


@pytest.mark.usefixtures("kernel")
def test_bands_differ_from_pair_to_pair() -> None:
    cost, width = costs(20, 9, 7, seed=8), torch.arange(20) % 6 + 1
    together = soft_dtw(cost, bandwidth=width)
    apart = [soft_dtw(cost[p], bandwidth=int(width[p])) for p in range(20)]
    torch.testing.assert_close(together, torch.stack(apart))
    assert bool((together >= soft_dtw(cost) - 1e-12).all())
    assert float(soft_alignment(cost, bandwidth=width)[0, 0, 6]) == 0


@pytest.mark.parametrize("shape", [(1, 2048, 2048), (40, 300, 200), (3, 1, 4096), (17, 4096, 3)])
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 10.0])
def test_long_pairs_keep_all_probability(shape: tuple[int, int, int], gamma: float) -> None:
    pytest.importorskip("numba")
    value, gradient = value_and_gradient(costs(*shape, seed=9).float(), gamma)
    ones, lost = torch.ones(shape[0]), 1e-5 * max(1, *(size / 2048 for size in shape[1:]))
    torch.testing.assert_close(gradient[:, 0, 0], ones, rtol=0, atol=lost)
    torch.testing.assert_close(gradient[:, -1, -1], ones, rtol=0, atol=1e-5)
    assert bool((gradient >= 0).all())
    assert bool((gradient <= 1 + 1e-4).all())
    # every clip and every caption is visited
    assert bool((gradient.sum(2) > 1 - 1e-4).all())
    assert bool((gradient.sum(1) > 1 - 1e-4).all())
    # in float64 the pairs are solved another way, one after the other
    exact = soft_dtw(costs(*shape, seed=9).float().double(), gamma)
    torch.testing.assert_close(value.double(), exact, rtol=5e-6, atol=1e-4)


def test_divergence_of_equal_sequences_is_zero_whatever_their_lengths() -> None:
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(10))
    n = torch.tensor([6, 4, 1, 2])
    for p in range(4):
        x[p, n[p] :] = math.nan
    assert divergence(x, x, n=n, m=n).tolist() == [0, 0, 0, 0]
    y = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(11)).requires_grad_()
    between = divergence(x, y, 0.5, n=n)
    torch.testing.assert_close(between, divergence(y, x, 0.5, m=n))
    assert bool((between > -1e-6).all())
    (gradient,) = torch.autograd.grad(between.sum(), y)
    assert bool(gradient.isfinite().all())
    alone = [divergence(x[p, : n[p]], y[p], 0.5) for p in range(4)]
    torch.testing.assert_close(between, torch.stack(alone))


@pytest.mark.parametrize("far", [1e3, 1e4])
def test_divergence_does_not_depend_on_where_the_vectors_lie(far: float) -> None:
    generator = torch.Generator().manual_seed(14)
    x = torch.randn(3, 30, 4, generator=generator) + far
    y = x[:, :25] + 0.1 * torch.randn(3, 25, 4, generator=generator)
    n, m = torch.tensor([30, 12, 7]), torch.tensor([25, 9, 11])
    wide_x, wide_y = x.double().requires_grad_(), y.double().requires_grad_()
    exact = divergence(wide_x, wide_y, 1.0, n=n, m=m)
    expected = torch.autograd.grad(exact.sum(), (wide_x, wide_y))
    for p in range(3):
        x[p, n[p] :] = y[p, m[p] :] = math.nan
    x.requires_grad_()
    y.requires_grad_()
    found = divergence(x, y, 1.0, n=n, m=m)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)
    gradients = torch.autograd.grad(found.sum(), (x, y))
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


def test_divergence_has_the_gradient_of_its_value() -> None:
    generator = torch.Generator().manual_seed(15)
    x, y = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((2, 4, 3), (5, 3))
    )
    assert torch.autograd.gradcheck(lambda x, y: divergence(x, y, 0.5, n=3, m=4), (x, y))


def test_divergence_is_made_of_three_soft_dtws() -> None:
    x, y = costs(3, 2, seed=12), costs(4, 2, seed=13)
    table = {
        name: ((a[:, None] - b[None]) ** 2).sum(-1)
        for name, a, b in (("xy", x, y), ("xx", x, x), ("yy", y, y))
    }
    parts = {name: by_reference(cost, 0.3)[0] for name, cost in table.items()}
    expected = parts["xy"] - (parts["xx"] + parts["yy"]) / 2
    torch.testing.assert_close(divergence(x, y, 0.3), expected)
