from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import Collection

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.metrics.retrieval import Ranks, ranks
from vtlearn.plotting import draw_recall_curves, draw_retrieval_matrix

SIMILARITY = torch.tensor([[0.9, 0.1, 0.2], [0.6, 0.5, 0.1], [0.3, 0.3, 0.3]])


def marked(axes: Axes, label: str) -> list[tuple[int, int]]:
    """Columns and rows of what is marked so."""
    (points,) = (each.get_offsets() for each in axes.collections if each.get_label() == label)
    return [(int(x), int(y)) for x, y in np.asarray(points)]


def band(collection: Collection, at: int) -> tuple[float, float]:
    """The ends of a filled band."""
    corners = np.asarray(collection.get_paths()[0].vertices)
    ends = corners[corners[:, 0] == at, 1]
    return float(ends.min()), float(ends.max())


def test_right_clips_have_rings_wrong_ones_that_are_first_a_cross(tmp_path: Path) -> None:
    figure = draw_retrieval_matrix(
        SIMILARITY,
        ["chop $5 \\frac", "stir", "a long text " * 9],
        clips=["a", "$b", "c"],
        title="x",
    )
    figure.savefig(tmp_path / "matrix.png")
    axes = figure.axes[0]
    assert marked(axes, "right clip") == [(0, 0), (1, 1), (2, 2)]
    assert marked(axes, "found first, and wrong") == [(0, 1), (0, 2)]
    assert axes.get_title() == f"x: R@1 {100 * (1 + 1 / 3) / 3:.1f} of 3 texts"
    (beside,) = axes.child_axes
    assert [tick.get_text() for tick in beside.get_yticklabels()] == ["1", "2", "2"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "$b", "c"]
    assert axes.get_yticklabels()[2].get_text().endswith("[...]")


def test_several_clips_may_be_right() -> None:
    right = torch.tensor([[0, -1], [0, 1], [2, -1]])
    figure = draw_retrieval_matrix(SIMILARITY, ["a", "b", "c"], relevant=right)
    axes = figure.axes[0]
    assert marked(axes, "right clip") == [(0, 0), (0, 1), (1, 1), (2, 2)]
    assert marked(axes, "found first, and wrong") == [(0, 2)]


def test_scores_of_float64_tie_only_where_they_are_equal() -> None:
    near = torch.tensor([[0.5, 0.5 - 1e-12]], dtype=torch.float64)
    axes = draw_retrieval_matrix(near, ["a"]).axes[0]
    assert axes.get_title() == "R@1 100.0 of 1 texts"


def test_of_many_texts_the_labels_are_left_out() -> None:
    figure = draw_retrieval_matrix(torch.eye(61), [str(number) for number in range(61)])
    axes = figure.axes[0]
    assert axes.get_ylabel() == "texts"
    assert axes.get_title() == "R@1 100.0 of 61 texts"
    assert not axes.child_axes


def test_what_does_not_fit_is_refused() -> None:
    for shape, labels, clips in (((2, 3), "a", ""), ((2, 3), "ab", "ab"), ((0, 3), "", "")):
        with pytest.raises(ArgumentError, match=r"a row for each text and a column for each clip"):
            draw_retrieval_matrix(torch.ones(shape), list(labels), clips=list(clips))


def test_curves_are_recall_at_k_with_bands_of_the_bootstrap() -> None:
    torch.manual_seed(0)
    found = {
        "ties": Ranks(*(torch.tensor([each] * 8) for each in (0, 3, 1))),  # R@k = k / 4
        "random": ranks(torch.rand(40, 100), torch.arange(40)),
    }
    figure = draw_recall_curves(found, most=20, clips=100, title="curves")
    (axes,) = figure.axes
    ties, random, chance = (np.asarray(line.get_ydata(), float) for line in axes.lines)
    assert ties[:5] == pytest.approx([25, 50, 75, 100, 100])
    assert chance == pytest.approx(range(1, 21))
    assert (np.diff(random) >= 0).all()
    sure, unsure = axes.collections
    assert band(sure, 1) == (25.0, 25.0)
    low, high = band(unsure, 20)
    assert low < random[-1] < high
    assert len({line.get_marker() for line in axes.lines}) == 3


def test_no_curves() -> None:
    nothing = Ranks(*(torch.zeros(0, dtype=torch.int64) for _ in range(3)))
    for found, message in (({}, "no model"), ({"a": nothing}, r"\['a'\]")):
        with pytest.raises(ArgumentError, match=f"at least one text for each model, got {message}"):
            draw_recall_curves(found)
    with pytest.raises(ArgumentError, match="most must be positive"):
        draw_recall_curves({"a": nothing}, most=0)
