"""Look up the classes that a checkpoint names, without importing what it names.

A checkpoint says how its model is built in class paths and plain values. The command line's parser
would import any path in them, also one hidden in a text that reads as JSON or YAML. So every value
is held against the annotation of the argument it is for, and refused unless it can only mean what
it says. A path is looked up by its last word among the public classes of vtlearn and torch, so that
checkpoints outlive a move of their classes; else among the classes that are imported already.
"""

import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import vtlearn.encoders.text
import vtlearn.encoders.video
import vtlearn.heads
import vtlearn.schedule
from vtlearn.errors import CheckpointError
from vtlearn.hyperparameters import Configurable, public_path

__all__ = ["ClassFinder", "resolve_arguments"]

#: Where classes are found by their last word.
_PUBLIC = (
    vtlearn.heads,
    vtlearn.encoders.video,
    vtlearn.encoders.text,
    vtlearn.schedule,
    torch.optim,
    torch.optim.lr_scheduler,
)
_OURS = ("vtlearn", "torch")  # the packages whose classes are found by their last word
_BASES = (Configurable, Optimizer, LRScheduler)
_SPEC = {"class_path", "init_args"}
_TEXTS = frozenset({str, Path, bytes})
_PLAIN = _TEXTS | {int, float, bool, complex, type(None)}
_DEEPEST, _MOST = 20, 10_000  # levels and values of what a model is built from

#: A text that no parser takes for a list, a mapping, or anything quoted.
_SIMPLE = re.compile(r"(?![-?] )[\w ./()+=-]*")
_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class ClassFinder:
    """Find the classes that a checkpoint may name.

    Args:
        path: The checkpoint, for what errors say.
        trust: Whether it may have any class imported.
        named: Class paths that the user gives; these may be imported, and stand for what the
            checkpoint names by the same last word.

    Example:
        >>> finder = ClassFinder(Path("x.ckpt"))
        >>> finder.find("vtlearn.heads.where.it.was.InfoNCE", (Configurable,)).__name__
        'InfoNCE'
        >>> finder.find("os.system", (Configurable,))
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: x.ckpt names the class 'os.system', which is not ...
    """

    def __init__(self, path: Path, *, trust: bool = False, named: Iterable[str] = ()) -> None:
        self.path = path
        self._trust = trust
        paths = [name for name in named if "." in name and _CLASS_PATH.fullmatch(name)]
        last_words = {name.rpartition(".")[2]: name for name in paths}
        self._named = last_words | {name: name for name in paths}

    def find(self, class_path: str, bases: tuple[type, ...]) -> type:
        """Return the class that a path means.

        Args:
            class_path: What the checkpoint says.
            bases: What the class has to derive from, one of them.

        Raises:
            CheckpointError: If no class that is known is meant.
        """
        for found in self._candidates(class_path, bases):
            if isinstance(found, type) and issubclass(found, bases):
                return found
        kinds = " or ".join(base.__name__ for base in bases)
        message = (
            f"{self.path} names the class {class_path!r}, which is not a {kinds} of vtlearn or "
            "torch, nor one that is imported already, and could run any code. If you know it, "
            "name it in a configuration or on the command line; if you trust the file, give "
            "--trust_checkpoint (in Python: import its module, or load(path, trust=True))"
        )
        raise CheckpointError(message)

    def _candidates(self, class_path: str, bases: tuple[type, ...]) -> Iterator[Any]:
        if not _CLASS_PATH.fullmatch(class_path):
            return
        package, _, name = class_path.rpartition(".")
        if package.split(".")[0] in ("", *_OURS):
            yield from (_exported(module, name, bases) for module in _PUBLIC)
        if package:
            yield _imported(class_path)
        named = self._named.get(class_path, self._named.get(name))
        if named is not None:
            yield self._import(named)
        elif self._trust and package:
            yield self._import(class_path)

    def _import(self, class_path: str) -> Any:
        module, _, name = class_path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name, None)
        except Exception as error:  # whatever the module raises
            message = (
                f"{self.path} needs the class {class_path}, which cannot be imported: {error} "
                "(`python -m vtlearn` finds modules of the working directory)"
            )
            raise CheckpointError(message) from error


def resolve_arguments(kind: type, given: Mapping[Any, Any], finder: ClassFinder) -> dict[str, Any]:
    """Resolve what a constructor is given; each value by the annotation of its argument.

    Args:
        kind: The class.
        given: Values by argument, as a checkpoint has them.
        finder: Knows the classes that they may name.

    Returns:
        The same in plain values. Each class path in it is one that is safe to import, and no text
        in it can be taken for one.

    Raises:
        CheckpointError: If a value may not be what it seems, or a class is not known.
    """
    return _Resolver(finder).arguments(kind, given)


