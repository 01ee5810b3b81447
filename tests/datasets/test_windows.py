from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.media.writing import write_video
from vtlearn.batch import WindowChunk
from vtlearn.datasets.windows import WindowChunks
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.clips import Clips
from vtlearn.media.video import VideoReader
from vtlearn.media.watchdog import WatchedReader

FPS = 10


def chunks_of(paths: list[Path], durations: list[float], **options: object) -> WindowChunks:
    settings = {"stride": 0.5, "num_frames": 2, "fps": 5.0, "size": 8, "windows_per_chunk": 3}
    return WindowChunks(
        [path.stem for path in paths],
        [str(path) for path in paths],
        np.array(durations),
        reader=VideoReader(),
        **settings | options,  # type: ignore[arg-type]
    )


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    levels = {"a": range(20, 220, 4), "b": range(100, 110)}  # 5 s and 1 s
    return [write_video(tmp_path / f"{name}.mp4", list(x), rate=FPS) for name, x in levels.items()]


def test_all_windows_in_order_and_each_once(videos: list[Path]) -> None:
    chunks = chunks_of(videos, [5.0, 1.0])
    items = [chunks[index] for index in range(len(chunks))]
    assert [item.id for item in items] == ["a"] * 4 + ["b"]
    assert [len(item.video) for item in items] == [3, 3, 3, 1, 2]
    assert [item.is_last for item in items] == [False, False, False, True, True]
    assert [chunks.windows(index)[1] for index in range(5)] == [
        range(3),
        range(3, 6),
        range(6, 9),
        range(9, 10),
        range(2),
    ]
    # against one call for the whole video
    starts = [number / 2 for number in range(10)]
    whole = VideoReader().clips(videos[0], starts, num_frames=2, fps=5.0, size=8)
    assert torch.equal(torch.cat([item.video for item in items[:4]]), whole.frames)
    assert all(item.valid.all() for item in items)
    assert {item.duration for item in items[:4]} == {5.0}


def test_a_loader_sends_on_what_a_watched_reader_reads(videos: list[Path]) -> None:
    chunks = chunks_of(videos, [5.0, 1.0])
    wanted = [chunks[index].video for index in range(len(chunks))]
    chunks.reader = WatchedReader(60.0)
    loader = DataLoader(chunks, batch_size=None, num_workers=1, timeout=120)
    for chunk, video in zip(loader, wanted, strict=True):
        assert torch.equal(chunk.video, video)


def test_a_chunk_is_the_same_whatever_else_there_is(videos: list[Path]) -> None:
    alone, among = chunks_of(videos[1:], [1.0])[0], chunks_of(videos, [5.0, 1.0])[4]
    assert alone.id == among.id
    assert torch.equal(alone.video, among.video)


def test_what_cannot_be_read_says_why_once(videos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "c.mp4"
    broken.write_text("no video")
    known = {"a": UnreadableVideoError("a.mp4", "too long ago")}
    chunks = chunks_of([*videos, broken], [0.0, 1.0, 4.0], unreadable=known)
    items = [chunks[index] for index in range(len(chunks))]
    assert [item.id for item in items] == ["a", "b", "c", "c", "c"]
    assert items[0].is_last
    assert items[0].error is known["a"]
    assert items[1].error is None
    assert len({str(item.error) for item in items[2:]}) == 1
    assert "Invalid data" in str(items[2].error)
    assert [item.is_last for item in items[2:]] == [False, False, True]
    assert all(item.video.shape == (0, 2, 3, 8, 8) for item in (items[0], *items[2:]))


class Holes(VideoReader):
    """Loses the second frame of the clip that begins at half a second."""

    def clips(self, *args: Any, **kwargs: Any) -> Clips:
        clips = super().clips(*args, **kwargs)
        clips.valid[1, 1] = False
        return clips


def test_a_window_with_a_hole_is_not_valid(videos: list[Path]) -> None:
    chunks = chunks_of(videos[1:], [1.0])
    chunks.reader = Holes()
    assert chunks[0].valid.tolist() == [True, False]


def test_without_videos_there_is_one_chunk_of_none() -> None:
    chunks = chunks_of([], [])
    assert len(chunks) == 1
    item = chunks[0]
    assert isinstance(item, WindowChunk)
    assert (item.id, item.is_last, item.error, len(item.video)) == ("", False, None, 0)
    with pytest.raises(IndexError):
        chunks[1]


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="stride"):
        chunks_of([], [], stride=0.0)
    with pytest.raises(ArgumentError, match="windows_per_chunk"):
        chunks_of([], [], windows_per_chunk=0)
