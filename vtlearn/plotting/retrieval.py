"""Pictures of retrieval: who is found by what, and how often within the first K."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.bootstrap import bootstrap_interval
from vtlearn.evaluation.metrics.retrieval import Ranks, expected_rank, ranks, recall_at
from vtlearn.plotting.colours import EDGE, LIKENESS_MAP, MARKERS, PATH, SERIES, UNKNOWN

__all__ = ["draw_recall_curves", "draw_retrieval_matrix"]

_LABEL_WIDTH = 42
_MOST_LABELS = 60  # with more they cannot be read
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw_retrieval_matrix(
    similarity: Tensor,
    labels: Sequence[str],
    *,
    relevant: Tensor | None = None,
    clips: Sequence[str] = (),
    title: str = "",
    colours: str = LIKENESS_MAP,
) -> Figure:
    """Draw how well each text fits each clip, which clips are right, and which are found first.

    A ring stands on the right clip of a text, a cross on a wrong one that is found first; to the
    right of each row stands the rank of the right clip, of several the best, under ties the mean.

    Args:
        similarity: (texts, clips), higher is better, any floating dtype.
        labels: The texts.
        relevant: The position of each text's right clip, (texts,), integers; or of several,
            (texts, most), padded with -1. None: text i belongs to clip i.
        clips: What the clips are called; none for their numbers.
        title: Written above, before R@1.
        colours: The name of a colour map.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.

    Raises:
        ArgumentError: If the matrix does not fit the texts and clips, or a text has no right clip.
        EvaluationError: If a similarity is NaN.

    Example:
        >>> matrix = torch.tensor([[0.9, 0.1, 0.2], [0.6, 0.5, 0.1]])
        >>> figure = draw_retrieval_matrix(matrix, ["chop", "stir"], title="two texts")
        >>> figure.axes[0].get_title()
        'two texts: R@1 50.0 of 2 texts'
    """
    _check_matrix(similarity, labels, clips)
    scores = similarity.detach().cpu()
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # as ranks compares them
    right = torch.arange(len(labels)) if relevant is None else relevant.cpu()
    counts = ranks(scores, right)
    rank = expected_rank(*counts).tolist()
    found = float(recall_at(counts.greater, counts.ties, 1, counts.best).mean())
    width, height = scores.shape[1], len(labels)
    size = (min(5 + 0.3 * width, 16), min(1.5 + 0.25 * height, 16))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(scores.numpy(), cmap=colours, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="similarity", pad=0.02)
    _mark(axes, scores, right)
    _label_texts(axes, labels, rank)
    names = [shorten(name, _LABEL_WIDTH) for name in clips]
    if names and width <= _MOST_LABELS:
        axes.set_xticks(range(width), names, rotation=90, parse_math=False)
    axes.set_xlabel("clips")
    heading = f"R@1 {100 * found:.1f} of {height} texts"
    axes.set_title(f"{title}: {heading}" if title else heading, parse_math=False)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", facecolor="0.7")
    return figure


def draw_recall_curves(
    found: Mapping[str, Ranks], *, most: int = 50, clips: int | None = None, title: str = ""
) -> Figure:
    """Draw how many texts find their clip among the first K, of several models.

    Bands are 95 % intervals over 1000 resamples of the texts, as those of ``results.json``, and
    ties count by their expectation.

    Args:
        found: What :func:`~vtlearn.evaluation.metrics.retrieval.ranks` returns, by what it is
            called.
        most: The largest K.
        clips: How many clips there are to find; draws what chance finds. None: not drawn.
        title: Written above.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.

    Raises:
        ArgumentError: If there is no model, one has no texts, or ``most`` is not positive.

    Example:
        >>> from vtlearn.evaluation.metrics.retrieval import ranks
        >>> found = ranks(torch.eye(20), torch.arange(20))
        >>> figure = draw_recall_curves({"perfect": found}, most=10, clips=20)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['perfect', 'chance']
    """
    require_positive(most=most)
    empty = [name for name, counts in found.items() if not len(counts.greater)]
    if empty or not found:
        message = f"expected ranks of at least one text for each model, got {empty or 'no model'}"
        raise ArgumentError(message)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    first = range(1, most + 1)
    for number, (name, counts) in enumerate(found.items()):
        _draw_curve(axes, name, counts, most, number)
    if clips is not None:
        chance = [100 * min(k / clips, 1.0) for k in first]
        axes.plot(first, chance, color=UNKNOWN, linestyle="--", label="chance")
    axes.set_xscale("log")
    ticks = [tick for tick in _TICKS if tick <= most]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 101)
    axes.set_xlabel("K")
    axes.set_ylabel("recall at K (%)")
    axes.grid(alpha=0.3)
    axes.set_title(title, parse_math=False)
    axes.legend(loc="best")
    return figure


def _draw_curve(axes: Axes, name: str, counts: Ranks, most: int, number: int) -> None:
    first = range(1, most + 1)
    found = [
        100 * recall_at(counts.greater, counts.ties, k, counts.best).cpu().numpy() for k in first
    ]
    bands = np.array([bootstrap_interval(values, np.mean) for values in found])
    colour = SERIES[number % len(SERIES)]
    axes.plot(
        *(first, [values.mean() for values in found]),
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        markevery=[tick - 1 for tick in _TICKS if tick <= most],
        label=name,
    )
    axes.fill_between(first, bands[:, 0], bands[:, 1], color=colour, alpha=0.2, linewidth=0)


def _mark(axes: Axes, scores: Tensor, right: Tensor) -> None:
    pairs = right[:, None] if right.ndim == 1 else right
    texts, columns = (pairs >= 0).nonzero(as_tuple=True)
    true = pairs[texts, columns]
    axes.scatter(
        *(true, texts), s=60, facecolors="none", edgecolors=EDGE, linewidths=3, label="_edge"
    )
    axes.scatter(
        *(true, texts),
        s=60,
        facecolors="none",
        edgecolors="white",
        linewidths=1.5,
        label="right clip",
    )
    first = scores.argmax(1)
    wrong = (pairs != first[:, None]).all(1).nonzero()[:, 0]
    if len(wrong):
        axes.scatter(first[wrong], wrong, s=40, marker="x", color=EDGE, linewidths=3, label="_edge")
        label = "found first, and wrong"
        axes.scatter(first[wrong], wrong, s=36, marker="x", color=PATH, linewidths=1.5, label=label)


def _label_texts(axes: Axes, labels: Sequence[str], rank: Sequence[float]) -> None:
    if len(labels) > _MOST_LABELS:
        axes.set_ylabel("texts")
        return
    rows = range(len(labels))
    # a dollar is not a formula
    axes.set_yticks(rows, [shorten(text, _LABEL_WIDTH) for text in labels], parse_math=False)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(rows, [f"{number:g}" for number in rank])
    beside.set_ylabel("rank of the right clip")
    beside.tick_params(length=0)


def _check_matrix(similarity: Tensor, labels: Sequence[str], clips: Sequence[str]) -> None:
    fits = similarity.ndim == 2 and len(similarity) == len(labels) > 0
    if not fits or (clips and similarity.shape[1] != len(clips)):
        message = (
            f"the similarity has shape {tuple(similarity.shape)}, and there are {len(labels)} "
            f"texts and {len(clips) or 'unnamed'} clips: it needs a row for each text and a column "
            "for each clip"
        )
        raise ArgumentError(message)
