"""Open checkpoints without running anything that they name.

A checkpoint opens with ``weights_only=True`` and names the classes that its model is made of. A
name is looked up, never imported: among vtlearn's own public classes and torch's optimisers by its
last word, so that checkpoints outlive a move of their classes; else among the classes that this
process has imported already. Anything else has to be named by the user, or the file to be trusted.
"""

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import yaml
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import vtlearn.encoders.text
import vtlearn.encoders.video
import vtlearn.heads
import vtlearn.schedule
from vtlearn.errors import CheckpointError
from vtlearn.hyperparameters import Configurable, public_path

if TYPE_CHECKING:
    from vtlearn.learner import VideoTextLearner

__all__ = [
    "fit_names",
    "hyperparameters",
    "load",
    "mismatch",
    "read_checkpoint",
]

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
_TRAINING = ("optimizer", "scheduler")  # what only training has a use for
_COMPILED = "_orig_mod."  # what torch.compile puts into the names of weights


def load(
    path: Path | str, *, trust: bool = False, device: str | torch.device = "cpu"
) -> "VideoTextLearner":
    """Build the model of a checkpoint, with its weights and vocabulary, ready to encode.

    Args:
        path: A checkpoint that ``vtlearn fit`` or a Trainer wrote.
        trust: Whether to import classes that the checkpoint names and this process does not know,
            which may run any code. The class of an encoder of your own is known once its module is
            imported.
        device: Where the model goes.

    Returns:
        The learner, in evaluation mode. It needs no datamodule to encode.

    Raises:
        CheckpointError: If it is not a vtlearn checkpoint, or names a class that is not known.

    Example:
        >>> load("absent.ckpt")
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: absent.ckpt: No such file or directory
    """
    from vtlearn.learner import VideoTextLearner  # it imports this module

    path = Path(path)
    content = read_checkpoint(path)
    known = _Known(path, trust=trust)
    given = {
        name: value for name, value in content["hyper_parameters"].items() if name not in _TRAINING
    }
    learner = VideoTextLearner(**_arguments(VideoTextLearner, given, known, _build))
    learner.on_load_checkpoint(content)
    learner.load_state_dict(content["state_dict"])
    return learner.to(device).eval()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's content; tensors stay on disk until they are used.

    Args:
        path: The file.

    Returns:
        What it holds: ``hyper_parameters`` and ``state_dict`` at least, on the CPU.

    Raises:
        CheckpointError: If it cannot be read, or is not a vtlearn checkpoint.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise CheckpointError(message) from error
    except Exception as error:  # torch raises many kinds for a file that is not a checkpoint
        message = f"{path} is not a vtlearn checkpoint: {str(error).splitlines()[0]}"
        raise CheckpointError(message) from error
    wanted = ("hyper_parameters", "state_dict")
    missing = [
        key
        for key in wanted
        if not isinstance(content, Mapping) or not isinstance(content.get(key), Mapping)
    ]
    if missing:
        message = f"{path} is not a vtlearn checkpoint: it has no {' and no '.join(missing)}"
        raise CheckpointError(message)
    return dict(content)


def hyperparameters(
    path: Path, *, trust: bool = False, named: Iterable[str] = (), training: bool = False
) -> dict[str, Any]:
    """Read how a checkpoint's model is built, with every class name resolved.

    Args:
        path: The checkpoint.
        trust: Whether to import classes that are not known otherwise.
        named: Class paths that the user names; these may be imported.
        training: Whether optimiser and scheduler are wanted as well.

    Returns:
        The learner's arguments in plain values; each class path in it is safe to import.

    Raises:
        CheckpointError: If it is not a vtlearn checkpoint, or names a class that is not known.
    """
    from vtlearn.learner import VideoTextLearner  # it imports this module

    content = read_checkpoint(path)
    given = {
        str(name): value
        for name, value in content["hyper_parameters"].items()
        if name != "_instantiator" and (training or name not in _TRAINING)
    }
    return _arguments(VideoTextLearner, given, _Known(path, trust=trust, named=named), _config)


