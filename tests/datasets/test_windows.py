from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.media.video.writing import write_video
from vtlearn.batch import Sample, Unreadable, collate
from vtlearn.datasets.windows import WindowChunks
from vtlearn.errors import ArgumentError
from vtlearn.media.clips import Clips
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

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


def read(chunks: WindowChunks, index: int) -> Sample:
    sample = chunks[index]
    assert isinstance(sample, Sample)
    return sample


@pytest.fixture
def videos(tmp_path: Path) -> list[Path]:
    levels = {"a": range(20, 220, 4), "b": range(100, 110)}  # 5 s and 1 s
    return [write_video(tmp_path / f"{name}.mp4", list(x), rate=FPS) for name, x in levels.items()]


@pytest.mark.parametrize(("pad", "last"), [("edge", 216), ("black", 0)])
def test_past_the_end_windows_show_what_is_asked_for(
    pad: str, last: int, videos: list[Path]
) -> None:
    clips = read(chunks_of(videos[:1], [5.0], stride=4.9, pad=pad), 0).clips
    frames = clips[1].float().mean((1, 2, 3))
    assert frames[0] == pytest.approx(216, abs=4)
    assert frames[1] == pytest.approx(last, abs=4)


@pytest.mark.parametrize(("frame_at", "first"), [("screen", [0, 4]), ("nearest", [1, 5])])
def test_windows_show_the_frames_that_are_asked_for(
    frame_at: str, first: list[int], videos: list[Path]
) -> None:
    clips = read(chunks_of(videos, [5.0, 1.0], fps=2.5, frame_at=frame_at), 0).clips
    frames = (clips[0].float().mean((1, 2, 3)) - 20) / 4
    assert frames.round().tolist() == first  # of times 0 and 0.4; before 0.2 and 0.6


def test_all_windows_in_order_and_each_once(videos: list[Path]) -> None:
    chunks = chunks_of(videos, [5.0, 1.0])
    items = [read(chunks, index) for index in range(len(chunks))]
    assert [item.id for item in items] == ["a"] * 4 + ["b"]
    assert [len(item.clips) for item in items] == [3, 3, 3, 1, 2]
    assert [item.part for item in items] == [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1)]
    assert [chunks.is_last(index) for index in range(5)] == [False, False, False, True, True]
    assert [chunks.duration(index) for index in range(5)] == [5.0] * 4 + [1.0]
    assert [chunks.path(index) for index in range(5)] == [str(videos[0])] * 4 + [str(videos[1])]
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
    assert torch.equal(torch.cat([item.clips for item in items[:4]]), whole.frames)
    spans = torch.cat([item.clip_spans for item in items[:4]])
    assert spans[:, 0].tolist() == starts
    assert (spans[:, 1] - spans[:, 0]).tolist() == [pytest.approx(0.4)] * 10


def test_a_loader_sends_on_what_a_watched_reader_reads(videos: list[Path]) -> None:
    chunks = chunks_of(videos, [5.0, 1.0])
    wanted = [read(chunks, index).clips for index in range(len(chunks))]
    chunks.reader = SubprocessVideoReader(60.0)
    loader = DataLoader(chunks, batch_size=1, collate_fn=collate, num_workers=1, timeout=120)
    for batch, clips in zip(loader, wanted, strict=True):
        assert torch.equal(batch.clips, clips)


def test_a_chunk_is_the_same_whatever_else_there_is(videos: list[Path]) -> None:
    alone, among = read(chunks_of(videos[1:], [1.0]), 0), read(chunks_of(videos, [5.0, 1.0]), 4)
    assert alone.id == among.id
    assert torch.equal(alone.clips, among.clips)


def test_what_cannot_be_read_says_why_once(videos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "c.mp4"
    broken.write_text("no video")
    known = {"a": Unreadable("a", "a.mp4", "open", "too long ago")}
    chunks = chunks_of([*videos, broken], [0.0, 1.0, 4.0], unreadable=known)
    items = [chunks[index] for index in range(len(chunks))]
    assert items[0] == Unreadable("a", "a.mp4", "open", "too long ago")
    assert isinstance(items[1], Sample)
    assert items[2] == items[3] == items[4]
    assert isinstance(items[2], Unreadable)
    assert items[2][:3] == ("c", str(broken), "open")
    assert "Invalid data" in items[2].reason
    assert [chunks.is_last(index) for index in range(5)] == [True, True, False, False, True]


class Holes(VideoReader):
    """Loses the second frame of the clip that begins at half a second."""

    def clips(self, *args: Any, **kwargs: Any) -> Clips:
        clips = super().clips(*args, **kwargs)
        clips.valid[1, 1] = False
        return clips


def test_a_window_with_a_hole_is_left_out(videos: list[Path]) -> None:
    chunks = chunks_of(videos[1:], [1.0])
    whole = read(chunks, 0)
    chunks.reader = Holes()
    sample = read(chunks, 0)
    assert chunks.windows(0) == ("b", range(2))
    assert sample.clip_spans.tolist() == [[0.0, pytest.approx(0.4)]]
    assert torch.equal(sample.clips, whole.clips[:1])


def test_without_videos_there_is_one_none() -> None:
    chunks = chunks_of([], [])
    assert len(chunks) == 1
    assert chunks[0] is None
    with pytest.raises(IndexError):
        chunks[1]


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="stride"):
        chunks_of([], [], stride=0.0)
    with pytest.raises(ArgumentError, match="windows_per_chunk"):
        chunks_of([], [], windows_per_chunk=0)
