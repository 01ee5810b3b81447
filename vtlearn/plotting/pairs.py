"""Pictures of how well clips and captions match, pair by pair."""

from collections.abc import Mapping, Sequence
from textwrap import fill, shorten
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.plotting.colours import MATCHED, SWAPPED, UNKNOWN

__all__ = ["MatchedPair", "draw_match_histogram", "draw_pairs"]

#: How a pair is called and coloured that matches, that does not, and of which that is unknown.
_KINDS = {True: ("matched", MATCHED), False: ("swapped", SWAPPED), None: ("", UNKNOWN)}
_ACROSS = 8  # pairs in a row
_CAPTION_WIDTH = 24


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

    Above each frame stands its id, how well it matches its caption, and whether that is known to be
    its own or not.

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
