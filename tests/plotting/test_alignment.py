from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from vtlearn.alignment import s2dtw_cost
from vtlearn.errors import ArgumentError
from vtlearn.heads import S2DTW
from vtlearn.plotting import Panel, draw_alignment, draw_panel, draw_panels


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


def test_dollars_in_captions_are_no_formulas(tmp_path: Path) -> None:
    panel = Panel("cost", torch.rand(2, 1))
    figure = draw_panels([panel], [1.0, 2.0], [r"from $\frac to $5"])
    figure.savefig(tmp_path / "panel.png")
