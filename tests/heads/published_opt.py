"""An OPT as it is published, small enough to be written in a test."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import OPTConfig, OPTForCausalLM

CAPTIONS = [
    f"{action} the {object_}"
    for action in ("chop", "stir", "fry", "pour")
    for object_ in ("carrot", "onion")
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "ffn_dim": 16,
    "max_position_embeddings": 32,
}


def publish(folder: Path, *, tokenizer: bool = True, **options: Any) -> Path:
    """Write random weights, and pieces learned from a few captions."""
    torch.manual_seed(5)
    model: Any = OPTForCausalLM(OPTConfig(**(SIZES | options)))
    model.save_pretrained(folder)
    if tokenizer:
        pieces = ByteLevelBPETokenizer()
        pieces.train_from_iterator(CAPTIONS, vocab_size=300, special_tokens=SPECIAL)
        pieces.save_model(str(folder))  # vocab.json and merges.txt
    return folder
