"""A model in a folder: weights in ``model.safetensors``, how to build it in ``config.json``.

Words do not fit among tensors: vocabularies are in ``vocabulary.json``. Nothing in these files can
run code.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.storage.atomic import replace_text, replacing

__all__ = ["FILES", "read_folder", "require_new_folder", "without_word_files", "write_folder"]

_FORMAT, _VERSION = "vtlearn-model", 1
_WEIGHTS, _CONFIG, _VOCABULARY = "model.safetensors", "config.json", "vocabulary.json"
_MODEL = ("video_encoder", "text_encoder", "head")
#: Arguments that name files of words, which ``vocabulary.json`` and the weights hold themselves.
_WORD_FILES = frozenset({"vocabulary", "embeddings"})

FILES = (_WEIGHTS, _CONFIG, _VOCABULARY)
"""The names of a model's files."""


def require_new_folder(folder: Path) -> None:
    """Refuse a folder in which files are already, so that none is overwritten.

    Args:
        folder: Where a model is to be written.

    Raises:
        ArgumentError: If it is a file, or a folder that is not empty.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        message = f"{folder} exists already, and nothing in it is overwritten: give a new folder"
        raise ArgumentError(message)


def write_folder(
    folder: Path,
    model: Mapping[str, Any],
    state_dict: Mapping[str, Any],
    *,
    clips: Mapping[str, Any] | None,
    source: Mapping[str, Any],
) -> None:
    """Write a model.

    Args:
        folder: Where to; it must be new or empty, and is made if it is missing.
        model: ``video_encoder``, ``text_encoder`` and ``head``, each with ``class_path`` and
            ``init_args``.
        state_dict: Weights, and vocabularies as JSON can hold them, by name.
        clips: How the clips were read that it was trained on; None where that is not known.
        source: Where the weights came from, in plain values.

    Raises:
        ArgumentError: If something is in the folder already.
    """
    require_new_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _apart({k: v for k, v in state_dict.items() if isinstance(v, Tensor)})
    words = {name: value for name, value in state_dict.items() if name not in tensors}
    replace_text(folder / _VOCABULARY, json.dumps(words, indent=0, ensure_ascii=False) + "\n")
    with replacing(folder / _WEIGHTS) as unfinished:
        save_file(tensors, unfinished, metadata={"format": "pt"})
        shutil.copymode(folder / _VOCABULARY, unfinished)  # safetensors lets its owner alone read
    config = {"format": _FORMAT, "version": _VERSION, "model": model, "clips": clips}
    text = json.dumps({**config, "source": source}, indent=2, ensure_ascii=False)
    replace_text(folder / _CONFIG, text + "\n")  # last: without it the folder is not a model


def without_word_files(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a part's description which files its words came from: the folder has them.

    Args:
        config: ``class_path`` and ``init_args`` of an encoder or a head.

    Returns:
        The same without those arguments, in its parts as well.

    Example:
        >>> config = {"class_path": "Bert", "init_args": {"vocabulary": "vocab.txt", "width": 8}}
        >>> without_word_files(config)
        {'class_path': 'Bert', 'init_args': {'width': 8}}
    """
    return dict(_without_word_files(config))


def read_folder(folder: Path) -> dict[str, Any]:
    """Read a model.

    Args:
        folder: What :func:`write_folder` wrote.

    Returns:
        ``hyper_parameters``, ``state_dict`` and ``clips`` as a checkpoint has them; ``source``.

    Raises:
        CheckpointError: If a file is missing, damaged, or of a later version.
    """
    config = _read_json(folder / _CONFIG)
    if config.get("format") != _FORMAT or config.get("version") != _VERSION:
        message = (
            f"{folder / _CONFIG} does not describe a model of vtlearn: expected format "
            f"{_FORMAT!r} in version {_VERSION}, got {config.get('format')!r} in version "
            f"{config.get('version')!r}"
        )
        raise CheckpointError(message)
    model = config.get("model")
    if not isinstance(model, dict) or not set(model) <= set(_MODEL):
        message = f"{folder / _CONFIG}: expected a model of {', '.join(_MODEL)}"
        raise CheckpointError(message)
    weights = folder / _WEIGHTS
    try:
        tensors = load_file(weights)
    except OSError as error:
        message = f"{weights}: {error.strerror or error}"
        raise CheckpointError(message) from error
    except SafetensorError as error:
        message = f"{weights} is damaged ({error}): convert the published file again"
        raise CheckpointError(message) from error
    return {
        "hyper_parameters": model,
        "state_dict": {**tensors, **_read_json(folder / _VOCABULARY)},
        "clips": config.get("clips"),
        "source": config.get("source"),
    }


def _without_word_files(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_word_files(v) for k, v in value.items() if k not in _WORD_FILES}
    return [_without_word_files(part) for part in value] if isinstance(value, list) else value


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give each tensor memory of its own, which tied weights share, and safetensors asks for."""
    seen: set[int] = set()
    apart = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if place in seen else value.contiguous()
        seen.add(place)
    return apart


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror or error}; vtlearn convert writes such a folder"
        raise CheckpointError(message) from error
    except ValueError as error:
        message = f"{path} is not valid JSON: {error}"
        raise CheckpointError(message) from error
    if not isinstance(content, dict):
        message = f"{path}: expected a JSON object, got {type(content).__name__}"
        raise CheckpointError(message)
    return content
