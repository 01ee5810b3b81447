"""Parts of a model that know how they were built, so that a checkpoint can say so.

Encoders and heads are parts. What they were given is kept as plain class paths and arguments, never
as pickled objects: a checkpoint made of them opens with ``torch.load(weights_only=True)``.
"""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

from torch import nn

from vtlearn.errors import ArgumentError

__all__ = ["Part", "describe", "describe_callable"]


class Part(nn.Module):
    """A module that remembers the arguments of its constructor.

    Example:
        >>> class Scale(Part):
        ...     def __init__(self, by: float = 1.0) -> None:
        ...         super().__init__()
        >>> describe(Scale(by=2.0))["init_args"]
        {'by': 2.0}
    """

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments before ``__init__`` runs."""
        part = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        bound = signature.bind_partial(part, *args, **kwargs)
        arguments = dict(list(bound.arguments.items())[1:])
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name, {})
        part.__dict__["arguments"] = arguments
        return part


def describe(value: Any) -> Any:
    """Say how to build a value again, in what JSON and YAML can hold.

    Args:
        value: A part, or what its constructor was given: numbers, strings, lists, other parts.

    Returns:
        ``{"class_path": ..., "init_args": {...}}`` for a part; anything else as it is.

    Raises:
        ArgumentError: If a value can be written neither as JSON nor as a part.
    """
    if isinstance(value, Part):
        arguments = {name: describe(given) for name, given in value.arguments.items()}
        return {"class_path": _path(type(value)), "init_args": arguments}
    if isinstance(value, (list, tuple)):
        return [describe(entry) for entry in value]
    if isinstance(value, dict):
        return {key: describe(entry) for key, entry in value.items()}
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    message = f"a checkpoint cannot say how to build {value!r}: give plain numbers and strings"
    raise ArgumentError(message)


def describe_callable(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """Say which class a factory builds, and with what.

    Args:
        factory: A class, or a ``functools.partial`` of one (which is what a configuration gives).

    Returns:
        ``{"class_path": ..., "init_args": {...}}``, or None for a function, whose content nobody
        can write down.

    Example:
        >>> describe_callable(partial(dict, a=1))
        {'class_path': 'builtins.dict', 'init_args': {'a': 1}}
    """
    outer = factory if isinstance(factory, partial) else partial(factory)
    kind = next((value for value in (outer.func, *outer.args) if isinstance(value, type)), None)
    if kind is None:
        return None
    try:
        return {"class_path": _path(kind), "init_args": describe(outer.keywords)}
    except ArgumentError:
        return None


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