class _Hint(NamedTuple):
    """What an argument's annotation allows.

    Attributes:
        leaves: The types it is made of; Callable for what can be called.
        bases: What a class has to derive from, one of them.
        is_class: Whether the annotation says so, and a text may name a class.
    """

    leaves: frozenset[Any]
    bases: tuple[type, ...]
    is_class: bool

    @classmethod
    def of(cls, annotation: Any) -> "_Hint":
        leaves = frozenset(_leaves(annotation))
        bases = tuple(x for x in leaves if isinstance(x, type) and issubclass(x, _BASES))
        return cls(leaves, bases or _BASES, bool(bases))

    def allows(self, text: str) -> bool:
        """Tell whether a text can only be meant as a text."""
        if self.leaves <= _PLAIN:
            return bool(self.leaves & _TEXTS)
        is_any = self.leaves <= {*_PLAIN, Any, object}
        is_word = "." not in text and bool(self.leaves & _TEXTS)
        return bool(_SIMPLE.fullmatch(text)) and (is_any or is_word)


class _Resolver:
    """Walks the values of one checkpoint, which may be as deep or many as an attacker likes."""

    def __init__(self, finder: ClassFinder) -> None:
        self._finder = finder
        self._count = 0

    def arguments(self, kind: type, given: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        hints = _hints(kind)
        for name in given:
            # the parser would read a dot in a name as a path of keys
            if not (isinstance(name, str) and name.isidentifier()):
                self._refuse(f"an argument {name!r} of {kind.__name__}")
        return {
            name: self._value(value, _Hint.of(hints.get(name, Any)), depth + 1)
            for name, value in given.items()
        }

    def _value(self, value: Any, hint: _Hint, depth: int) -> Any:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            self._refuse("a model of too many or too deeply nested values")
        if isinstance(value, Mapping):
            return self._mapping(value, hint, depth)
        if isinstance(value, (list, tuple)):
            return [self._value(entry, hint, depth + 1) for entry in value]
        if isinstance(value, str):
            return self._text(value, hint)
        if value is None or type(value) in (bool, int, float):
            return value
        return self._refuse(f"a {type(value).__name__} where a model's argument should be")

    def _mapping(self, value: Mapping[Any, Any], hint: _Hint, depth: int) -> Any:
        if "class_path" in value:
            path, arguments = value["class_path"], value.get("init_args", {})
            if not (
                set(value) <= _SPEC and isinstance(path, str) and isinstance(arguments, Mapping)
            ):
                self._refuse("a class with more than class_path and init_args")
            return self._spec(path, arguments, hint, depth)
        if not all(isinstance(key, str) and "class_path" not in key for key in value):
            self._refuse("a mapping whose keys are not plain texts")
        return {key: self._value(entry, hint, depth + 1) for key, entry in value.items()}

    def _text(self, value: str, hint: _Hint) -> Any:
        if hint.allows(value):
            return value
        if hint.is_class:  # which may be named without arguments
            return self._spec(value, {}, hint, depth=0)
        return self._refuse(f"the text {value[:80]!r}, which can be taken for a class or a call")

    def _spec(self, path: str, arguments: Mapping[Any, Any], hint: _Hint, depth: int) -> Any:
        kind = self._finder.find(path, hint.bases)
        return {
            "class_path": public_path(kind),
            "init_args": self.arguments(kind, arguments, depth + 1),
        }

    def _refuse(self, what: str) -> NoReturn:
        message = f"{self._finder.path} holds {what}: it was not written by vtlearn"
        raise CheckpointError(message)


def _exported(module: types.ModuleType, name: str, bases: tuple[type, ...]) -> Any:
    found = vars(module).get(name)
    return found if isinstance(found, type) and issubclass(found, bases) else None


def _imported(class_path: str) -> Any:
    """Follow a path through what is imported; a module's own ``__getattr__`` is not asked."""
    parts = class_path.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        value: Any = sys.modules.get(".".join(parts[:depth]))
        if value is not None:
            for part in parts[depth:]:
                is_open = isinstance(value, (type, types.ModuleType))
                value = vars(value).get(part) if is_open else None
            return value
    return None


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of; of a callable, also what it returns."""
    annotation = getattr(annotation, "__supertype__", annotation)  # NewType
    annotation = getattr(annotation, "__value__", annotation)  # `type X = ...`
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        yield from {type(value) for value in arguments}
    elif origin is typing.Annotated:
        yield from _leaves(arguments[0])
    elif Callable in (origin, annotation):
        yield Callable
        yield from _leaves(arguments[-1]) if arguments else ()
    elif arguments:
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _leaves(argument)
    elif isinstance(annotation, type) and issubclass(annotation, Collection):
        yield annotation if annotation in _TEXTS else Any  # a list of whatever
    else:
        yield annotation


def _hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a constructor's arguments, those of its bases included."""
    hints: dict[str, Any] = {}
    for base in reversed(inspect.getmro(kind)):
        constructor = vars(base).get("__init__")
        if inspect.isfunction(constructor):
            hints |= {
                name: _annotation(constructor, parameter)
                for name, parameter in inspect.signature(constructor).parameters.items()
            }
    return hints


def _annotation(constructor: types.FunctionType, parameter: inspect.Parameter) -> Any:
    if parameter.annotation is inspect.Parameter.empty:
        return Any
    alone = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return typing.get_type_hints(alone, globalns=constructor.__globals__)["it"]
    except Exception:  # noqa: BLE001 - a name that is imported for checking only, or nowhere
        return Callable  # which allows no text
