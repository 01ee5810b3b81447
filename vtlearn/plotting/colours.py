"""The colours of pictures and pages, in one place: told apart by those who see fewer colours.

The single colours are those of Okabe and Ito, of which no two differ by red against green alone.
Colour maps are cividis, whose lightness grows evenly and which looks alike to all. A meaning never
hangs on a colour alone: paths have dots, truth is a frame, speech is dashed.

Source:
    M. Okabe and K. Ito, Color Universal Design, 2008; J. Nuñez, C. Anderton and R. Renslow,
    Optimizing colormaps with consideration for color vision deficiency, 2018.
"""

from matplotlib import patheffects

__all__: list[str] = []

PATH = "#d55e00"
"""Of hard paths through a matrix."""

TRUTH = "#ffffff"
"""Of frames around what is true, on a matrix, with a dark edge."""

SPOKEN = "#56b4e9"
"""Of when a caption is spoken."""

ALIGNED = "#e78ac3"
"""Of where a caption went."""

MATCHED = "#0072b2"
"""Of a pair that matches."""

SWAPPED = "#e69f00"
"""Of a pair that does not."""

UNKNOWN = "#666666"
"""Of a pair of which that is unknown."""

EDGE = "#1a1a1a"
"""Around what lies on a matrix, so that it stands out on every cell."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of curves in one picture; each has a marker of its own as well."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Of curves in one picture."""

LIKENESS_MAP = "cividis"
"""The colour map of what is higher where things go together; light is high."""

COST_MAP = "cividis_r"
"""The colour map of what is lower where things go together; light is low."""


def edged(width: float) -> list[patheffects.AbstractPathEffect]:
    """Draw a line upon a broader dark one, to be seen on light cells and on dark ones.

    Args:
        width: How broad the line is, in points.

    Example:
        >>> len(edged(1.5))
        1
    """
    return [patheffects.withStroke(linewidth=width + 1.5, foreground=EDGE)]
