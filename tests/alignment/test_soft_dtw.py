import importlib
import math
import sys
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vtlearn.alignment import soft_dtw_cpu
from vtlearn.alignment.pairs import as_pairs, fold_back
from vtlearn.alignment.soft_dtw import kernel_for, soft_alignment, soft_dtw, solve_reference
from vtlearn.errors import ArgumentError

Enumeration = Callable[[Tensor, float], tuple[float, Tensor]]
# the package's own attribute of this name is the function
module = importlib.import_module("vtlearn.alignment.soft_dtw")
HAND = torch.tensor([[1, 2, 3], [4, 1, 2], [3, 2, 1]], dtype=torch.float64)


@pytest.fixture(params=["fast", "reference"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the kernel for the CPU, and with the torch reference."""
    name: str = request.param
    if name == "fast":
        pytest.importorskip("numba")
        assert kernel_for(torch.zeros(1)) == "numba"
    else:
        reference = module._Kernel("torch", solve_reference)
        monkeypatch.setattr(module, "_cpu_kernel", lambda: reference)
    return name


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "numba", None)
    module._cpu_kernel.cache_clear()
    soft_dtw_cpu.kernel.cache_clear()
    yield
    module._cpu_kernel.cache_clear()
    soft_dtw_cpu.kernel.cache_clear()


def costs(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double()


def value_and_gradient(cost: Tensor, gamma: float, **lengths: Tensor) -> tuple[Tensor, Tensor]:
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


@settings(max_examples=60, deadline=None)
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
        alone = solve_reference(as_pairs(flat[p, :rows, :columns].double()), gamma, True)
        expected = torch.zeros(clips, captions, dtype=torch.float64)
        expected[:rows, :columns] = alone.expected[:, :, 0]
        actual = value.flatten()[p].double()
        torch.testing.assert_close(actual, alone.value[0], rtol=5e-6, atol=5e-6)
        actual = gradient.reshape(flat.shape)[p].double()
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("size", [17, 128])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1, 1.0])
def test_float32_is_close_to_float64(size: int, gamma: float) -> None:
    cost = costs(20 if size == 17 else 4, size, size, seed=2)
    value, gradient = value_and_gradient(cost.float(), gamma)
    exact = solve_reference(as_pairs(cost.float().double()), gamma, True)
    torch.testing.assert_close(value.double(), exact.value, rtol=5e-6, atol=0)
    expected = fold_back(exact.expected, cost)
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


def test_other_devices_are_served_by_torch() -> None:
    assert kernel_for(torch.zeros(1, device="meta")) == "torch"


@pytest.mark.usefixtures("without_numba")
def test_without_numba_one_warning_says_why_it_is_slow() -> None:
    with pytest.warns(RuntimeWarning, match=r"numba: pip install 'vtlearn\[fast\]'") as caught:
        first = soft_dtw(HAND, 1.0)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(soft_dtw(HAND, 1.0), first)
    assert float(first) == pytest.approx(2.5778419962, abs=1e-9)
    assert kernel_for(HAND) == "torch"
