from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vtlearn.alignment import s2dtw_cost
from vtlearn.errors import ArgumentError
from vtlearn.heads import S2DTW
from vtlearn.plotting import (
    MatchedPair,
    Panel,
    draw_alignment,
    draw_match_histogram,
    draw_pairs,
    draw_panel,
    draw_panels,
)


def test_axes_captions_path_and_truth_are_drawn() -> None:
    torch.manual_seed(0)
    alignment = S2DTW().align(torch.randn(6, 4), torch.randn(3, 4))
    captions = ["chop the carrot", "a very long caption " * 5, "thank you for watching"]
    figure = draw_alignment(
        alignment,
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        captions,
        spans=[(0.0, 2.0), (1.0, 3.0), (4.0, 6.0)],
        truth=[(1.0, 3.0), None, (4.0, 5.0)],
        title="a video",
    )
    left, right = figure.axes[:2]
    assert "time (s)" in left.get_xlabel()
    assert left.yaxis_inverted()  # the first caption at the top
    assert right.yaxis_inverted()
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[0] == "chop the carrot"
    assert labels[1].endswith("[...]")
    names = left.get_legend_handles_labels()[1]
    assert set(names) == {"hard path", "caption is spoken", "truth: on screen"}
    # two frames of truth and three lines of speech in each picture, and the path in the left one
    assert [len(axes.lines) for axes in (left, right)] == [6, 5]


def test_one_window_and_one_caption() -> None:
    one = torch.ones(1, 2)
    alignment = S2DTW().align(one, one)
    assert draw_alignment(alignment, [1.0], ["only"]).axes


def test_panels_share_axes_and_more_go_below() -> None:
    matrix = torch.rand(4, 2)
    path = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1], [-1, -1]])
    panels = [Panel(f"panel {i}", matrix, path, limits=(0, 1)) for i in range(3)]
    figure = draw_panels(panels, [1.0, 2.0, 3.0, 4.0], ["first", "second"], truth=[None, (2, 3)])
    drawn = [axes for axes in figure.axes if axes.get_visible() and axes.get_title()]
    assert [axes.get_title() for axes in drawn] == ["panel 0", "panel 1", "panel 2"]
    assert drawn[0].get_position().y0 > drawn[2].get_position().y0
    assert all(axes.get_ylim() == (1.5, -0.5) for axes in drawn)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "hard path",
        "truth: on screen",
    ]
    seconds, rows = np.asarray(drawn[1].lines[0].get_data())
    assert list(seconds) == [1, 2, 3, 4]
    assert list(rows) == [0, 0, 1, 1]
    assert drawn[1].collections[0].get_clim() == (0, 1)


def test_dummies_lie_half_way_between_windows_and_between_captions() -> None:
    grid = s2dtw_cost(torch.eye(3)[:, :2])  # three windows, two captions
    cells = torch.tensor([[0, 0], [1, 1], [2, 2], [3, 3], [6, 4]])
    axes = Figure().subplots()
    draw_panel(axes, Panel("grid", grid, cells), [1.0, 2.0, 4.0], ["first", "second"])
    seconds, rows = np.asarray(axes.lines[0].get_data())
    assert list(seconds) == [0.5, 1, 1.5, 2, 5]
    assert list(rows) == [-0.5, 0, 0.5, 1, 1.5]
    mesh = axes.collections[0]
    assert isinstance(mesh, QuadMesh)
    edges = np.asarray(mesh.get_coordinates())[:, 0, 1]
    assert list(edges) == [-0.75, -0.25, 0.25, 0.75, 1.25, 1.75]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["first", "second"]
    assert list(axes.get_yticks()) == [0, 1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="give at least one"):
        draw_panels([], [1.0], ["only"])
    with pytest.raises(ArgumentError, match=r"'odd' has shape \(2, 3\).* 2 windows and 2 captions"):
        draw_panels([Panel("odd", torch.ones(2, 3))], [1.0, 2.0], ["first", "second"])


def test_a_histogram_counts_matched_and_swapped_pairs_apart() -> None:
    pairs = [
        MatchedPair("chop", p, None, known) for p, known in ((0.9, True), (0.8, True), (0.1, False))
    ]
    figure = draw_match_histogram(pairs, title="3 pairs")
    (axes,) = figure.axes
    assert axes.get_title() == "3 pairs"
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["matched (2, mean 0.85)", "swapped (1, mean 0.10)"]
    heights = [patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [sum(heights[:40]), sum(heights[40:])] == [2, 1]
    unknown = draw_match_histogram([pair._replace(matches=None, wrong=0.25) for pair in pairs])
    names = [text.get_text() for text in unknown.legends[0].get_texts()]
    assert names == ["pairs (3, mean 0.60)", "wrong captions (mean 0.25)"]


def test_pairs_are_drawn_with_their_captions() -> None:
    frame = torch.zeros(3, 4, 4, dtype=torch.uint8)
    pairs = [MatchedPair(f"caption {i}", i / 10, frame, i < 9, f"id {i}") for i in range(10)]
    figure = draw_pairs(
        {"best": pairs, "worst": [MatchedPair("words alone", 0.0)]}, title="epoch 1"
    )
    figure.canvas.draw()
    best, worst = figure.subfigs
    drawn = [axes for axes in best.axes if axes.get_visible()]
    assert len(drawn) == 10
    assert [axes.get_xlabel() for axes in drawn[:2]] == ["caption 0", "caption 1"]
    assert drawn[8].get_title() == "id 8\n0.800 matched"
    assert drawn[9].get_title() == "id 9\n0.900 swapped"
    assert [len(axes.images) for axes in drawn] == [1] * 10
    alone = worst.axes[0]
    assert not alone.images
    assert (alone.get_title(), alone.get_xlabel()) == ("0.000", "words alone")
    empty: list[dict[str, list[MatchedPair]]] = [{}, {"best": []}]
    for groups in empty:
        with pytest.raises(ArgumentError, match="expected groups of pairs"):
            draw_pairs(groups)


def test_dollars_in_captions_are_no_formulas(tmp_path: Path) -> None:
    caption = r"from $\frac to $5"
    frame = torch.zeros(3, 4, 4, dtype=torch.uint8)
    groups = {"best": [MatchedPair(caption, 1.0, frame, id=caption), MatchedPair(caption, 0.5)]}
    draw_pairs(groups).savefig(tmp_path / "pairs.png")
    panel = Panel("cost", torch.rand(2, 1))
    draw_panels([panel], [1.0, 2.0], [caption]).savefig(tmp_path / "panel.png")
