"""What is written of a step: plain sentences, as annotators caption a clip.

They are made of the narrator's words alone, so that a model that has learned from narration can
read them; nothing is misheard, late, or about something else.
"""

import numpy as np

from vtlearn.kitchen.script import Pair

__all__ = ["write_sentences", "write_vague_sentence"]

OPENINGS = (
    "now we",
    "go ahead and",
    "next i am going to",
    "you want to",
    "so just",
    "then",
    "i always",
    "let us",
)
ARTICLES = ("the", "your", "this", "some", "my")
ENDINGS = ("", " really well", " like this", " first", " together")


def write_sentences(rng: np.random.Generator, pair: Pair, count: int) -> list[str]:
    """Caption a step several times.

    Args:
        rng: Where chance comes from.
        pair: What is done in the step, and to what.
        count: How many captions, at most 200.

    Returns:
        Different sentences, each of which names the action and the ingredient.

    Example:
        >>> write_sentences(np.random.default_rng(0), Pair("chop", "carrot"), 2)
        ['i always chop some carrot together', 'then chop the carrot like this']
    """
    shape = (len(OPENINGS), len(ARTICLES), len(ENDINGS))
    chosen = rng.choice(np.prod(shape), size=count, replace=False)
    return [
        f"{OPENINGS[opening]} {pair.action} {ARTICLES[article]} {pair.ingredient}{ENDINGS[ending]}"
        for opening, article, ending in zip(*np.unravel_index(chosen, shape), strict=True)
    ]


def write_vague_sentence(rng: np.random.Generator, action: str) -> str:
    """Caption an action without saying what it is done to.

    Args:
        rng: Where chance comes from.
        action: The action.

    Returns:
        A sentence that is true of every step with that action.

    Example:
        >>> write_vague_sentence(np.random.default_rng(0), "chop")
        'i always chop it first'
    """
    opening, ending = rng.integers((len(OPENINGS), len(ENDINGS)))
    return f"{OPENINGS[opening]} {action} it{ENDINGS[ending]}"
