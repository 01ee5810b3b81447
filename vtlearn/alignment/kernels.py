"""The choice of a kernel, and the one operator behind which all kernels stand.

``soft_dtw_torch`` is the specification and serves any device, ``soft_dtw_cpu`` is numba's,
``soft_dtw_triton`` Triton's for CUDA. Each computes the value and, where it is wanted, its gradient
in one call. The operator is registered with torch, so that ``torch.compile`` traces through it; no
kernel is imported before it is first needed.
"""

import functools
import math
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from vtlearn.alignment.cpu import thread_pool  # noqa: F401  # which has to be there before a fork is
from vtlearn.alignment.options import SoftDTWOptions, Solver
from vtlearn.alignment.pairs import as_pairs, check_cost, check_gamma, fold_back, pair_last
from vtlearn.alignment.soft_dtw_torch import solve as solve_in_torch
from vtlearn.alignment.transforms import refuse_recorded, requires_gradient
from vtlearn.errors import ArgumentError

__all__ = ["kernel_for", "solve_soft_dtw_gradient"]

Lengths = Tensor | int | None


class _Kernel(NamedTuple):
    name: str
    solve: Solver


_TORCH = _Kernel("torch", solve_in_torch)


def solve_soft_dtw(
    cost: Tensor,
    options: SoftDTWOptions,
    n: Lengths = None,
    m: Lengths = None,
    bandwidth: Lengths = None,
) -> Tensor:
    """Solve a stack of costs, differentiably, with the kernel for where they lie.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        options: What to solve them for.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise.
        bandwidth: Width of each pair's band, likewise; None: no bands.

    Returns:
        The value of each pair, (...), in the cost's dtype, computed in float32 or wider.

    Raises:
        ArgumentError: If gamma is negative, the cost is no stack of float matrices, a length does
            not fit it, or a bandwidth is negative; in the backward, if a second derivative is asked
            for.

    Example:
        >>> solve_soft_dtw(torch.ones(2, 2), SoftDTWOptions(0.0))
        tensor(2.)
    """
    # the gradient is cheapest now: the weights of the soft minima never leave the kernel
    wanted = torch.is_grad_enabled() and requires_gradient(cost)
    if wanted:
        refuse_recorded("soft-DTW", cost)
    return _solve_wide(cost, options, (n, m, bandwidth), want_gradient=wanted)[0].to(cost.dtype)


def solve_soft_dtw_gradient(
    cost: Tensor,
    options: SoftDTWOptions,
    n: Lengths = None,
    m: Lengths = None,
    bandwidth: Lengths = None,
) -> tuple[Tensor, Tensor]:
    """Solve a stack of costs, and return the gradient itself.

    Args:
        cost: As :func:`solve_soft_dtw` takes it.
        options: Likewise.
        n: Likewise.
        m: Likewise.
        bandwidth: Likewise.

    Returns:
        The value, (...), and its gradient, (..., clips, captions), both in the cost's dtype and
        detached.

    Raises:
        ArgumentError: As :func:`solve_soft_dtw` does.

    Example:
        >>> solve_soft_dtw_gradient(torch.ones(2, 2), SoftDTWOptions(0.0))[1]
        tensor([[1., 0.],
                [0., 1.]])
    """
    lengths = (n, m, bandwidth)
    value, gradient = _solve_wide(cost.detach(), options, lengths, want_gradient=True)
    return value.to(cost.dtype), gradient.to(cost.dtype)


def kernel_for(tensor: Tensor) -> str:
    """Tell which kernel solves a cost that lies where this tensor does.

    Args:
        tensor: Any tensor.

    Returns:
        ``numba``, ``triton`` or ``torch``.

    Example:
        >>> kernel_for(torch.zeros(1, device="meta"))
        'torch'
    """
    return _kernel(tensor.device.type).name


def _solve_wide(
    cost: Tensor, options: SoftDTWOptions, lengths: Sequence[Lengths], *, want_gradient: bool
) -> tuple[Tensor, Tensor]:
    check_gamma(options.gamma)
    check_cost(cost)
    if forward_ad.unpack_dual(cost).tangent is not None:
        message = (
            "soft-DTW has no forward-mode derivative, and its cost carries a tangent: call "
            "loss.backward() or torch.autograd.grad, or multiply the tangent by soft_alignment"
        )
        raise ArgumentError(message)
    wide = cost.to(torch.promote_types(cost.dtype, torch.float32))
    tensors = (None if given is None else torch.as_tensor(given) for given in lengths)
    value, gradient = _warp(wide, *tensors, *options, want_gradient)
    return value, gradient


torch.library.define(
    "vtlearn::solve_soft_dtw",
    "(Tensor cost, Tensor? n, Tensor? m, Tensor? bandwidth, float gamma, float? dummy, "
    "bool smoothing, bool want_gradient) -> (Tensor, Tensor)",
)
_warp = torch.ops.vtlearn.solve_soft_dtw.default


