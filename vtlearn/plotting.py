"""Pictures of what a head makes of clips and captions: alignments, and how well pairs match."""

from collections.abc import Mapping, Sequence
from textwrap import fill, shorten
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Alignment

__all__ = [
    "MatchedPair",
    "Panel",
    "draw_alignment",
    "draw_match_histogram",
    "draw_pairs",
    "draw_panel",
    "draw_panels",
]

_PATH = "#d62728"
_TRUTH = "#2ca02c"
_SPOKEN = "#ff7f0e"
_LABEL_WIDTH = 42
#: How a pair is called and coloured that matches, that does not, and of which that is unknown.
_KINDS = {True: ("matched", "#2ca02c"), False: ("swapped", "#d62728"), None: ("", "#1f77b4")}
_ACROSS = 8  # pairs in a row
_CAPTION_WIDTH = 24

Span = tuple[float, float]


class Panel(NamedTuple):
    """A matrix of windows and captions to look at.

    Attributes:
        title: Written above.
        matrix: (windows, captions), or with dummies between and around them (2 windows + 1,
            2 captions + 1), any floating dtype.
        path: The cells of a path through the matrix, (cells, 2), negative where padded: what a
            ``HardPath`` has as ``cells``. None for no path.
        colours: The name of a colour map; ``viridis_r`` suits costs.
        limits: What the ends of the colour map mean; None for the least and the greatest value.
    """

    title: str
    matrix: Tensor
    path: Tensor | None = None
    colours: str = "Blues"
    limits: Span | None = None


class MatchedPair(NamedTuple):
    """A clip and a caption, and how well they match.

    Attributes:
        caption: The caption.
        match: From 0 to 1.
        frame: What the clip shows, (3, height, width), uint8; None where there are no pixels.
        matches: Whether the caption is about the clip; None where that is unknown.
        id: The video's, or the clip's; shown above the frame.
        wrong: How well the clip matches a caption of another; None where that was not asked.
    """

    caption: str
    match: float
    frame: Tensor | None = None
    matches: bool | None = None
    id: str = ""
    wrong: float | None = None


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
    cells = alignment.path.cells
    panels = [
        Panel("cost (lower is better)", alignment.cost, cells, "viridis_r"),
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


def draw_match_histogram(pairs: Sequence[MatchedPair], *, title: str = "") -> Figure:
    """Draw how many pairs match how well, those that match apart from those that do not.

    A line stands where the mean of clips with wrong captions is.

    Args:
        pairs: The pairs.
        title: Written above.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for kind, (name, colour) in _KINDS.items():
        values = [pair.match for pair in pairs if pair.matches is kind]
        if values:
            label = f"{name or 'pairs'} ({len(values)}, mean {np.mean(values):.2f})"
            bins = [number / 40 for number in range(41)]
            axes.hist(values, bins, color=colour, alpha=0.6, label=label)
    axes.set_xlim(0, 1)
    axes.set_xlabel("sigmoid of the head's match: p, of a head that learns correspondence")
    axes.set_ylabel("pairs")
    axes.set_title(title)
    wrong = [pair.wrong for pair in pairs if pair.wrong is not None]
    if wrong:
        mean = float(np.mean(wrong))
        axes.axvline(mean, color="black", ls="--", label=f"wrong captions (mean {mean:.2f})")
    if axes.patches:
        figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    return figure


def draw_pairs(groups: Mapping[str, Sequence[MatchedPair]], *, title: str = "") -> Figure:
    """Draw pairs as frames with captions, group below group.

    Above each frame stands its id and how well it matches its caption, in green where the two are
    known to match, in red where they are known not to.

    Args:
        groups: Pairs, by what stands above them; each group has one at least.
        title: Written above all.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.

    Raises:
        ArgumentError: If there is no group, or one is empty.
    """
    if not groups or not all(groups.values()):
        message = (
            f"expected groups of pairs to draw, got { ({k: len(x) for k, x in groups.items()}) }"
        )
        raise ArgumentError(message)
    rows = [-(-len(pairs) // _ACROSS) for pairs in groups.values()]
    figure = Figure(figsize=(2 * _ACROSS, 0.6 + 2.9 * sum(rows)), layout="constrained")
    parts = figure.subfigures(len(groups), 1, height_ratios=rows, squeeze=False)[:, 0]
    for part, (name, pairs), height in zip(parts, groups.items(), rows, strict=True):
        part.suptitle(name, fontweight="bold")
        cells = list(part.subplots(height, _ACROSS, squeeze=False).flat)
        for axes in cells[len(pairs) :]:
            axes.set_visible(False)
        for axes, pair in zip(cells, pairs, strict=False):
            _draw_pair(axes, pair)
    figure.suptitle(title)
    return figure


def _draw_pair(axes: Axes, pair: MatchedPair) -> None:
    name, colour = _KINDS[pair.matches]
    colour = colour if name else "black"
    title = f"{pair.id}\n{pair.match:.3f} {name}".strip()
    axes.set_title(title, color=colour, fontsize=9, parse_math=False)
    axes.set_xticks([])
    axes.set_yticks([])
    caption = fill(shorten(pair.caption, 4 * _CAPTION_WIDTH), _CAPTION_WIDTH)
    axes.set_xlabel(caption, fontsize=8, parse_math=False)  # a dollar is not a formula
    if pair.frame is not None:
        axes.imshow(pair.frame.permute(1, 2, 0).cpu().numpy())


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
        color=_PATH,
        markersize=3,
        linewidth=1,
        label="hard path",
    )


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
