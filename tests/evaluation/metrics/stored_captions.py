"""What make_caption_scores.py has stored: words and scores of 500 captions by pycocoevalcap."""

import json
from pathlib import Path
from typing import Any

from vtlearn.evaluation.metrics.ptb import tokenize

STORED: dict[str, Any] = json.loads(Path(__file__).with_name("caption_scores.json").read_text())


def stored_words() -> tuple[list[list[str]], list[list[list[str]]]]:
    """Return the words of candidates and of references, as Java's tokenizer gives them."""
    split = [[words.split(" ") if words else [] for words in item] for item in STORED["words"]]
    return [item[0] for item in split], [item[1:] for item in split]


def our_words() -> tuple[list[list[str]], list[list[list[str]]]]:
    """Return the words of candidates and of references, as ours gives them."""
    split = [[tokenize(caption) for caption in item] for item in STORED["captions"]]
    return [item[0] for item in split], [item[1:] for item in split]
