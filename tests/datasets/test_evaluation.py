from pathlib import Path

import pytest
import torch

from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.errors import UnreadableVideoError


def test_windows_are_read_at_their_times(kitchen_root: Path) -> None:
    path = next(iter(sorted((kitchen_root / "videos").glob("*.mp4"))))
    item = EvaluationItem("x", path, [0.0, 3.0], ["a text"], ["x#0"])
    (sample,) = [EvaluationItems([item], num_frames=4, fps=4.0, size=16)[0]]
    assert sample.video.shape == (2, 4, 3, 16, 16)
    assert sample.times.tolist() == [0.5, 3.5]
    assert (sample.id, sample.captions, sample.text_ids) == ("x", ["a text"], ["x#0"])
    assert not torch.equal(sample.video[0], sample.video[1])


def test_an_unreadable_video_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_text("no video")
    items = EvaluationItems(
        [EvaluationItem("x", path, [0.0], [], [])], num_frames=1, fps=1.0, size=8
    )
    with pytest.raises(UnreadableVideoError, match=r"broken.mp4"):
        items[0]
