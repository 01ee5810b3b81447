"""Ids like YouTube's, with those that readers trip over: they begin with ``-`` or ``_``."""

import string

import numpy as np

__all__: list[str] = []

LETTERS = string.ascii_letters + string.digits
LENGTH = 11
# What one id in five has, in turn, and where.
TRAPS = (("_", 0), ("-", 0), ("_", 5), ("-", 5), ("_", LENGTH - 1))


def draw_video_ids(rng: np.random.Generator, count: int) -> list[str]:
    """Draw ids of videos.

    Args:
        rng: Where chance comes from.
        count: How many.

    Returns:
        Different ids of 11 characters; the first begins with ``_``, the second with ``-``, the
        third has an ``_`` inside, and so on.

    Example:
        >>> draw_video_ids(np.random.default_rng(0), 3)
        ['_NFqtcebkYO', '-FL8TNHI5rY', 'Pay1I_VT0kf']
    """
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        letters = [LETTERS[index] for index in rng.integers(len(LETTERS), size=LENGTH)]
        trap, place = TRAPS[len(drawn) % len(TRAPS)]
        letters[place] = trap
        drawn["".join(letters)] = None
    return list(drawn)


def video_url(video_id: str) -> str:
    """Return the address that a video would have.

    Args:
        video_id: Its id.

    Returns:
        The address; nothing is there.
    """
    return f"https://www.youtube.com/watch?v={video_id}"
