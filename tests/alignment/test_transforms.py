"""What torch.func asks of the operators: answered exactly, or refused in our words."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from vtlearn.alignment import (
    divergence,
    drop_dtw,
    dtw,
    ordered_assignment,
    otam,
    s2dtw,
    s2dtw_cost,
    sequence_distances,
    soft_alignment,
    soft_dtw,
)
from vtlearn.errors import ArgumentError

Operator = Callable[[Tensor], Tensor]
N, M = torch.tensor([4, 2]), torch.tensor([3, 2])

OPERATORS: dict[str, Operator] = {
    "soft_dtw": soft_dtw,
    "s2dtw": s2dtw,
    "divergence": lambda x: divergence(x, x + 1),
    "sequence_distances": lambda cost: sequence_distances(cost, "dtw", 0.1),
    "otam": otam,
}


def some_costs() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 4, 3, generator=generator, dtype=torch.float64)


def summed(operator: Operator) -> Operator:
    return lambda cost: operator(cost).sum()


@pytest.mark.parametrize("name", OPERATORS)
def test_gradients_by_torch_func_are_refused_with_the_way_out(name: str) -> None:
    operator, cost = OPERATORS[name], some_costs()
    asked: list[Callable[[], object]] = [
        lambda: torch.func.grad(summed(operator))(cost),
        lambda: torch.func.vjp(operator, cost),
        lambda: torch.func.jacrev(operator)(cost),
        lambda: torch.func.hessian(summed(operator))(cost),
        lambda: torch.func.vmap(torch.func.grad(operator))(cost),
        lambda: torch.func.grad(lambda x: torch.func.vmap(operator)(x).sum())(cost),
    ]
    for ask in asked:
        with pytest.raises(ArgumentError, match=r"no derivative by torch\.func.*autograd\.grad"):
            ask()


@pytest.mark.parametrize("name", OPERATORS)
def test_tangents_are_refused_or_right(name: str) -> None:
    operator, cost = OPERATORS[name], some_costs()
    tangent = torch.rand(cost.shape, generator=torch.Generator().manual_seed(1)).double()

    def by_dual() -> Tensor:
        with forward_ad.dual_level():
            dual = operator(forward_ad.make_dual(cost, tangent))
            pushed: Tensor | None = forward_ad.unpack_dual(dual).tangent
            assert pushed is not None
            return pushed

    def by_jvp() -> Tensor:
        pushed: Tensor = torch.func.jvp(operator, (cost,), (tangent,))[1]
        return pushed

    if name == "otam":
        leaf = cost.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(otam(leaf).sum(), leaf)
        for pushed in (by_dual(), by_jvp()):
            torch.testing.assert_close(pushed, (gradient * tangent).sum((1, 2)))
        return
    for ask in (by_dual, by_jvp, lambda: torch.func.jacfwd(operator)(cost)):
        with pytest.raises(ArgumentError, match=r"no forward-mode derivative.*soft_alignment"):
            ask()


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "otam"])
@pytest.mark.filterwarnings("error")
def test_mapped_operators_equal_one_call_and_so_do_their_gradients(name: str) -> None:
    operator, cost = OPERATORS[name], some_costs()
    one, mapped = (cost.clone().requires_grad_() for _ in range(2))
    value = torch.func.vmap(operator)(mapped)
    torch.testing.assert_close(value, operator(one))
    weights = torch.tensor([2.0, -1.0], dtype=torch.float64)
    expected = torch.autograd.grad((weights * operator(one)).sum(), one)
    torch.testing.assert_close(torch.autograd.grad((weights * value).sum(), mapped), expected)


def test_costs_and_lengths_are_mapped_along_any_axis() -> None:
    cost = some_costs()
    expected = soft_dtw(cost, n=N, m=M)
    by_length = torch.func.vmap(lambda c, n, m: soft_dtw(c, n=n, m=m))
    torch.testing.assert_close(by_length(cost, N, M), expected)
    last = torch.func.vmap(lambda c, n: soft_dtw(c, n=n, m=M), in_dims=(3, 1))
    stacked = torch.stack([cost, 2 * cost], 3)
    pairs = torch.stack([N, N - 1], 1)
    expected = torch.stack([soft_dtw(cost, n=N, m=M), soft_dtw(2 * cost, n=N - 1, m=M)])
    torch.testing.assert_close(last(stacked, pairs), expected)
    lengths_alone = torch.func.vmap(lambda n: soft_dtw(cost, n=n, m=M))(torch.tensor([4, 2]))
    expected = torch.stack([soft_dtw(cost, n=n, m=M) for n in (4, 2)])
    torch.testing.assert_close(lengths_alone, expected)
    twice = torch.func.vmap(torch.func.vmap(soft_dtw))(stacked.movedim(3, 0))
    torch.testing.assert_close(twice, soft_dtw(stacked.movedim(3, 0)))
    aligned = torch.func.vmap(soft_alignment)(cost)
    torch.testing.assert_close(aligned, soft_alignment(cost))


def test_what_is_detached_has_no_derivative_to_refuse() -> None:
    cost = some_costs()
    aligned = torch.func.grad(lambda c: (soft_alignment(c) * c).sum())(cost)
    torch.testing.assert_close(aligned, soft_alignment(cost))
    drop = torch.full((4,), 0.5, dtype=torch.float64)
    for hard in (lambda c: dtw(c).distance, lambda c: drop_dtw(c, drop).distance):
        assert not torch.func.grad(summed(hard))(cost).any()
    assert torch.func.grad(summed(s2dtw_cost))(cost).isfinite().all()


def test_what_looks_at_numbers_is_not_mapped() -> None:
    cost = some_costs()
    plain = torch.func.vmap(otam)(cost)
    torch.testing.assert_close(plain, otam(cost))
    leaf = cost.clone().requires_grad_()
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: torch.func.vmap(otam)(leaf), "otam with a gradient"),
        (lambda: torch.func.vmap(lambda c, n: otam(c, n=n))(cost, N), "lengths"),
        (lambda: torch.func.vmap(dtw)(cost), "dtw"),
        (lambda: torch.func.vmap(lambda n: dtw(cost[0], n=n))(N), "dtw"),
        (lambda: torch.func.vmap(ordered_assignment)(cost), "ordered_assignment"),
    ]
    for ask, name in asked:
        with pytest.raises(ArgumentError, match=f"^{name} cannot be inside.*leading axes"):
            ask()


@pytest.mark.slow
def test_what_is_compiled_is_not_asked_for_layers() -> None:
    cost = some_costs()
    for operator in (soft_dtw, otam):
        one, traced = (cost.clone().requires_grad_() for _ in range(2))
        value = torch.compile(operator, backend="eager")(traced)
        torch.testing.assert_close(value, operator(one))
        expected = torch.autograd.grad(operator(one).sum(), one)
        torch.testing.assert_close(torch.autograd.grad(value.sum(), traced), expected)