def fit_names(own: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Rename weights where either model was compiled and the other not.

    Args:
        own: The names of the model's weights.
        given: Weights by name.

    Returns:
        The weights, under the model's names where these differ by compilation only.

    Example:
        >>> fit_names(["head.scale"], {"head._orig_mod.scale": 1})
        {'head.scale': 1}
    """
    names = {name.replace(_COMPILED, ""): name for name in own}
    plain = ((name.replace(_COMPILED, ""), name, value) for name, value in given.items())
    return {names.get(short, name): value for short, name, value in plain}


def mismatch(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Say how the weights of a checkpoint differ from those of a model, and what to do about it.

    Args:
        own: The model's weights and vocabularies by name.
        given: The checkpoint's.

    Returns:
        A sentence, with the first name of each kind of difference.
    """
    reshaped = [
        f"{name}, {tuple(given[name].shape)} there and {tuple(own[name].shape)} here"
        for name in own
        if not name.endswith("_extra_state")  # a vocabulary may be of any size
        and isinstance(given.get(name), Tensor)
        and given[name].shape != own[name].shape
    ]
    differences = {
        "missing in the checkpoint": [name for name in own if name not in given],
        "unknown to the model": [name for name in given if name not in own],
        "of another shape": reshaped,
    }
    lines = [
        f"  {len(names)} {what}, for example {names[0]}"
        for what, names in differences.items()
        if names
    ]
    return "\n".join(
        [
            "the checkpoint is one of another model:",
            *lines,
            "Leave the model's options out to take them from the checkpoint, or give those it was "
            "trained with.",
        ]
    )


class _Known:
    """The classes that a checkpoint may name.

    Args:
        path: The checkpoint, for what errors say.
        trust: Whether it may have anything imported.
        named: Class paths that the user names.
    """

    def __init__(self, path: Path, *, trust: bool, named: Iterable[str] = ()) -> None:
        self.path = path
        self._trust = trust
        paths = [name for name in named if "." in name]
        self._named = {name.rpartition(".")[2]: name for name in paths} | {
            name: name for name in paths
        }

    def find(self, path: str, bases: tuple[type, ...]) -> type:
        """Return the class that a path means.

        Args:
            path: What the checkpoint says.
            bases: What the class has to derive from, one of them.

        Raises:
            CheckpointError: If no class that is known is meant.
        """
        package, _, name = path.rpartition(".")
        found: Any = None
        if package.split(".")[0] in ("", *_OURS):
            found = _public(name, bases)
        if found is None:
            found = _imported(path)
        named = self._named.get(path, self._named.get(name))
        if found is None and (named is not None or self._trust):
            found = self._import(named or path)
        if isinstance(found, type) and issubclass(found, bases):
            return found
        raise self.refused(path, bases)

    def refused(self, path: str, bases: tuple[type, ...]) -> CheckpointError:
        """Make the error about a name that cannot be followed."""
        kinds = " or ".join(base.__name__ for base in bases)
        return CheckpointError(
            f"{self.path} names {path!r}, which is neither a {kinds} of vtlearn or torch nor one "
            "that is imported already, and it could run any code. If you know it, name it in your "
            "configuration or on the command line; if you trust the file, give --trust_checkpoint "
            "(in Python: import its module, or load(path, trust=True))"
        )

    def _import(self, path: str) -> Any:
        module, _, name = path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name, None)
        except (ImportError, ValueError) as error:
            message = f"{self.path} names {path!r}, which cannot be imported: {error}"
            raise CheckpointError(message) from error


def _public(name: str, bases: tuple[type, ...]) -> type | None:
    found = (vars(module).get(name) for module in _PUBLIC)
    return next(
        (kind for kind in found if isinstance(kind, type) and issubclass(kind, bases)), None
    )


def _imported(path: str) -> Any:
    """Follow a path through what is imported; a module's own ``__getattr__`` is not asked."""
    parts = path.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        value: Any = sys.modules.get(".".join(parts[:depth]))
        if value is not None:
            for part in parts[depth:]:
                value = (
                    vars(value).get(part) if isinstance(value, (type, types.ModuleType)) else None
                )
            return value
    return None


_Make = Callable[[type, dict[str, Any]], Any]


