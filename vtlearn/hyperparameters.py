"""Parts of a model that remember how they were built, so that a checkpoint can say so.

Encoders and heads are configurable. What they were given is kept as plain class paths and
arguments, never as pickled objects: a checkpoint made of them opens with
``torch.load(weights_only=True)``.
"""

import inspect
import sys
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Self

from torch import nn

from vtlearn.errors import ArgumentError

__all__ = ["Configurable", "factory_to_config", "public_path", "to_config"]


class Configurable(nn.Module):
    """A module that remembers the arguments of its constructor.

    Example:
        >>> class Scale(Configurable):
        ...     def __init__(self, by: float = 1.0) -> None:
        ...         super().__init__()
        >>> to_config(Scale(by=2.0))["init_args"]
        {'by': 2.0}
    """

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments before ``__init__`` runs."""
        module = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        bound = signature.bind_partial(module, *args, **kwargs)
        arguments = dict(list(bound.arguments.items())[1:])
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name, {})
        module.__dict__["arguments"] = arguments
        return module


def to_config(value: Any) -> Any:
    """Describe how to build a value again, in what JSON and YAML can hold.

    Args:
        value: A configurable module, compiled or not, or what its constructor was given: numbers,
            strings, lists, other such modules.

    Returns:
        ``{"class_path": ..., "init_args": {...}}`` for a module; anything else as it is.

    Raises:
        ArgumentError: If a value can be written neither as JSON nor as a configurable module.
    """
    value = getattr(value, "_orig_mod", value)  # what torch.compile wraps
    if isinstance(value, Configurable):
        arguments = {name: to_config(given) for name, given in value.arguments.items()}
        return {"class_path": public_path(type(value)), "init_args": arguments}
    if isinstance(value, (list, tuple)):
        return [to_config(entry) for entry in value]
    if isinstance(value, dict):
        return {key: to_config(entry) for key, entry in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return to_config(value.value)
    if value is None or isinstance(value, bool):
        return value
    for plain in (int, float, str):
        if isinstance(value, plain):  # numpy's numbers too, which a checkpoint would not open with
            return plain(value)
    message = f"a checkpoint cannot say how to build {value!r}: give plain numbers and strings"
    raise ArgumentError(message)


def factory_to_config(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """Describe which class a factory builds, and with what.

    Args:
        factory: A class, or a ``functools.partial`` of one (which is what a configuration gives).

    Returns:
        ``{"class_path": ..., "init_args": {...}}``, or None for a function, whose content cannot be
        written down.

    Example:
        >>> factory_to_config(partial(dict, a=1))
        {'class_path': 'builtins.dict', 'init_args': {'a': 1}}
    """
    outer = factory if isinstance(factory, partial) else partial(factory)
    kind = next((value for value in (outer.func, *outer.args) if isinstance(value, type)), None)
    if kind is None:
        return None
    try:
        return {"class_path": public_path(kind), "init_args": to_config(outer.keywords)}
    except ArgumentError:
        return None


def public_path(kind: type) -> str:
    """Return the shortest path a class can be imported by: files may move, public names stay.

    Args:
        kind: Any class.

    Example:
        >>> from torch.optim.adamw import AdamW
        >>> public_path(AdamW)
        'torch.optim.AdamW'
    """
    module, name = kind.__module__, kind.__qualname__
    parts = module.split(".")
    packages = (".".join(parts[:depth]) for depth in range(1, len(parts)))
    exports = (
        where
        for where in packages
        if where in sys.modules and vars(sys.modules[where]).get(name) is kind
    )
    return f"{next(exports, module)}.{name}"
