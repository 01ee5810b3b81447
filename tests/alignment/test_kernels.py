import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vtlearn.alignment import kernels
from vtlearn.alignment.kernels import kernel_for, solve_soft_dtw, solve_soft_dtw_gradient
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.errors import ArgumentError

HAND = torch.tensor([[1, 2, 3], [4, 1, 2], [3, 2, 1]], dtype=torch.float64)


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in list(sys.modules):
        if name.startswith(("vtlearn.alignment.cpu", "vtlearn.alignment.cpu.soft_dtw")):
            monkeypatch.delitem(sys.modules, name)
    kernels._kernel.cache_clear()
    yield
    kernels._kernel.cache_clear()


def operands(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(*shape, generator=generator).to(dtype).requires_grad_()


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("options", [SoftDTWOptions(0.1), SoftDTWOptions(0.2, 0.5, True)])
def test_the_operator_keeps_what_torch_asks_of_operators(
    shape: tuple[int, ...], options: SoftDTWOptions
) -> None:
    n = torch.full(shape[:-2], 3)
    for cost in (operands(*shape), operands(*shape, dtype=torch.float64), operands(*shape).mT):
        torch.library.opcheck(kernels._warp, (cost, n, None, None, *options, True))
        torch.library.opcheck(kernels._warp, (cost.detach(), n, n, None, *options, False))
    torch.library.opcheck(kernels._warp, (operands(*shape), n, n, n, 0.1, None, False, True))


def test_compiled_code_is_one_graph_and_says_the_same() -> None:
    def loss(cost: Tensor, n: Tensor) -> Tensor:
        plain = solve_soft_dtw(cost, SoftDTWOptions(0.2), n, bandwidth=3)
        return (plain * solve_soft_dtw(-cost, SoftDTWOptions(0.1, 0.5, True), m=4)).sum()

    cost, n = operands(3, 4, 5), torch.tensor([1, 2, 4])
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(cost, n), loss(cost, n))
    gradients = [torch.autograd.grad(run(cost, n), cost)[0] for run in (compiled, loss)]
    torch.testing.assert_close(*gradients)


def test_autocast_leaves_the_recursion_in_float32() -> None:
    cost = operands(5, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = cost @ torch.eye(8)
        assert product.dtype == torch.bfloat16
        value = solve_soft_dtw(product, SoftDTWOptions(0.1))
        assert solve_soft_dtw(cost, SoftDTWOptions(0.1)).dtype == torch.float32
    assert value.dtype == torch.bfloat16
    assert torch.equal(value, solve_soft_dtw(product.float(), SoftDTWOptions(0.1)).bfloat16())


def test_a_gradient_is_zero_where_none_arrives() -> None:
    cost = operands(3, 4, 5)
    solve_soft_dtw(cost, SoftDTWOptions(0.1))[1].backward()
    assert cost.grad is not None
    assert float(cost.grad[0].abs().max()) == float(cost.grad[2].abs().max()) == 0
    _, expected = solve_soft_dtw_gradient(cost[1], SoftDTWOptions(0.1))
    torch.testing.assert_close(cost.grad[1], expected)


def test_second_derivative_is_refused() -> None:
    cost = operands(3, 3)
    with pytest.raises(ArgumentError, match="differentiated once, not twice"):
        torch.autograd.grad(solve_soft_dtw(cost, SoftDTWOptions(0.1)), cost, create_graph=True)


def test_several_gradients_at_once_are_as_many_gradients() -> None:
    cost = operands(3, 4, 5)
    value = solve_soft_dtw(cost, SoftDTWOptions(0.1))
    (together,) = torch.autograd.grad(value, cost, torch.eye(3), is_grads_batched=True)
    _, expected = solve_soft_dtw_gradient(cost, SoftDTWOptions(0.1))
    torch.testing.assert_close(together[1, 1], expected[1])
    assert float(together[1, 0].abs().max()) == 0


def test_what_has_no_derivative_is_refused() -> None:
    cost = operands(2, 3).detach()
    with pytest.raises(ArgumentError, match="no forward-mode derivative"):
        torch.func.jvp(lambda x: solve_soft_dtw(x, SoftDTWOptions(0.1)), (cost,), (cost,))
    with pytest.raises(ArgumentError, match="gamma requires a gradient"):
        solve_soft_dtw(cost, SoftDTWOptions(torch.tensor(0.1, requires_grad=True)))  # type: ignore[arg-type]


def test_the_operator_refuses_what_kernels_cannot_read() -> None:
    with pytest.raises(ArgumentError, match=r"float32 or float64, not torch\.float16"):
        kernels._warp(torch.rand(64, 8, 8).half(), None, None, None, 0.1, None, False, True)
    with pytest.raises(ArgumentError, match="dummy is nan"):
        solve_soft_dtw(torch.rand(2, 2), SoftDTWOptions(0.1, float("nan")))
    with pytest.raises(ArgumentError, match="S2DTW has no bands"):
        solve_soft_dtw(torch.rand(2, 2), SoftDTWOptions(0.1, 0.5), bandwidth=1)


def test_gradient_may_be_taken_twice_over_the_same_graph() -> None:
    cost = operands(3, 4, 5)
    value = solve_soft_dtw(cost, SoftDTWOptions(0.1)).sum()
    value.backward(retain_graph=True)
    first = cost.grad.clone() if cost.grad is not None else None
    value.backward()
    assert first is not None
    torch.testing.assert_close(cost.grad, 2 * first)


def test_other_devices_are_served_by_torch() -> None:
    assert kernel_for(torch.zeros(1, device="meta")) == "torch"


@pytest.mark.usefixtures("without_numba")
def test_without_numba_one_warning_says_why_it_is_slow() -> None:
    with pytest.warns(RuntimeWarning, match=r"numba.*pip install 'vtlearn\[fast\]'") as caught:
        first = solve_soft_dtw(HAND, SoftDTWOptions(1.0))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(solve_soft_dtw(HAND, SoftDTWOptions(1.0)), first)
    assert float(first) == pytest.approx(2.5778419962, abs=1e-9)
    assert kernel_for(HAND) == "torch"


def test_importing_imports_no_kernel() -> None:
    code = (
        "import sys, vtlearn, vtlearn.alignment, vtlearn.heads\n"
        "assert not {'numba', 'triton', 'llvmlite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
