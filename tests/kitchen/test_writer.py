import hashlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from vtlearn.kitchen.writer import write_picture, write_video


def grey(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    for index in range(count):
        yield np.full((32, 32, 3), 8 * index, np.uint8)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "h264"), ("a.avi", "mpeg4")])
def test_frames_come_back_at_their_times(tmp_path: Path, name: str, codec: str) -> None:
    write_video(tmp_path / name, grey(24), size=32, fps=8)
    with av.open(str(tmp_path / name)) as container:
        assert name.removeprefix("a.") in container.format.name
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (codec, "yuv420p")
        frames = list(container.decode(stream))
    levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    assert levels == pytest.approx([8 * index for index in range(24)], abs=4)
    assert [frame.time for frame in frames] == [index / 8 for index in range(24)]
    keys = [index for index, frame in enumerate(frames) if frame.key_frame]
    assert max(np.diff([*keys, 24])) <= 8  # a second, and none is far from a place to seek to


def noise(seed: int, size: int) -> list[npt.NDArray[np.uint8]]:
    """Sixty frames of a texture that moves, under noise."""
    rng = np.random.default_rng(seed)
    texture = rng.integers(0, 256, (size, size, 3))
    grain = rng.integers(0, 64, (60, size, size, 3))
    frames = [np.roll(texture, index, 1) // 2 + grain[index] for index in range(60)]
    return [frame.astype(np.uint8) for frame in frames]


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_the_file_is_a_function_of_the_frames(tmp_path: Path, name: str) -> None:
    path, frames = tmp_path / name, noise(1, 32)
    others = [noise(2 + index, size) for index, size in enumerate((32, 64, 16, 48, 128, 96))]
    files = set()
    for other in others * 2:  # each leaves something else in the memory that is used again
        write_video(path, frames, size=32, fps=4)
        files.add(hashlib.sha256(path.read_bytes()).hexdigest())
        write_video(path, other, size=len(other[0]), fps=4)
    assert len(files) == 1


def test_one_thread_encodes_whatever_the_machine_has(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, noise(1, 256)[:4], size=256, fps=4)
    assert b" threads=1 lookahead_threads=1 " in path.read_bytes()  # what x264 says of itself


def test_a_video_that_is_not_whole_does_not_appear(tmp_path: Path) -> None:
    def break_off() -> Iterator[npt.NDArray[np.uint8]]:
        yield from grey(4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", break_off(), size=32, fps=8)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_a_jpeg_whatever_it_is_called(tmp_path: Path) -> None:
    (frame,) = grey(1)
    frame[:16] = 200
    write_picture(tmp_path / "821381392", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["821381392"]
    with Image.open(tmp_path / "821381392") as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture).astype(int) - frame).max() < 4
