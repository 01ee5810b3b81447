"""Open a published checkpoint, and find the weights in it.

Such files are pickles. They are read as weights and plain values, with the options of an argument
parser allowed; anything else could run code, and is read only where the user trusts the file.
"""

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.serialization import safe_globals

from vtlearn.errors import CheckpointError

__all__: list[str] = []

Container = Literal["flat", "state_dict", "model"]

_PREFIXES = ("module.", "mmmodel.")  # of DataParallel, and of fairseq's task
_CONTAINERS: tuple[Container, ...] = ("state_dict", "model")
_REFUSED = re.compile(r"(?:[Uu]nsupported (?:global: )?GLOBAL|but got(?: <class)?) (\S+)")
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


class PublishedFile(NamedTuple):
    """What a published checkpoint holds.

    Attributes:
        path: The file.
        container: Where its weights are: at the top, or under a key of this name.
        prefixed: Whether their names began with ``module.``, as DataParallel saves them.
        weights: Weights by the authors' names without any prefix; half precision is float32.
        dropped: Names of what is not a weight, or no model has any more (``position_ids``).
    """

    path: Path
    container: Container
    prefixed: bool
    weights: dict[str, Tensor]
    dropped: list[str]


def load_content(path: Path, *, trust_pickle: bool = False) -> Any:
    """Load what ``torch.save`` wrote.

    Args:
        path: The file.
        trust_pickle: Whether to load anything that is pickled in it, which may run code of its
            author. Classes that are not installed, such as fairseq's, are not needed even then.

    Returns:
        Its content, on the CPU.

    Raises:
        CheckpointError: If it cannot be read, holds more than weights and plain values and is not
            trusted, or is a folder of :mod:`vtlearn.model_folder` or its weights alone.
    """
    _refuse_model_folder(path)
    options: dict[str, Any] = {"map_location": "cpu"}
    try:
        options["mmap"] = zipfile.is_zipfile(path)  # files of before torch 1.6 are not
        if trust_pickle:
            return torch.load(path, weights_only=False, pickle_module=_LENIENT, **options)
        with safe_globals([argparse.Namespace]):
            return torch.load(path, weights_only=True, **options)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise CheckpointError(message) from error
    except Exception as error:  # torch raises many kinds for a file that is not a checkpoint
        raise CheckpointError(_unreadable(path, error)) from error


def find_weights(path: Path, content: Any) -> PublishedFile:
    """Find the weights in what a checkpoint holds, and strip what was put before their names.

    Args:
        path: The file, for what errors say.
        content: What :func:`load_content` returned.

    Returns:
        Its weights.

    Raises:
        CheckpointError: If there are none.

    Example:
        >>> content = {"model": {"mmmodel.a.LayerNorm.gamma": torch.ones(2)}}
        >>> found = find_weights(Path("x.pt"), content)
        >>> found.container, found.weights
        ('model', {'a.LayerNorm.weight': tensor([1., 1.])})
    """
    container, named = _unwrapped(path, content)
    weights: dict[str, Tensor] = {}
    dropped: list[str] = []
    for name, value in named.items():
        plain = _plain_name(name)
        if not isinstance(value, Tensor) or plain.endswith("embeddings.position_ids"):
            dropped.append(plain)
        else:
            weights[plain] = _widened(value)
    prefixed = any(name.startswith(_PREFIXES[0]) for name in named)
    return PublishedFile(path, container, prefixed, weights, dropped)


def _refuse_model_folder(path: Path) -> None:
    """Refuse a converted model, whose weights torch.load would open without what they are of."""
    folder = path if path.is_dir() else path.parent
    if (folder / "config.json").is_file() and (path.is_dir() or path.suffix == ".safetensors"):
        message = (
            f"{path} is not a published file: config.json says how its model is built. --weights "
            f"and vtlearn.load open the folder {folder}"
        )
        raise CheckpointError(message)


def _unwrapped(path: Path, content: Any) -> tuple[Container, dict[str, Any]]:
    """Return where the weights are, and what is there, by name."""
    mapping = content if isinstance(content, Mapping) else {}
    candidates: list[tuple[Container, Any]] = [(key, mapping.get(key)) for key in _CONTAINERS]
    for container, found in [*candidates, ("flat", mapping)]:
        if isinstance(found, Mapping) and any(isinstance(x, Tensor) for x in found.values()):
            return container, {str(name): value for name, value in found.items()}
    keys = ", ".join(sorted(map(str, mapping))[:5]) or type(content).__name__
    message = (
        f"{path} holds no weights by name, at its top or under "
        f"{' or '.join(_CONTAINERS)}; it holds {keys}"
    )
    raise CheckpointError(message)


def _plain_name(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    for old, new in _OLD_NAMES.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    return name


def _widened(value: Tensor) -> Tensor:
    """Make float32 of half precision; wider values and counts stay."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def _unreadable(path: Path, error: Exception) -> str:
    refused = _REFUSED.search(str(error))
    if refused is None:
        what = type(error).__name__  # its words are about torch.load's arguments
        return (
            f"{path} cannot be read as a checkpoint ({what}): torch.save did not write it, or "
            "it is cut off"
        )
    name = refused[1].strip("`'.,>")
    return (
        f"{path} holds more than weights: {name} is pickled in it, and loading that may run code "
        "of its author. If you trust the file, let `vtlearn convert` read it with --trust-pickle, "
        "and use the folder that it writes"
    )


class _StandIn(dict[Any, Any]):
    """Takes the place of a class that is not installed: fairseq's options are not needed here."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "_StandIn":
        del args, kwargs
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        del args, kwargs
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        self["state"] = state

    def append(self, entry: Any) -> None:
        """Take an entry of a class of lists."""
        self[len(self)] = entry

    __hash__ = object.__hash__  # type: ignore[assignment]  # of constants, which are keys


class _LenientUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        with suppress(ImportError, AttributeError):
            return super().find_class(module, name)
        return _StandIn


def _load(file: Any, **options: Any) -> Any:
    return _LenientUnpickler(file, **options).load()


#: What ``torch.load`` asks of a module of pickling.
_LENIENT: Any = SimpleNamespace(
    __name__="pickle",
    Unpickler=_LenientUnpickler,
    load=_load,
    UnpicklingError=pickle.UnpicklingError,
)
