"""Pictures of alignments: cost, expected alignment, path and truth of one narrated video."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vtlearn.heads.base import Alignment

__all__ = ["draw_alignment"]

_PATH = "#d62728"
_TRUTH = "#2ca02c"
_SPOKEN = "#ff7f0e"
_LABEL_WIDTH = 42

Span = tuple[float, float]


def draw_alignment(
    alignment: Alignment,
    times: Sequence[float],
    captions: Sequence[str],
    *,
    spans: Sequence[Span] = (),
    truth: Sequence[Span | None] = (),
    title: str = "",
) -> Figure:
    """Draw how the windows and captions of a video go together.

    Left the cost with the hard path, right the expected alignment; time runs to the right, captions
    from top to bottom. In both, a green frame shows when what a caption tells of is on screen, and
    an orange line when the caption is spoken.

    Args:
        alignment: Cost, expected alignment (windows, captions) and path.
        times: The centre of each window in seconds.
        captions: One a column of the alignment.
        spans: When each caption is spoken, in seconds.
        truth: When what it tells of can be seen, in seconds; None where nothing can.
        title: Written above.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.
    """
    height = 1.6 + 0.3 * len(captions)
    figure = Figure(figsize=(13, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_matrix(left, alignment.cost, times, "cost (lower is better)", "viridis_r")
    _draw_matrix(right, alignment.expected, times, "expected alignment", "Blues")
    _draw_path(left, alignment, times)
    for axes in (left, right):
        _draw_spans(axes, spans, truth)
        axes.set_xlabel("time (s), centre of the window")
    left.set_yticks(range(len(captions)), [shorten(text, _LABEL_WIDTH) for text in captions])
    left.set_ylabel("captions, as spoken")
    left.invert_yaxis()  # shared by both: the first caption stands at the top
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title)
    return figure


def _draw_matrix(
    axes: Axes, matrix: Tensor, times: Sequence[float], title: str, colours: str
) -> None:
    values = matrix.detach().float().cpu().numpy().T
    edges = _edges(np.asarray(times, dtype=float))
    rows = np.arange(len(values) + 1) - 0.5
    mesh = axes.pcolormesh(edges, rows, values, cmap=colours, rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, pad=0.01)
    axes.set_title(title)


def _edges(centres: np.ndarray) -> np.ndarray:
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    between = (centres[:-1] + centres[1:]) / 2
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _draw_path(axes: Axes, alignment: Alignment, times: Sequence[float]) -> None:
    cells = alignment.path.cells[: int(alignment.path.length)].cpu()
    seconds = [times[window] for window in cells[:, 0].tolist()]
    axes.plot(seconds, cells[:, 1], "o-", color=_PATH, markersize=3, linewidth=1, label="hard path")


def _draw_spans(axes: Axes, spans: Sequence[Span], truth: Sequence[Span | None]) -> None:
    for row, (start, end) in enumerate(spans):
        axes.plot(
            [start, end],
            [row + 0.42] * 2,
            color=_SPOKEN,
            linewidth=2,
            label="caption is spoken" if row == 0 else None,
        )
    labelled = False
    for row, span in enumerate(truth):
        if span is None:
            continue
        xs = [span[0], span[1], span[1], span[0], span[0]]
        ys = [row - 0.45, row - 0.45, row + 0.45, row + 0.45, row - 0.45]
        axes.plot(
            xs, ys, color=_TRUTH, linewidth=1.5, label=None if labelled else "truth: on screen"
        )
        labelled = True
