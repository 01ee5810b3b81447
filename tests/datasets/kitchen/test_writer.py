from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from vtlearn.datasets.kitchen.writer import write_video


def grey(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    for index in range(count):
        yield np.full((32, 32, 3), 8 * index, np.uint8)


def test_frames_come_back_at_their_times(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", grey(24), size=32, fps=8)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = list(container.decode(stream))
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert levels == pytest.approx([8 * index for index in range(24)], abs=4)
    assert [frame.time for frame in frames] == [index / 8 for index in range(24)]
    keys = [index for index, frame in enumerate(frames) if frame.key_frame]
    assert max(np.diff([*keys, 24])) <= 8  # a second, and none is far from a place to seek to


def test_a_video_that_is_not_whole_does_not_appear(tmp_path: Path) -> None:
    def break_off() -> Iterator[npt.NDArray[np.uint8]]:
        yield from grey(4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", break_off(), size=32, fps=8)
    assert list(tmp_path.iterdir()) == []
