"""Read an OPT that was published: a folder, or a name on the hub."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import ArgumentError
from vtlearn.heads.opt_pieces import PublishedPieces

__all__: list[str] = []

_LOG = logging.getLogger(__name__)

_FILES = "config.json, model.safetensors or pytorch_model.bin, vocab.json and merges.txt"


class Published(NamedTuple):
    """What a folder or the hub has.

    Attributes:
        model: A ``transformers.OPTForCausalLM``, in float32.
        pieces: Those of its tokenizer; None where there is none.
    """

    model: Any
    pieces: PublishedPieces | None


class UnreachableError(ArgumentError):
    """Weights that are in no folder, and that the hub does not give."""


def read_published(weights: str, *, download: bool) -> Published:
    """Read weights and tokenizer.

    Args:
        weights: A folder, or a name on the hub.
        download: Whether to ask the hub for what is not on this machine.

    Returns:
        The model and its tokenizer.

    Raises:
        UnreachableError: If they are neither a folder, nor to be had from the hub.
        ArgumentError: If they are not an OPT's, or lack some.
    """
    from transformers import AutoConfig, OPTConfig, OPTForCausalLM

    local = not download
    kind: Any = OPTForCausalLM
    config = _asked(weights, partial(AutoConfig.from_pretrained, weights, local_files_only=local))
    if not isinstance(config, OPTConfig):
        message = f"weights={weights} are of {config.model_type}, not of opt: give an OPT"
        raise ArgumentError(message)
    config.layerdrop = 0.0  # of a layer that is dropped, the adapter would be as well
    options = {"config": config, "local_files_only": local, "output_loading_info": True}
    model, report = _asked(weights, partial(kind.from_pretrained, weights, **options))
    tokenizer = _asked(weights, partial(_read_tokenizer, weights, download=download))
    missing = sorted(set(report["missing_keys"]) - {"lm_head.weight"})
    if missing:
        message = (
            f"weights={weights} lack {len(missing)} of OPT's weights, for example {missing[0]}: "
            f"give a whole model: {_FILES}"
        )
        raise ArgumentError(message)
    if tokenizer is None:
        return Published(model.float(), None)
    ids: dict[str, Any] = {"end": config.eos_token_id, "padding": config.pad_token_id}
    pieces = PublishedPieces(tokenizer, rows=config.vocab_size, **ids)
    return Published(model.float(), pieces)


def _read_tokenizer(weights: str, *, download: bool) -> str | None:
    from transformers import AutoTokenizer

    folder = Path(weights)
    has_files = (folder / "tokenizer.json").is_file() or (
        (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    )
    if folder.is_dir() and not has_files:
        _LOG.warning(
            "%s has no tokenizer (vocab.json and merges.txt): subwords are learned from the "
            "training captions, and the weights' vectors of words belong to others",
            weights,
        )
        return None
    tokenizer: Any = AutoTokenizer.from_pretrained(weights, local_files_only=not download)
    text: str = tokenizer.backend_tokenizer.to_str()
    return text


def _asked(weights: str, read: Callable[[], Any]) -> Any:
    """Read, and say what can be done where that fails."""
    try:
        return read()
    except (OSError, ValueError) as error:  # transformers has no kind of its own
        reason = " ".join(str(error).split()).partition(". ")[0][:200]
        if Path(weights).is_dir():
            message = f"weights={weights} cannot be read: the folder has to have {_FILES}"
        else:
            message = (
                f"weights={weights} is not a folder, and the hub does not give it: give a folder "
                f"with {_FILES}, such as those of https://huggingface.co/facebook/opt-125m"
            )
        message = f"{message} ({reason})"
        raise UnreachableError(message) from error
