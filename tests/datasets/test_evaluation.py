import shutil
from pathlib import Path

import pytest
import torch

from tests.damage import cut_off
from vtlearn.batch import EvaluationSample, UnreadableItem
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.errors import EvaluationError
from vtlearn.media.video import VideoReader


def test_windows_are_read_at_their_times(kitchen_root: Path) -> None:
    path = next(iter(sorted((kitchen_root / "videos").glob("*.mp4"))))
    item = EvaluationItem("x", path, [0.0, 3.0], ["a text"], ["x#0"])
    (sample,) = [EvaluationItems([item], num_frames=4, fps=4.0, size=16)[0]]
    assert isinstance(sample, EvaluationSample)
    assert sample.video.shape == (2, 4, 3, 16, 16)
    assert sample.times.tolist() == [0.5, 3.5]
    assert (sample.id, sample.captions, sample.text_ids) == ("x", ["a text"], ["x#0"])
    assert not torch.equal(sample.video[0], sample.video[1])


def test_an_unreadable_video_is_an_error_or_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_text("no video")
    item = EvaluationItem("x", path, [0.0], [], [])
    with pytest.raises(EvaluationError, match=r"broken.mp4 .*max_unreadable"):
        EvaluationItems([item], num_frames=1, fps=1.0, size=8)[0]
    reported = EvaluationItems([item], num_frames=1, fps=1.0, size=8, max_unreadable=1)[0]
    assert isinstance(reported, UnreadableItem)
    assert (reported.id, reported.path) == ("x", str(path))


def test_a_lost_window_is_no_black_one(kitchen_root: Path, tmp_path: Path) -> None:
    path = shutil.copy(next((kitchen_root / "videos").glob("*.mp4")), tmp_path)
    cut_off(Path(path))
    starts = [0.0, VideoReader().probe(path).duration - 1]
    items = [EvaluationItem(str(n), Path(path), starts[: n + 1], [], []) for n in range(2)]
    data = EvaluationItems(items, num_frames=4, fps=4.0, size=16, max_unreadable=1)
    readable, cut = data[0], data[1]
    assert isinstance(readable, EvaluationSample)
    assert isinstance(cut, UnreadableItem)
    assert "1 of its 2 windows" in cut.reason