def _config(kind: type, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": public_path(kind), "init_args": arguments}


def _build(kind: type, arguments: dict[str, Any]) -> Any:
    return kind(**arguments)


def _arguments(kind: type, given: Mapping[str, Any], known: _Known, make: _Make) -> dict[str, Any]:
    """Resolve what a constructor is given; each value by the annotation of its argument."""
    hints = _hints(kind)
    for name in given:
        if not name.isidentifier():  # the parser would read a dot in it as a path of keys
            raise known.refused(name, _BASES)
    return {
        name: _value(value, _Hint.of(hints.get(name, Any)), known, make)
        for name, value in given.items()
    }


def _value(value: Any, hint: "_Hint", known: _Known, make: _Make) -> Any:
    if isinstance(value, Mapping):
        if any("class_path" in str(key) for key in value):
            return _spec(value, hint, known, make)
        return {key: _value(entry, hint, known, make) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(entry, hint, known, make) for entry in value]
    if isinstance(value, str):
        return _text(value, hint, known, make)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    message = f"{known.path} holds a {type(value).__name__} where a model's argument should be"
    raise CheckpointError(message)


def _spec(spec: Mapping[str, Any], hint: "_Hint", known: _Known, make: _Make) -> Any:
    path, arguments = spec.get("class_path"), spec.get("init_args", {})
    if not (set(spec) <= _SPEC and isinstance(path, str) and isinstance(arguments, Mapping)):
        raise known.refused(str(dict(spec)), hint.bases)
    kind = known.find(path, hint.bases)
    return make(kind, _arguments(kind, arguments, known, make))


def _text(value: str, hint: "_Hint", known: _Known, make: _Make) -> Any:
    """Let a text pass, unless the parser would take it for the path of a class or function."""
    if _hides_class(value):
        raise known.refused(value, hint.bases)
    is_path = "." in value and all(part.isidentifier() for part in value.split("."))
    if hint.is_plain or not (is_path or hint.is_class):
        return Path(value) if hint.is_file and make is _build else value
    return make(known.find(value, hint.bases), {})


def _hides_class(text: str) -> bool:
    """Tell whether a text is YAML that holds a class path, which the parser would follow."""
    if "class" not in text and "\\" not in text:  # nearly all texts; YAML may escape letters
        return False
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    shown = "" if isinstance(content, str) else str(content)
    return "class_path" in shown or "\\" in shown


class _Hint(NamedTuple):
    """What an argument's annotation allows.

    Attributes:
        is_plain: Whether a text stays a text: strings, files and numbers are meant.
        is_class: Whether only a class is meant, so that any text names one.
        is_file: Whether a file's path is meant.
        bases: What a class has to derive from, one of them.
    """

    is_plain: bool
    is_class: bool
    is_file: bool
    bases: tuple[type, ...]

    @classmethod
    def of(cls, annotation: Any) -> "_Hint":
        leaves = list(_leaves(annotation))
        bases = tuple(
            leaf for leaf in leaves if isinstance(leaf, type) and issubclass(leaf, _BASES)
        )
        is_plain = all(leaf in _PLAIN for leaf in leaves)
        is_class = bool(bases) and not any(leaf in (str, Any) for leaf in leaves)
        return cls(is_plain, is_class, Path in leaves and str not in leaves, bases or _BASES)


_PLAIN = frozenset({str, int, float, bool, complex, bytes, type(None), Path, Any, object})


def _leaves(annotation: Any) -> Iterable[Any]:
    """Yield the types that an annotation is made of; of a callable, what it returns."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        yield from {type(value) for value in arguments}
    elif origin is typing.Annotated:
        yield from _leaves(arguments[0])
    elif origin is Callable or annotation is Callable:
        yield Callable
        yield from _leaves(arguments[-1]) if arguments else ()
    elif arguments:
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _leaves(argument)
    elif annotation not in (list, tuple, dict, set):
        yield annotation


def _hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a constructor's arguments, those of its bases included."""
    hints: dict[str, Any] = {}
    for base in reversed(inspect.getmro(kind)):
        constructor = vars(base).get("__init__")
        if inspect.isfunction(constructor):
            try:
                found = typing.get_type_hints(constructor)
            except (NameError, TypeError):  # a name that is imported for checking only
                found = dict.fromkeys(inspect.signature(constructor).parameters, Callable)
            named = inspect.signature(constructor).parameters
            hints |= {name: found.get(name, Any) for name in named}
    return hints
