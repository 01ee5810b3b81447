import torch

from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.heads import S2DTW
from vtlearn.plotting import draw_alignment


def test_axes_captions_path_and_truth_are_drawn() -> None:
    torch.manual_seed(0)
    video = VideoFeatures(torch.randn(1, 6, 4), None, torch.tensor([6]))
    text = TextFeatures(torch.randn(1, 3, 1, 4), None, torch.tensor([3]))
    alignment = S2DTW().align(video, text)
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
    one = torch.ones(1, 1, 2)
    length = torch.tensor([1])
    alignment = S2DTW().align(
        VideoFeatures(one, None, length), TextFeatures(one[:, :, None], None, length)
    )
    assert draw_alignment(alignment, [1.0], ["only"]).axes
