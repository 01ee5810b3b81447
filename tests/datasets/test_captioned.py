import pickle
from pathlib import Path

from vtlearn.datasets.captioned import CaptionedClip


def test_a_clip_pickles() -> None:
    clip = CaptionedClip("a", Path("a.mp4"), 1.5, 4.0, ("chop carrot",), ("a#0",))
    assert pickle.loads(pickle.dumps(clip)) == clip  # noqa: S301 (our own bytes)
