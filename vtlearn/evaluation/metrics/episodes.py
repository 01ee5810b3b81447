"""Episodes of few-shot recognition: which videos they have, and how many queries are right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_episodes", "episode_accuracy"]

_AT_A_TIME = 2**20  # numbers held at once; what is drawn depends on it


def draw_episodes(
    classes: Sequence[Sequence[Sequence[int]]],
    *,
    ways: int,
    videos: int,
    episodes: int,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Draw episodes: a set of classes, some of its classes, and some videos of each.

    Args:
        classes: Sets of classes, each as the positions of its videos; an episode is drawn inside
            one of the sets. Every set has ``ways`` classes or more, every class ``videos`` videos
            or more.
        ways: Classes of an episode.
        videos: Videos of each.
        episodes: How many episodes to draw.
        seed: Where the draws start.

    Returns:
        Positions, (episodes, ways, videos), all different within an episode.

    Example:
        >>> draw_episodes([[[0, 1], [2, 3], [4, 5]]], ways=2, videos=2, episodes=2)
        array([[[4, 5],
                [2, 3]],
        <BLANKLINE>
               [[1, 0],
                [3, 2]]])
    """
    flat = [of for group in classes for of in group]
    sizes = np.array([len(of) for of in flat])
    places = np.zeros((len(flat), sizes.max()), np.int64)
    for row, of in zip(places, flat, strict=True):
        row[: len(of)] = of
    counts = np.array([len(group) for group in classes])
    firsts = counts.cumsum() - counts
    rng = np.random.default_rng(seed)
    step = max(1, _AT_A_TIME // max(counts.max(), ways * places.shape[1]))
    parts = []
    for start in range(0, episodes, step):
        group = rng.integers(len(classes), size=min(step, episodes - start))
        chosen = firsts[group, None] + _distinct(rng, counts[group], ways)
        parts.append(places[chosen[..., None], _distinct(rng, sizes[chosen], videos)])
    return np.concatenate(parts)


def episode_accuracy(
    distance: NDArray[np.floating], episodes: NDArray[np.int64], shots: int
) -> NDArray[np.float64]:
    """Compute how many queries of each episode are nearest to their own class.

    A class is as far as its shots are on average. Where several classes are nearest, each is taken
    with the same probability.

    Args:
        distance: Of each video from each, (videos, videos); lower is better.
        episodes: Positions, (episodes, ways, videos): the first ``shots`` videos of a class are
            shown, its last one is the query.
        shots: Videos of a class that are shown.

    Returns:
        The share of queries that are right, (episodes,), from 0 to 1.

    Example:
        >>> distance = np.array([[0, 1, 9, 9], [1, 0, 9, 9], [9, 9, 0, 1], [9, 9, 1, 0]])
        >>> episode_accuracy(distance, np.array([[[0, 1], [2, 3]]]), shots=1)
        array([1.])
    """
    ways = episodes.shape[1]
    step = max(1, _AT_A_TIME // (ways * ways * shots))
    own = np.arange(ways)
    parts = []
    for start in range(0, len(episodes), step):
        some = episodes[start : start + step]
        query, shown = some[:, :, None, None, -1], some[:, None, :, :shots]
        far = distance[query, shown].mean(-1, dtype=np.float64)  # exact, in any order
        nearest = far == far.min(-1, keepdims=True)
        parts.append((nearest[:, own, own] / nearest.sum(-1)).mean(1))
    return np.concatenate(parts)


def _distinct(rng: np.random.Generator, sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Draw distinct numbers from 0 to below each size, (..., count), in random order."""
    keys = rng.random((*sizes.shape, int(sizes.max())))
    keys[np.arange(keys.shape[-1]) >= sizes[..., None]] = 2.0  # behind all others
    return keys.argsort(-1)[..., :count]
