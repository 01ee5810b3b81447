from pathlib import Path

import pytest

from vtlearn.datasets.extraction import Extractor, find_extractor
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.errors import ArgumentError


class To(Extractor):
    def __init__(self, folder: str | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def chunks(self, videos: VideoList, *, workers: int) -> WindowChunks:
        raise NotImplementedError


def test_the_one_that_has_a_folder_is_found() -> None:
    idle, writing = To(None), To("features")
    assert find_extractor([object(), idle, writing]) is writing
    assert find_extractor([writing, idle]) is writing
    assert find_extractor([3, idle, To(None)]) is idle


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="predict has no output: add a FeatureWriter"):
        find_extractor([object()])
    with pytest.raises(ArgumentError, match=r"not those of To \(to a\) and To \(to b\)"):
        find_extractor([To("a"), To(None), To("b")])
