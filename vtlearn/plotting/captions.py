"""Pictures of clips with what a head writes of them."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError
from vtlearn.plotting.colours import MATCHED

__all__ = ["CaptionedFrames", "draw_captions"]

_MOST_FRAMES = 8
_TEXT_WIDTH, _MOST_LINES = 54, 3


class CaptionedFrames(NamedTuple):
    """A clip, what was written of it, and what people wrote.

    Attributes:
        id: The clip's id.
        caption: What the head wrote.
        reference: What people wrote.
        frames: What the clip shows, (height, width, 3) each, uint8; none where there are no pixels.
    """

    id: str
    caption: str
    reference: str
    frames: Sequence[NDArray[np.uint8]] = ()


def draw_captions(clips: Sequence[CaptionedFrames], *, title: str = "") -> Figure:
    """Draw clips below each other: frames, and to their right what was written of them.

    Args:
        clips: The clips; of more than eight frames, eight are shown, evenly spread.
        title: Written above all.

    Returns:
        The figure; not registered with pyplot, so nothing has to be closed.

    Raises:
        ArgumentError: If there is no clip.
    """
    if not clips:
        message = "there are no clips to draw: give at least one"
        raise ArgumentError(message)
    shown = [_spread(clip.frames) for clip in clips]
    columns = max(map(len, shown))
    figure = Figure(figsize=(4.5 + 1.3 * columns, 0.6 + 1.4 * len(clips)), layout="constrained")
    figure.suptitle(title)
    ratios = [1.3] * columns + [4.5]
    grid = figure.subplots(len(clips), columns + 1, squeeze=False, width_ratios=ratios)
    for row, clip, frames in zip(grid, clips, shown, strict=True):
        for axes in row:
            axes.set_axis_off()
        for axes, frame in zip(row, frames, strict=False):
            axes.imshow(frame)
        _write(row[-1], clip)
    return figure


def _spread(frames: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    count = min(len(frames), _MOST_FRAMES)
    return [frames[int((part + 0.5) * len(frames) / count)] for part in range(count)]


def _write(axes: Axes, clip: CaptionedFrames) -> None:
    lines: list[tuple[float, str, dict[str, Any]]] = [
        (1.0, clip.id, {"color": "grey", "fontsize": 7}),
        (0.85, f"written: {clip.caption or '(nothing)'}", {"fontweight": "bold", "fontsize": 8}),
        (0.4, f"reference: {clip.reference}", {"color": MATCHED, "fontsize": 8}),
    ]
    for height, text, style in lines:
        # a dollar in a caption is not a formula
        axes.text(
            *(0.0, height, fill(text, _TEXT_WIDTH, max_lines=_MOST_LINES)),
            va="top",
            transform=axes.transAxes,
            parse_math=False,
            **style,
        )
