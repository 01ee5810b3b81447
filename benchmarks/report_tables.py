"""The methods report's tables, and what they say in words: as Markdown."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import NamedTuple

from report_arms import (
    BASE,
    HEADS,
    NARRATORS,
    PARTS,
    PARTS_AT,
    PIXEL_HEADS,
    PIXELS_AT,
    SERIES,
    VTTWINS,
)
from report_figures import METRICS, Estimate, Runs, difference, estimate, leaders, values
from trainings import cell

COMPARED = ("shift 0", "shift 2", BASE, "shift 8")


class Costs(NamedTuple):
    """What the whole report took.

    Attributes:
        runs: How many trainings on features.
        cpu: Minutes of processors, by stage.
        wall: Minutes of all work, with ``side_by_side`` trainings at a time.
        side_by_side: How many.
    """

    runs: int
    cpu: Mapping[str, float]
    wall: float
    side_by_side: int


def tables(runs: Runs, pixels: Runs, temperatures: Mapping[str, float], costs: Costs) -> list[str]:
    """Lay everything out, the table of all heads first."""
    return [
        heads_table(runs, temperatures),
        twins_table(runs),
        faults_table(runs),
        parts_table(runs, temperatures),
        pixels_table(pixels, temperatures),
        costs_line(costs),
    ]


def heads_table(runs: Runs, temperatures: Mapping[str, float]) -> str:
    """Lay out both protocols of all heads, by narrator."""
    lines = [
        row("figure", "head", "temperature", *NARRATORS),
        "|" + " --- |" * (3 + len(NARRATORS)),
    ]
    for metric, title in METRICS.items():
        best = {narrator: leaders(runs, list(HEADS), narrator, metric) for narrator in NARRATORS}
        for head in HEADS:
            cells = [cell(values(runs[head, narrator], metric)) for narrator in NARRATORS]
            marked = [
                f"**{text}**" if head in best[narrator] else text
                for text, narrator in zip(cells, NARRATORS, strict=True)
            ]
            lines.append(row(title, head, f"{temperatures[head]:g}", *marked))
    chances = zip(METRICS.values(), next(iter(runs.values()))[0].chance, strict=True)
    said = ", ".join(f"{title} {chance:.1f}" for title, chance in chances)
    halves = {
        title: mean(half(estimate(several, metric)) for several in runs.values())
        for metric, title in METRICS.items()
    }
    wide = ", ".join(f"{value:.0f} points for {title}" for title, value in halves.items())
    count = len(next(iter(runs.values())))
    return "\n".join(
        [
            *lines,
            f"\nMeans of {count} seeds and, in brackets, their range. Bold: the best of a column, "
            "and every head from which it is not told apart (the 95 % interval of their difference "
            f"holds 0). Chance: {said}. The 95 % interval of a mean reaches {wide} to each side.",
        ]
    )


def twins_table(runs: Runs) -> str:
    """Lay out how much better S2DTW is than each other head, and say where it is not."""
    others = [head for head in HEADS if head != VTTWINS]
    names = [f"{title}, {narrator}" for title in METRICS.values() for narrator in COMPARED]
    lines = [row(f"{VTTWINS} less", *names), "|" + " --- |" * (1 + len(names))]
    for other in others:
        cells = [
            signed(difference(runs[VTTWINS, narrator], runs[other, narrator], metric))
            for metric in METRICS
            for narrator in COMPARED
        ]
        lines.append(row(other, *cells))
    said = [f"- {title}: {verdict(runs, others, metric)}" for metric, title in METRICS.items()]
    about = (
        f"\nPoints, with 95 % intervals of the difference. Over all {len(NARRATORS)} narrators "
        f"{VTTWINS} is\n"
    )
    return "\n".join([*lines, about, *said])


def verdict(runs: Runs, others: Sequence[str], metric: str) -> str:
    """Say where S2DTW is told apart from others, and how."""
    found: dict[int, dict[str, list[str]]] = {1: {}, -1: {}, 0: {}}
    for other in others:
        for narrator in NARRATORS:
            sign = difference(runs[VTTWINS, narrator], runs[other, narrator], metric).sign
            found[sign].setdefault(other, []).append(narrator)

    def where(sign: int) -> str:
        parts = [
            f"{other} ({'everywhere' if len(at) == len(NARRATORS) else ', '.join(at)})"
            for other, at in found[sign].items()
        ]
        return "; ".join(parts) or "none"

    return f"better than {where(1)}. Worse than {where(-1)}. Not told apart from {where(0)}."


def faults_table(runs: Runs) -> str:
    """Lay out what each fault of the narrator costs each head."""
    several = [list(one.narrators.values()) for one in SERIES]
    faults = [(narrators[0], narrators[-1]) for narrators in several]  # from clear to worst
    names = [f"{title}, {to} less {at}" for title in METRICS.values() for at, to in faults]
    lines = [row("head", *names), "|" + " --- |" * (1 + len(names))]
    for head in HEADS:
        cells = [
            signed(difference(runs[head, to], runs[head, at], metric))
            for metric in METRICS
            for at, to in faults
        ]
        lines.append(row(head, *cells))
    return "\n".join(lines)


def parts_table(runs: Runs, temperatures: Mapping[str, float]) -> str:
    """Lay out what the parts of S2DTW do."""
    names = [f"{title}, {narrator}" for narrator in PARTS_AT for title in METRICS.values()]
    more = [f"{title} less {VTTWINS}'s, {BASE}" for title in METRICS.values()]
    header = ["S2DTW", "temperature", *names, *more, "steps skipped", "chatter skipped"]
    lines = [row(*header), "|" + " --- |" * len(header)]
    for arm in (VTTWINS, *PARTS):
        cells = [
            cell(values(runs[arm, narrator], metric)) for narrator in PARTS_AT for metric in METRICS
        ]
        gains = [difference(runs[arm, BASE], runs[VTTWINS, BASE], metric) for metric in METRICS]
        told = ["" if arm == VTTWINS else signed(gain) for gain in gains]
        skipped = [one.skipped for one in runs[arm, BASE] if one.skipped is not None]
        shares = [f"{mean(pair[kind] for pair in skipped):.1f} %" for kind in (0, 1)]
        name = "as configured: smoothing, dummies at 0.5" if arm == VTTWINS else arm
        lines.append(row(name, f"{temperatures[arm]:g}", *cells, *told, *shares))
    lines.append(
        "\nSkipped: the share of captions of validation videos that the best path leaves out, of "
        "those that tell of a step and of chatter."
    )
    return "\n".join(lines)


def pixels_table(pixels: Runs, temperatures: Mapping[str, float]) -> str:
    """Lay out the heads that were trained on pixels."""
    names = [f"{title}, {narrator}" for narrator in PIXELS_AT for title in METRICS.values()]
    lines = [row("head, from pixels", "temperature", *names), "|" + " --- |" * (2 + len(names))]
    for head in PIXEL_HEADS:
        cells = [
            ranged(estimate(pixels[head, narrator], metric))
            for narrator in PIXELS_AT
            for metric in METRICS
        ]
        lines.append(row(head, f"{temperatures[head]:g}", *cells))
    lines.append("\nOne seed each; in brackets the 95 % interval over the queries alone.")
    return "\n".join(lines)


def costs_line(costs: Costs) -> str:
    """Say what it took."""
    parts = ", ".join(f"{stage} {minutes:.1f}" for stage, minutes in costs.cpu.items())
    return (
        f"{costs.runs} trainings on features. Processor time: {sum(costs.cpu.values()):.0f} "
        f"minutes ({parts}). Wall clock: {costs.wall:.0f} minutes, of {costs.side_by_side} "
        "trainings side by side on one thread each."
    )


def small_table(runs: Runs) -> str:
    """Lay out what a short page has room for: both protocols, clear and shifted narration."""
    narrators = ("shift 0", BASE, "shift 8")
    names = [f"{title}, {narrator}" for title in METRICS.values() for narrator in narrators]
    lines = [row("head", *names), "|" + " --- |" * (1 + len(names))]
    for head in HEADS:
        cells = [
            cell(values(runs[head, narrator], metric))
            for metric in METRICS
            for narrator in narrators
        ]
        lines.append(row(head, *cells))
    return "\n".join(lines)


def row(*cells: str) -> str:
    """Write a row of a table."""
    return f"| {' | '.join(cells)} |"


def signed(found: Estimate) -> str:
    """Write a difference."""
    return f"{found.value:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"


def ranged(found: Estimate) -> str:
    """Write a figure with its interval."""
    return f"{found.value:.1f} [{found.low:.1f}, {found.high:.1f}]"


def half(found: Estimate) -> float:
    """Return half of the width of an interval."""
    return (found.high - found.low) / 2
