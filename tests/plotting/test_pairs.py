from pathlib import Path

import pytest
import torch
from matplotlib.patches import Rectangle

from vtlearn.errors import ArgumentError
from vtlearn.plotting import MatchedPair, draw_match_histogram, draw_pairs


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
