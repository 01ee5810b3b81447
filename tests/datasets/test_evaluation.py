import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from tests.damage import cut_off
from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.batch import Batch, Sample, Unreadable, collate
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import EvaluationError, UnreadableVideoError
from vtlearn.media.clips import Clips
from vtlearn.media.video.reader import VideoReader

READING = Reading(sampling=ClipSampling(num_frames=4, fps=4.0), pixels=Pixels(size=16))
SHORT = Reading(sampling=ClipSampling(num_frames=2, fps=2.0), pixels=Pixels(size=16))


def read(items: EvaluationItems, index: int) -> Sample:
    sample = items[index]
    assert isinstance(sample, Sample)
    return sample


def test_windows_are_read_at_their_times(kitchen_root: Path) -> None:
    path = next(iter(sorted((kitchen_root / "videos").glob("*.mp4"))))
    item = EvaluationItem("x", path, [0.0, 3.0], ["a text"], ["x#0"])
    sample = read(EvaluationItems([item], READING), 0)
    assert sample.clips.shape == (2, 4, 3, 16, 16)
    assert sample.clip_spans.tolist() == [[0.0, 1.0], [3.0, 4.0]]
    assert (sample.id, sample.texts, sample.text_ids) == ("x", ["a text"], ["x#0"])
    assert sample.text_spans.shape == (1, 2)
    assert sample.text_spans.isnan().all()
    assert sample.part == (0, 1)
    assert not torch.equal(sample.clips[0], sample.clips[1])
    known = item._replace(text_spans=[(1.0, 2.5)])
    assert read(EvaluationItems([known], READING), 0).text_spans.tolist() == [[1.0, 2.5]]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Forty seconds whose grey level grows by 6 per second."""
    return write_video(tmp_path / "x.mp4", [6 * (n // 2) for n in range(80)], rate=2)


def item(path: Path, windows: int, name: str = "x") -> EvaluationItem:
    texts = ["one", "two"]
    return EvaluationItem(
        name, path, [float(n) for n in range(windows)], texts, ["x#0", "x#1"], [(0.0, 1.0)] * 2
    )


def items_of(
    *items: EvaluationItem, reading: Reading = SHORT, max_unreadable: int = 0
) -> EvaluationItems:
    return EvaluationItems(items, reading, max_unreadable)


@pytest.mark.parametrize(
    ("windows", "sizes"),
    [(1, [1]), (16, [16]), (17, [16, 1]), (32, [16, 16]), (40, [16, 16, 8])],
)
def test_a_long_item_comes_in_parts(video: Path, windows: int, sizes: list[int]) -> None:
    items = items_of(item(video, 1), item(video, windows, "y"), item(video, 1, "z"))
    assert items.part_counts == [1, len(sizes), 1]
    assert len(items) == len(sizes) + 2
    samples = [read(items, index) for index in range(len(items))]
    assert [sample.id for sample in samples] == ["x", *["y"] * len(sizes), "z"]
    parts = samples[1:-1]
    assert [len(sample.clips) for sample in parts] == sizes
    assert [sample.part for sample in parts] == [(n, len(sizes)) for n in range(len(sizes))]
    whole = items.sample(item(video, windows, "y"))
    assert whole.part == (0, 1)
    for name in ("clips", "clip_spans", "frame_length", "text_spans"):
        joined = torch.cat([getattr(sample, name) for sample in parts])
        assert torch.equal(joined, getattr(whole, name))
    assert (parts[0].texts, parts[0].text_ids) == (whole.texts, whole.text_ids)
    assert all((part.texts, part.text_ids) == ([], []) for part in parts[1:])


def test_indices_outside_are_refused(video: Path) -> None:
    items = items_of(item(video, 17))
    for index in (2, -1):
        with pytest.raises(IndexError):
            items[index]


def test_an_item_may_have_no_window_or_no_text(video: Path) -> None:
    sample = read(items_of(EvaluationItem("x", video, [], ["a"], ["a"])), 0)
    assert (len(sample.clips), sample.clip_spans.shape, sample.texts) == (0, (0, 2), ["a"])
    batch = collate([sample, read(items_of(EvaluationItem("y", video, [1.0], [], [])), 0)])
    assert (batch.num_clips, batch.num_texts) == ((0, 1), (1, 0))


def test_an_unreadable_video_is_an_error_or_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_text("no video")
    with pytest.raises(EvaluationError, match=r"broken.mp4 .*max_unreadable"):
        items_of(item(path, 1))[0]
    reported = items_of(item(path, 1), max_unreadable=1)[0]
    assert isinstance(reported, Unreadable)
    assert reported[:3] == ("x", str(path), "open")
    assert "Invalid data" in reported.reason


class Counting(VideoReader):
    """Counts what it is asked for; can read nothing from second 16 on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def clips(self, source: Any, starts: Any, **kwargs: Any) -> Clips:
        self.calls += 1
        if starts[0] >= 16:
            raise UnreadableVideoError(str(source), "its time budget is used up", "time")
        return super().clips(source, starts, **kwargs)


