"""What ``torch.func`` makes of a cost, and how to refuse it where an operator cannot follow.

Transforms wrap tensors in layers. A layer of ``grad``, ``vjp`` or ``jacrev`` records a gradient by
rules of its own, which operators that bring their gradient along do not have; a layer of ``vmap``
hides the numbers, on which no decision can then be taken.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError

__all__: list[str] = []

_functorch = torch._C._functorch  # noqa: SLF001  # torch.func has no public question for it


def requires_gradient(cost: Tensor) -> bool:
    """Say whether a gradient is wanted of a cost, or of what ``vmap`` made it of.

    Example:
        >>> requires_gradient(torch.zeros(1, requires_grad=True))
        True
    """
    return any(layer.requires_grad for layer in _layers(cost))


def refuse_recorded(name: str, cost: Tensor) -> None:
    """Refuse a cost whose gradient ``torch.func`` records.

    Args:
        name: What the operator is called.
        cost: What it was given.

    Raises:
        ArgumentError: If a transform of ``torch.func`` asks for its gradient.

    Example:
        >>> refuse_recorded("otam", torch.zeros(1, requires_grad=True))
    """
    for layer in _layers(cost):
        if _is_wrapped(layer) and _functorch.is_gradtrackingtensor(layer) and layer.requires_grad:
            message = (
                f"{name} has no derivative by torch.func (grad, vjp, jacrev, hessian): call "
                "loss.backward() or torch.autograd.grad, which is as exact; of soft_dtw the "
                "gradient itself is soft_alignment"
            )
            raise ArgumentError(message)


def refuse_mapped(name: str, *given: Tensor | int | None) -> None:
    """Refuse tensors inside ``vmap`` whose numbers have to be looked at.

    Args:
        name: What is refused.
        given: What may be mapped; only tensors can be.

    Raises:
        ArgumentError: If one of them is inside ``vmap``.

    Example:
        >>> refuse_mapped("dtw", torch.zeros(1), None)
    """
    tensors = (each for each in given if isinstance(each, Tensor))
    for layer in (layer for tensor in tensors for layer in _layers(tensor)):
        if _is_wrapped(layer) and _functorch.is_batchedtensor(layer):
            message = (
                f"{name} cannot be inside torch.func.vmap: pass the whole stack, of which all "
                "leading axes are a batch"
            )
            raise ArgumentError(message)


def _layers(tensor: Tensor) -> Iterator[Tensor]:
    """Take off one layer after the other."""
    yield tensor
    while _is_wrapped(tensor):
        tensor = _functorch.get_unwrapped(tensor)
        yield tensor


def _is_wrapped(tensor: Tensor) -> bool:
    # what is traced by torch.compile has no layers, and must not be asked
    return not torch.compiler.is_compiling() and _functorch.is_functorch_wrapped_tensor(tensor)
