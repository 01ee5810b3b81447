"""The picture of the methods report: both protocols of all heads, over what the narrator does."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report_arms import HEADS, SERIES, Series
from report_figures import METRICS, Runs, estimate

#: Okabe and Ito's colours, told apart by those who see fewer; markers say the same again.
STYLES: Mapping[str, tuple[str, str]] = dict(
    zip(
        HEADS,
        (
            ("#0072B2", "o"),
            ("#56B4E9", "s"),
            ("#009E73", "^"),
            ("#D55E00", "D"),
            ("#E69F00", "v"),
            ("#000000", "x"),
        ),
        strict=True,
    )
)
_SPREAD = 0.012  # of the axis, between heads at one place


def draw(runs: Runs) -> Figure:
    """Draw means with their 95 % intervals.

    Returns:
        A row for each protocol, a column for each number of the narrator; not registered with
        pyplot, so nothing has to be closed.
    """
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    widths = [len(series.narrators) for series in SERIES]
    grid = figure.subplots(
        len(METRICS), len(SERIES), sharex="col", sharey="row", width_ratios=widths
    )
    for line, (metric, title) in zip(grid, METRICS.items(), strict=True):
        for axes, series in zip(line, SERIES, strict=True):
            draw_series(axes, runs, series, metric)
        line[0].set_ylabel(f"{title} (%)")
    for axes, series in zip(grid[-1], SERIES, strict=True):
        axes.set_xlabel(series.label)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def draw_series(axes: Axes, runs: Runs, series: Series, metric: str) -> None:
    """Draw one protocol of all heads over one number of the narrator."""
    places: Sequence[float] = list(series.narrators)
    for number, head in enumerate(HEADS):
        colour, marker = STYLES[head]
        found = [estimate(runs[head, name], metric) for name in series.narrators.values()]
        offset = (number - (len(HEADS) - 1) / 2) * _SPREAD * (places[-1] - places[0])
        axes.errorbar(
            [place + offset for place in places],
            [one.value for one in found],
            [[one.value - one.low for one in found], [one.high - one.value for one in found]],
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.5,
            elinewidth=0.9,
            label=head,
        )
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