def test_each_part_of_an_unreadable_video_is_reported_and_one_is_tried(video: Path) -> None:
    reader = Counting()
    items = items_of(item(video, 40), item(video, 1, "y"), max_unreadable=1)
    items._loader = ClipLoader(SHORT, reader)
    parts = [items[index] for index in range(4)]
    assert isinstance(parts[0], Sample)
    assert parts[1] == Unreadable("x", str(video), "time", "its time budget is used up")
    assert parts[2] == parts[1]
    assert isinstance(parts[3], Sample)  # another item of the same video
    assert reader.calls == 3


def test_a_lost_window_is_no_black_one(kitchen_root: Path, tmp_path: Path) -> None:
    path = shutil.copy(next((kitchen_root / "videos").glob("*.mp4")), tmp_path)
    cut_off(Path(path))
    starts = [0.0, VideoReader().probe(path).duration - 1]
    items = [EvaluationItem(str(n), Path(path), starts[: n + 1], [], []) for n in range(2)]
    data = EvaluationItems(items, READING, max_unreadable=1)
    readable, cut = data[0], data[1]
    assert isinstance(readable, Sample)
    assert isinstance(cut, Unreadable)
    assert cut.stage == "decode"
    assert "1 of its 2 windows" in cut.reason


def test_a_loader_sends_on_what_a_watched_reader_reads(video: Path) -> None:
    items = items_of(item(video, 20), reading=replace(SHORT, time_budget=60.0))
    loader = DataLoader(items, batch_size=1, collate_fn=collate, num_workers=1, timeout=120)
    batches: list[Batch] = list(loader)
    wanted = items_of(item(video, 20))
    for index, batch in enumerate(batches):
        assert torch.equal(batch.clips, read(wanted, index).clips)


@pytest.mark.parametrize(
    ("start", "end", "fps", "first", "count"),
    [
        (3.2, 6.1, 1.0, 3, 4),  # floor and ceil
        (3.0, 6.0, 1.0, 3, 3),  # on whole seconds
        (3.2, 3.3, 1.0, 3, 1),
        (3.0, 3.0, 1.0, 3, 1),  # a moment has a vector too
        (2.0, 30.0, 1.0, 2, 8),  # at most as many as a clip has
        (17.5, None, 1.0, 17, 3),  # to the end of the video
        (18.2, 25.0, 1.0, 18, 2),  # what is past the end is not there
        (3.2, 6.1, 2.0, 6, 7),
        (3.0, 9.0, 1 / 3, 1, 2),
        (0.3, 0.9, 10.0, 3, 6),  # 0.3 x 10 is less than 3 in floats
    ],
)
def test_a_stored_segment_is_its_own_vectors(
    start: float, end: float | None, fps: float, first: int, count: int, tmp_path: Path
) -> None:
    vectors = fill_store(tmp_path, {"v": 20.0}, fps=fps, stride=1 / fps)["v"]
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=8))
    item = EvaluationItem("s", Path("v.mp4"), UniformWindows(start, end, 10), ["cut"], ["s"])
    items = EvaluationItems([item], reading)
    assert items.part_counts == [1]
    sample = read(items, 0)
    assert sample.clips.shape == (1, 8, vectors.shape[1])
    assert sample.frame_length.tolist() == [count]
    assert torch.equal(sample.clips[0, :count], vectors[first : first + count].float())
    assert sample.clip_spans[0].tolist() == pytest.approx([first / fps, (first + count) / fps])
    assert (sample.texts, sample.text_ids) == (["cut"], ["s"])


def test_padding_of_a_stored_segment_changes_nothing(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"v": 20.0})["v"].float()
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=8))
    item = EvaluationItem("s", Path("v.mp4"), UniformWindows(3.2, 6.1, 4), [], [])
    sample = read(EvaluationItems([item], reading), 0)
    encoder = CachedFeatures(dim=8, input_dim=vectors.shape[1], num_frames=8, layers=1, heads=2)
    encoder.eval()
    padded = encoder(sample.clips, sample.frame_length).pooled
    torch.testing.assert_close(padded, encoder(vectors[None, 3:7]).pooled)


def test_a_stored_segment_that_is_not_there_is_told(tmp_path: Path) -> None:
    fill_store(tmp_path, {"v": 20.0})
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=8))
    item = EvaluationItem("s", Path("v.mp4"), UniformWindows(20.5, 25.0, 4), [], [])
    with pytest.raises(
        EvaluationError, match=r"from 20\.5 s to 25\.0 s begins after its features end, at 20\.0 s"
    ):
        EvaluationItems([item], reading)[0]
    record = EvaluationItems([item], reading, max_unreadable=1)[0]
    assert isinstance(record, Unreadable)