@torch.library.impl("vtlearn::solve_soft_dtw", "CompositeExplicitAutograd")
def _(
    cost: Tensor,
    n: Tensor | None,
    m: Tensor | None,
    bandwidth: Tensor | None,
    gamma: float,
    dummy: float | None,
    smoothing: bool,
    want_gradient: bool,
) -> tuple[Tensor, Tensor]:
    options = SoftDTWOptions(gamma, dummy, smoothing)
    _check(cost, options, bandwidth)
    pairs = as_pairs(cost, n, m, bandwidth)
    solve = _kernel(cost.device.type).solve
    if not want_gradient:
        return solve(pairs, options, None).reshape(cost.shape[:-2]), cost.new_empty(0)
    gradient = torch.empty_like(cost)
    table = pair_last(gradient)
    value = solve(pairs, options, table).reshape(cost.shape[:-2])
    if table.data_ptr() != gradient.data_ptr():  # its leading shape could not be flattened in place
        gradient.copy_(fold_back(table, cost))
    return value, gradient


@torch.library.register_fake("vtlearn::solve_soft_dtw")  # type: ignore[untyped-decorator]
def _(
    cost: Tensor,
    n: Tensor | None,
    m: Tensor | None,
    bandwidth: Tensor | None,
    gamma: float,
    dummy: float | None,
    smoothing: bool,
    want_gradient: bool,
) -> tuple[Tensor, Tensor]:
    del n, m, bandwidth, gamma, dummy, smoothing
    gradient = torch.empty_like(cost) if want_gradient else cost.new_empty(0)
    return cost.new_empty(cost.shape[:-2]), gradient


def _check(cost: Tensor, options: SoftDTWOptions, bandwidth: Tensor | None) -> None:
    if cost.dtype not in (torch.float32, torch.float64):
        message = f"the operator takes float32 or float64, not {cost.dtype}: call soft_dtw or s2dtw"
        raise ArgumentError(message)
    if options.dummy is not None and not math.isfinite(options.dummy):
        message = f"dummy is {options.dummy}, and has to be a finite cost, or None for no dummies"
        raise ArgumentError(message)
    if options.weak and bandwidth is not None:
        message = "S2DTW has no bands: what lies between two dummies has no diagonal to keep to"
        raise ArgumentError(message)


def _keep_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    cost, n, m, bandwidth, *ctx.options = inputs
    ctx.mark_non_differentiable(output[1])
    # what traces a graph has tensors of its own kinds, and sees only what is saved by the rules
    traced = type(output[1]) is not Tensor
    ctx.save_for_backward(cost, n, m, bandwidth, output[1] if traced else None)
    ctx.gradient = None if traced else output[1]


def _backward(ctx: Any, arriving: Tensor, _: Any) -> tuple[Any, ...]:
    if torch.is_grad_enabled():  # a constant would pass for the gradient's own gradient
        message = (
            "soft-DTW can be differentiated once, not twice, and its gradient was asked for with "
            "create_graph=True: take it without, or keep soft-DTW out of that graph"
        )
        raise ArgumentError(message)
    *inputs, saved = ctx.saved_tensors
    scale = arriving[..., None, None]
    if saved is not None:
        return saved * scale, *(None,) * 7
    gradient, ctx.gradient = ctx.gradient, None
    if gradient is None:  # it went with the first backward over this graph
        gradient = _warp(*inputs, *ctx.options)[1]
    if torch._C._functorch.is_legacy_batchedtensor(arriving):  # noqa: SLF001
        # several gradients at once
        return gradient * scale, *(None,) * 7
    # in place: to touch as much new memory would take as long as a quarter of the kernel
    return gradient.mul_(scale), *(None,) * 7


torch.library.register_autograd("vtlearn::solve_soft_dtw", _backward, setup_context=_keep_gradient)


@torch.library.register_vmap("vtlearn::solve_soft_dtw")  # type: ignore[untyped-decorator]
def _(
    info: Any, axes: tuple[int | None, ...], cost: Tensor, *others: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int, int | None]]:
    """Solve what is mapped as one stack with a leading axis more."""
    size, leading = info.batch_size, cost.ndim - 2 - (axes[0] is not None)
    whole = cost.expand(size, *cost.shape) if axes[0] is None else cost.movedim(axes[0], 0)
    lengths = (
        given if axis is None else _with_axes(given.movedim(axis, 0), leading)
        for given, axis in zip(others[:3], axes[1:4], strict=True)
    )
    want_gradient = others[-1]
    return _warp(whole, *lengths, *others[3:]), (0, 0 if want_gradient else None)


def _with_axes(lengths: Tensor, count: int) -> Tensor:
    """Insert axes behind the first until that many follow it."""
    size, *rest = lengths.shape
    return lengths.reshape(size, *[1] * (count - len(rest)), *rest)


@functools.cache
def _kernel(device: str) -> _Kernel:
    # the choice: a further kernel is a further line
    if device == "cpu":
        return _load("numba", "vtlearn.alignment.cpu.soft_dtw", "pip install 'vtlearn[fast]'")
    if device == "cuda" and torch.version.hip is None:
        return _load("triton", "vtlearn.alignment.gpu.soft_dtw", "torch's CUDA builds bring it")
    return _TORCH


def _load(package: str, module: str, hint: str) -> _Kernel:
    try:
        solve: Solver = import_module(module).solver()
    except ImportError as error:
        message = f"soft-DTW runs without its fast kernel, in plain torch: {error} ({hint})"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return _TORCH
    return _Kernel(package, solve)
