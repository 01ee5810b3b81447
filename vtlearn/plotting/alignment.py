"""Pictures of alignments: matrices of windows and captions, and paths through them."""

from collections.abc import Sequence
from textwrap import shorten
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Alignment
from vtlearn.plotting.colours import COST_MAP, LIKENESS_MAP, PATH, SPOKEN, TRUTH, edged

__all__ = ["Panel", "draw_alignment", "draw_panel", "draw_panels"]

_LABEL_WIDTH = 42

Span = tuple[float, float]


class Panel(NamedTuple):
    """A matrix of windows and captions to look at.

    Attributes:
        title: Written above.
        matrix: (windows, captions), or with dummies between and around them (2 windows + 1,
            2 captions + 1), any floating dtype.
        path: The cells of a path through the matrix, (cells, 2), negative where padded: what a
            ``HardPath`` has as ``cells``. None for no path.
        colours: The name of a colour map; ``cividis_r`` suits costs, where low is good.
        limits: What the ends of the colour map mean; None for the least and the greatest value.
    """

    title: str
    matrix: Tensor
    path: Tensor | None = None
    colours: str = LIKENESS_MAP
    limits: Span | None = None


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
    from top to bottom. Light cells go together. In both, a white frame shows when what a caption
    tells of is on screen, and a dashed blue line when the caption is spoken.

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
    cells = alignment.path.cells
    panels = [
        Panel("cost (lower is better)", alignment.cost, cells, COST_MAP),
        Panel("expected alignment", alignment.expected),
    ]
    return draw_panels(panels, times, captions, spans=spans, truth=truth, title=title)


def draw_panels(
    panels: Sequence[Panel],
    times: Sequence[float],
    captions: Sequence[str],
    *,
    spans: Sequence[Span] = (),
    truth: Sequence[Span | None] = (),
    title: str = "",
    columns: int = 2,
) -> Figure:
    """Draw matrices of the same windows and captions beside each other.

    Args:
        panels: What to draw, in reading order.
        times: The centre of each window in seconds.
        captions: One a caption of the matrices.
        spans: When each caption is spoken, in seconds.
        truth: When what it tells of can be seen, in seconds; None where nothing can.
        title: Written above all.
        columns: How many panels stand beside each other.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.

    Raises:
        ArgumentError: If there are no panels, or one does not fit the windows and captions.
    """
    if not panels:
        message = "there are no panels to draw: give at least one"
        raise ArgumentError(message)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    size = (6.5 * columns, 1.0 + (0.6 + 0.3 * len(captions)) * rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    every = list(grid.flat)
    for axes, panel in zip(every, panels, strict=False):
        draw_panel(axes, panel, times, captions, spans=spans, truth=truth)
        axes.label_outer()
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("captions, as spoken")
    drawn = [axes.get_legend_handles_labels() for axes in every]
    named = {name: handle for pair in drawn for handle, name in zip(*pair, strict=True)}
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=3)
    figure.suptitle(title)
    return figure


def draw_panel(
    axes: Axes,
    panel: Panel,
    times: Sequence[float],
    captions: Sequence[str],
    *,
    spans: Sequence[Span] = (),
    truth: Sequence[Span | None] = (),
) -> None:
    """Draw one matrix with its path, and when captions are spoken and what they tell of is seen.

    Args:
        axes: Where to.
        panel: What.
        times: The centre of each window in seconds.
        captions: One a caption of the matrix.
        spans: When each caption is spoken, in seconds.
        truth: When what it tells of can be seen, in seconds; None where nothing can.

    Raises:
        ArgumentError: If the matrix does not fit the windows and captions.
    """
    values = panel.matrix.detach().float().cpu().numpy()
    shape = len(times), len(captions)
    # a half for matrices with dummies, which lie half-way between their neighbours
    step = {shape: 1.0, (2 * shape[0] + 1, 2 * shape[1] + 1): 0.5}.get(values.shape)
    if step is None:
        message = (
            f"panel {panel.title!r} has shape {values.shape}, and there are {shape[0]} windows and "
            f"{shape[1]} captions: it has to have one cell each, or dummies between and around them"
        )
        raise ArgumentError(message)
    edges = [step * np.arange(size + 1) - 1 + step / 2 for size in values.shape]
    low, high = panel.limits or (None, None)
    mesh = axes.pcolormesh(
        _seconds(edges[0], times),
        edges[1],
        values.T,
        cmap=panel.colours,
        vmin=low,
        vmax=high,
        rasterized=True,
    )
    axes.figure.colorbar(mesh, ax=axes, pad=0.01)
    if panel.path is not None:
        _draw_path(axes, panel.path, step, times)
    _draw_spans(axes, spans, truth)
    axes.set_title(panel.title)
    axes.set_xlabel("time (s), centre of the window")
    labels = [shorten(text, _LABEL_WIDTH) for text in captions]
    axes.set_yticks(range(len(captions)), labels, parse_math=False)  # a dollar is not a formula
    axes.set_ylim(edges[1][-1], edges[1][0])  # the first caption stands at the top


def _seconds(windows: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """Tell the time of numbers of windows, between and beyond them too."""
    if len(times) == 1:
        return times[0] + windows
    centres = np.asarray(times, dtype=float)
    first = np.clip(np.floor(windows).astype(int), 0, len(centres) - 2)
    seconds: np.ndarray = centres[first] + (windows - first) * np.diff(centres)[first]
    return seconds


def _draw_path(axes: Axes, path: Tensor, step: float, times: Sequence[float]) -> None:
    cells = path[(path >= 0).all(1)].cpu().numpy() * step - (1 - step)
    axes.plot(
        _seconds(cells[:, 0], times),
        cells[:, 1],
        "o-",
        color=PATH,
        markersize=3,
        linewidth=1,
        path_effects=edged(1),
        label="hard path",
    )


def _draw_spans(axes: Axes, spans: Sequence[Span], truth: Sequence[Span | None]) -> None:
    for row, (start, end) in enumerate(spans):
        axes.plot(
            [start, end],
            [row + 0.42] * 2,
            color=SPOKEN,
            linestyle=(0, (2, 1)),
            linewidth=2,
            path_effects=edged(2),
            label="caption is spoken" if row == 0 else None,
        )
    labelled = False
    for row, span in enumerate(truth):
        if span is None:
            continue
        xs = [span[0], span[1], span[1], span[0], span[0]]
        ys = [row - 0.45, row - 0.45, row + 0.45, row + 0.45, row - 0.45]
        axes.plot(
            *(xs, ys),
            color=TRUTH,
            linewidth=1.5,
            path_effects=edged(1.5),
            label=None if labelled else "truth: on screen",
        )
        labelled = True
