"""Several processes as one: the only file that knows ``torch.distributed``.

A loss that contrasts over the whole batch needs everybody's features, and its gradient has to reach
the process that computed them. :func:`gather` does both exactly: its backward sums what all
processes ask of a feature, so that W processes train as one would on the whole batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["Process", "gather", "gather_objects", "process"]


class Process(NamedTuple):
    """This process among those that train or evaluate together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
    """

    rank: int
    world: int


def process() -> Process:
    """Tell which process this is; number 0 of 1 where nothing is distributed.

    Example:
        >>> process()
        Process(rank=0, world=1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return Process(0, 1)
    return Process(distributed.get_rank(), distributed.get_world_size())


def gather(x: Tensor) -> Tensor:
    """Give every process the rows of all processes, in the order of their ranks.

    The backward sums the gradients that all processes have for a row and hands it to the row's
    owner. With a loss of each process's own rows, scaled as ``HeadOutput`` says, the gradients
    after DDP's averaging are those of one process on the whole batch, also for parameters used
    after the gather.

    Args:
        x: (rows, ...), the same shape on every process.

    Returns:
        (world x rows, ...); ``x`` itself where there is one process.
    """
    if process().world == 1:
        return x
    gathered: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return gathered


def gather_objects(value: Any) -> Sequence[Any]:
    """Give every process what each process holds, in the order of their ranks.

    Args:
        value: Anything that pickles.

    Returns:
        One value a process.

    Example:
        >>> gather_objects({"a": 1})
        [{'a': 1}]
    """
    world = process().world
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    distributed.all_gather_object(values, value)
    return values


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: FunctionCtx, x: Tensor) -> Tensor:
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        # all_reduce and slice rather than reduce_scatter, which gloo does not have
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
