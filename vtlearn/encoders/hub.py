"""Weights in transformers' format, from a folder or by their name on the Hugging Face hub.

transformers is imported by who calls, because that takes seconds.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError

from vtlearn.errors import ArgumentError
from vtlearn.parameters import are_weights_following

__all__ = [
    "LANGUAGE_MODEL_FILES",
    "UnreadableWeightsError",
    "explain_unreadable",
    "read_config",
    "read_model",
    "read_tokenizer",
]

_LOG = logging.getLogger(__name__)

MODEL_FILES = "config.json and model.safetensors (or pytorch_model.bin)"
"""What a folder of a model has, for messages."""

LANGUAGE_MODEL_FILES = (
    f"{MODEL_FILES.replace(' and ', ', ')}, vocab.json and merges.txt (or tokenizer.json)"
)
"""Likewise, of a model with a tokenizer."""


class UnreadableWeightsError(ArgumentError):
    """Weights that are not there, cannot be reached, are damaged, or follow in a checkpoint."""


def read_config(
    kind: Any, weights: str, argument: str = "weights", *, files: str = MODEL_FILES
) -> Any:
    """Read the sizes that weights were made with.

    Args:
        kind: A configuration class of transformers.
        weights: A folder that ``save_pretrained`` wrote, or a name on the hub.
        argument: What a user knows it under.
        files: What the folder should have, all that is read of it.

    Returns:
        The configuration.

    Raises:
        UnreadableWeightsError: If it cannot be read, or need not be: a checkpoint brings all.
        ArgumentError: If it is another architecture's.

    Example:
        >>> from transformers import TimesformerConfig
        >>> read_config(TimesformerConfig, "./absent")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        vtlearn.encoders.hub.UnreadableWeightsError: weights: './absent' is not a directory; ...
    """
    with explain_unreadable(weights, argument, files=files):
        if not Path(weights).is_dir():
            _LOG.info("looking for %s on the Hugging Face hub", weights)
        content, _ = kind.get_config_dict(weights)
        if "model_type" not in content:
            message = "config.json is missing, or names no model_type"
            raise OSError(message)
    if content["model_type"] != kind.model_type:
        message = (
            f"{argument}: {weights} are of model type {content['model_type']}, expected "
            f"{kind.model_type}"
        )
        raise ArgumentError(message)
    return kind.from_dict(content)


def read_model(
    kind: Any,
    weights: str,
    config: Any,
    argument: str = "weights",
    *,
    files: str = MODEL_FILES,
    unused: str | None = None,
) -> Any:
    """Build a model with its published weights, all of them.

    Args:
        kind: A model class of transformers.
        weights: A folder that ``save_pretrained`` wrote, or a name on the hub.
        config: What :func:`read_config` returned.
        argument: What a user knows them under.
        files: What the folder should have, all that is read of it.
        unused: A part whose weights may be missing, since nothing is computed by it.

    Returns:
        The model, in training mode and torch's default dtype. What the files have besides, such as
        a classifier, is left out.

    Raises:
        UnreadableWeightsError: If the files cannot be read, or weights are missing in them.
    """
    with explain_unreadable(weights, argument, files=files):
        model, info = kind.from_pretrained(weights, config=config, output_loading_info=True)
    names = sorted(str(name) for name in info["missing_keys"])
    missing = [name for name in names if unused not in name.split(".")]
    if missing:
        message = (
            f"{argument}: {weights} lack {len(missing)} weights of {kind.__name__}, for example "
            f"{missing[0]}: they are of another model, or damaged"
        )
        raise UnreadableWeightsError(message)
    return model.to(torch.get_default_dtype()).train()


def read_tokenizer(weights: str) -> str | None:
    """Read the tokenizer that weights were made with.

    Args:
        weights: A folder, or a name on the hub.

    Returns:
        The tokenizer as JSON, of the package tokenizers; None where a folder has none.

    Raises:
        UnreadableWeightsError: If the files cannot be read.
    """
    from transformers import AutoTokenizer

    folder = Path(weights)
    has_pieces = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if folder.is_dir() and not (has_pieces or (folder / "tokenizer.json").is_file()):
        return None
    kind: Any = AutoTokenizer
    with explain_unreadable(weights, files=LANGUAGE_MODEL_FILES):
        try:
            text: str = kind.from_pretrained(weights).backend_tokenizer.to_str()
        except Exception as error:  # tokenizers raises no kind of its own
            message = f"its tokenizer: {error}"
            raise OSError(message) from error
    return text


@contextmanager
def explain_unreadable(
    weights: str, argument: str = "weights", *, files: str = MODEL_FILES
) -> Iterator[None]:
    """Turn what transformers raises for files that cannot be read into one of our errors.

    Args:
        weights: A folder, or a name on the hub.
        argument: What a user knows it under.
        files: What the folder should have, all that is read of it.

    Raises:
        UnreadableWeightsError: If they cannot be read.
    """
    if are_weights_following():
        message = f"{argument}: {weights} were not read, because a checkpoint was to bring them"
        raise UnreadableWeightsError(message)
    if not Path(weights).is_dir() and _is_path(weights):
        message = (
            f"{argument}: {weights!r} is not a directory; give a folder with {files}, or a name on "
            "the hub (owner/name)"
        )
        raise UnreadableWeightsError(message)
    their_log = logging.getLogger("huggingface_hub")
    level = their_log.level
    their_log.setLevel(logging.ERROR)  # it tells of each attempt, and what is raised says it all
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        message = (
            f"{argument}: {weights} cannot be read ({reason}); expected a folder with {files}, as "
            "transformers' save_pretrained writes one"
            if Path(weights).is_dir()
            else f"{argument}: {weights} is not a directory, and cannot be read from the Hugging "
            f"Face hub ({reason}): download {files} from https://huggingface.co/{weights} where "
            f"it can be reached, and set {argument} to the folder that they are in"
        )
        raise UnreadableWeightsError(message) from error
    finally:
        their_log.setLevel(level)


def _is_path(weights: str) -> bool:
    """Tell whether a string cannot be a name on the hub, which is ``owner/name`` or ``name``."""
    return weights.startswith((".", "/", "~")) or "\\" in weights or weights.count("/") > 1
