"""Let configurations outlive a move of our classes, as checkpoints do.

A class path that begins with ``vtlearn.`` and leads nowhere any more is resolved by its last word
among the public classes, which are those that a configuration may name. Paths that still lead
somewhere stay what they are, and so does everything that is not ours.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonargparse import get_loader, set_loader
from pytorch_lightning import Callback
from torch.optim.lr_scheduler import LRScheduler
from yaml import YAMLError

import vtlearn.callbacks
import vtlearn.datamodules
import vtlearn.encoders.text
import vtlearn.encoders.video
import vtlearn.heads
import vtlearn.schedule
from vtlearn.datamodules.base import VideoTextData
from vtlearn.hyperparameters import Configurable, public_path

__all__: list[str] = []

PARSER_MODE = "vtlearn"
"""The mode of a jsonargparse parser that reads YAML with moved classes."""

#: Where classes are found by their last word.
_PUBLIC = (
    vtlearn.heads,
    vtlearn.encoders.video,
    vtlearn.encoders.text,
    vtlearn.schedule,
    vtlearn.datamodules,
    vtlearn.callbacks,
)
_BASES = (Configurable, LRScheduler, VideoTextData, Callback)
_OURS = re.compile(r"vtlearn(\.[^\W\d]\w*)+")


def current_class_path(path: str) -> str:
    """Return where the class of a path is now.

    Args:
        path: What a configuration or the command line says, a class path or anything else.

    Returns:
        The public path of our class with the same last word, if the path begins with ``vtlearn.``
        and leads nowhere. Where parts of several kinds have that name, the last word alone: the
        parser chooses by the kind that it needs. Anything else is returned as it is.

    Example:
        >>> current_class_path("vtlearn.heads.old.place.S2DTW")
        'vtlearn.heads.S2DTW'
        >>> current_class_path("mine.old.place.S2DTW")
        'mine.old.place.S2DTW'
    """
    if not _OURS.fullmatch(path):
        return path
    name = path.rpartition(".")[2]
    found = {public_path(kind) for kind in _public_classes(name)}
    if not found or _exists(path):
        return path
    return found.pop() if len(found) == 1 else name


def with_current_classes(value: Any) -> Any:
    """Return a configuration with the class paths of moved classes as they are now.

    Args:
        value: What YAML holds: mappings, lists and plain values, however nested.

    Example:
        >>> with_current_classes({"head": {"class_path": "vtlearn.old.S2DTW"}, "seed": 0})
        {'head': {'class_path': 'vtlearn.heads.S2DTW'}, 'seed': 0}
    """
    if isinstance(value, dict):
        return {key: with_current_classes(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_current_classes(entry) for entry in value]
    return current_class_path(value) if isinstance(value, str) else value


def _public_classes(name: str) -> Iterator[type]:
    for module in _PUBLIC:
        found = vars(module).get(name) if name in module.__all__ else None
        if isinstance(found, type) and issubclass(found, _BASES):
            yield found


def _exists(path: str) -> bool:
    module, _, name = path.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False


_load_yaml: Callable[[str], Any] = get_loader("yaml")


def _load(text: str) -> Any:
    return with_current_classes(_load_yaml(text))


# jsonargparse reads all that is YAML by the loader of the parser's mode: configurations, the files
# that these name in turn, and what is typed
set_loader(PARSER_MODE, _load, (YAMLError,))
