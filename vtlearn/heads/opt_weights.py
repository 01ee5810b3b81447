"""Read an OPT that was published: a folder, or a name on the hub."""

import logging
from typing import Any, NamedTuple

from vtlearn.encoders.hub import LANGUAGE_MODEL_FILES, read_config, read_model, read_tokenizer
from vtlearn.heads.opt_pieces import PublishedPieces

__all__: list[str] = []

_LOG = logging.getLogger(__name__)


class Published(NamedTuple):
    """What a folder or the hub has.

    Attributes:
        model: A ``transformers.OPTForCausalLM``.
        pieces: Those of its tokenizer; None where there is none.
    """

    model: Any
    pieces: PublishedPieces | None


def read_published(weights: str) -> Published:
    """Read weights and tokenizer.

    Args:
        weights: A folder, or a name on the hub.

    Returns:
        The model and its tokenizer.

    Raises:
        UnreadableWeightsError: If they cannot be read, lack some, or need not be read: a checkpoint
            brings all.
        ArgumentError: If they are not an OPT's.
    """
    from transformers import OPTConfig, OPTForCausalLM

    config = read_config(OPTConfig, weights, files=LANGUAGE_MODEL_FILES)
    config.layerdrop = 0.0  # of a layer that is dropped, the adapter would be as well
    model = read_model(OPTForCausalLM, weights, config, files=LANGUAGE_MODEL_FILES)
    tokenizer = read_tokenizer(weights)
    if tokenizer is None:
        _LOG.warning(
            "%s has no tokenizer (vocab.json and merges.txt): subwords are learned from the "
            "training captions, and the weights' vectors of words belong to others",
            weights,
        )
        return Published(model, None)
    ids: dict[str, Any] = {"end": config.eos_token_id, "padding": config.pad_token_id}
    return Published(model, PublishedPieces(tokenizer, rows=config.vocab_size, **ids))
