import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from tests.damage import cut_off
from tests.media.features.stores import fill_store, make_spec
from tests.media.video.writing import write_video
from vtlearn.batch import Batch, Sample, Unreadable, collate
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.datasets.sampling.windows import FrameWindows, TimedWindows, second_windows
from vtlearn.encoders import CachedFeatures
from vtlearn.errors import EvaluationError, UnreadableVideoError
from vtlearn.media.clips import Clips
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.store import FeatureStore
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


def test_windows_of_consecutive_frames_are_spread_over_a_video(tmp_path: Path) -> None:
    sampling = ClipSampling(num_frames=4, fps="native")
    reading = Reading(sampling=sampling, pixels=Pixels(size=16))
    for rate, count in ((Fraction(30000, 1001), 24), (8, 3)):
        path = write_video(tmp_path / f"{count}.mkv", range(0, 10 * count, 10), rate=rate)
        sample = read(
            EvaluationItems([EvaluationItem("x", path, FrameWindows(3), [], [])], reading), 0
        )
        starts = [0, 10, 20] if count == 24 else [0, 0, 0]
        frames = [[min(first + k, count - 1) for k in range(4)] for first in starts]
        levels = sample.clips.float().mean((2, 3, 4))
        wanted = 10 * torch.tensor(frames).float()
        torch.testing.assert_close(levels, wanted, atol=3, rtol=0)  # and the last frame repeats
        spans = [[first / float(rate), (first + 4) / float(rate)] for first in starts]
        torch.testing.assert_close(
            sample.clip_spans, torch.tensor(spans, dtype=torch.float64), atol=1e-3, rtol=0
        )
        assert sample.frame_length.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("late.avi", {"codec": "mpeg4", "b_frames": 2}),  # as UCF101's: frame 0 appears at frame 1
        ("late264.avi", {"codec": "libx264"}),
        ("sound.mkv", {"sound": 3.0}),  # whose end is that of the sound
    ],
)
def test_windows_of_frames_count_from_the_first_one(
    name: str, written: dict[str, Any], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, range(0, 250, 10), rate=25, **written)
    reading = Reading(sampling=ClipSampling(num_frames=5, fps="native"), pixels=Pixels(size=16))
    sample = read(EvaluationItems([EvaluationItem("x", path, FrameWindows(3), [], [])], reading), 0)
    levels = sample.clips.float().mean((2, 3, 4))
    wanted = 10.0 * (torch.tensor([[0], [10], [20]]) + torch.arange(5))
    torch.testing.assert_close(levels, wanted, atol=4, rtol=0)


def test_of_stored_features_windows_of_frames_are_one_window(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"x": 3.0})["x"]
    sampling = ClipSampling(num_frames=4, fps="native")
    items = [EvaluationItem("x", Path("x.mp4"), FrameWindows(10), [], [])]
    sample = read(EvaluationItems(items, Reading(features=tmp_path, sampling=sampling)), 0)
    assert sample.frame_length.tolist() == [3]
    torch.testing.assert_close(sample.clips[0, :3], torch.as_tensor(vectors), check_dtype=False)


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


def segments_of(
    store: Path, *spans: tuple[float, float | None], num_frames: int = 4, windows: int = 1
) -> EvaluationItems:
    """Segments of the video x, read from a store."""
    items = [
        EvaluationItem(str(n), Path("gone/x.mp4"), UniformWindows(*span, windows), ["a"], ["a#0"])
        for n, span in enumerate(spans)
    ]
    reading = Reading(features=store, sampling=ClipSampling(num_frames=num_frames))
    return EvaluationItems(items, reading)


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ((2.0, 5.0), 2, 5),
        ((2.9, 4.1), 2, 5),
        ((2.1, 2.2), 2, 3),
        ((3.0, 3.0), 3, 4),  # at least one
        ((0.0, 4.0), 0, 4),
        ((0.0, 9.0), 0, 4),  # at most as many as a clip has
        ((8.0, None), 8, 11),  # to the end of the video, whose last vector is shown for 0.2 s
        ((9.5, 10.1), 9, 11),
        ((9.0, 30.0), 9, 11),  # past the end of the video there is nothing
    ],
)
def test_a_stored_segment_has_its_own_vectors(
    span: tuple[float, float | None], first: int, last: int, tmp_path: Path
) -> None:
    vectors = fill_store(tmp_path, {"x": 10.2})["x"]
    sample = read(segments_of(tmp_path, span), 0)
    assert sample.clips.shape == (1, 4, 4)
    assert sample.frame_length.tolist() == [last - first]
    assert torch.equal(sample.clips[0, : last - first], vectors[first:last])
    assert sample.clip_spans.tolist() == [[first, last]]
    assert (sample.texts, sample.text_ids, sample.part) == (["a"], ["a#0"], (0, 1))


@pytest.mark.parametrize("fps", [0.1, 1 / 3, 0.5, 0.7, 1.0, 2.0, 30.0])
def test_a_segment_that_starts_on_a_vector_begins_with_it(fps: float, tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"x": 120 / fps}, fps=fps, stride=1 / fps)["x"]
    assert len(vectors) == 120
    spans = [(k / fps, (k + 3) / fps) for k in range(118)]
    items = segments_of(tmp_path, *spans)
    for k in range(len(items)):
        sample = read(items, k)
        assert sample.frame_length.tolist() == [min(3, 120 - k)]
        assert torch.equal(sample.clips[0, :2], vectors[k : k + 2])
        torch.testing.assert_close(sample.clip_spans[0, 0].item(), k / fps)


@pytest.mark.parametrize("windows", [1, 4, 16, 40])
def test_a_stored_segment_is_one_part_however_many_windows(windows: int, tmp_path: Path) -> None:
    fill_store(tmp_path, {"x": 300.0})
    items = segments_of(tmp_path, (0.0, 200.0), (200.0, None), num_frames=8, windows=windows)
    assert (items.part_counts, len(items)) == ([1, 1], 2)
    for number, first in enumerate((0, 200)):
        sample = read(items, number)
        assert sample.clips.shape == (1, 8, 4)
        assert sample.part == (0, 1)
        assert sample.clip_spans.tolist() == [[first, first + 8]]
        assert torch.equal(sample.clips, items.sample(items.items[number]).clips)


@pytest.mark.parametrize("start", [10.0, 10.5, 300.0])
def test_a_segment_after_the_end_of_the_video_is_unreadable(start: float, tmp_path: Path) -> None:
    fill_store(tmp_path, {"x": 10.0})
    items = segments_of(tmp_path, (start, start + 5.0), (9.0, 12.0))
    sentence = rf"segment from {start} s to {start + 5.0} s begins after its features end, at 10.0"
    with pytest.raises(EvaluationError, match=sentence):
        items[0]
    items.max_unreadable = 1
    lost = items[0]
    assert isinstance(lost, Unreadable)
    assert lost[:3] == ("0", "gone/x.mp4", "decode")
    assert read(items, 1).frame_length.tolist() == [1]


def test_lost_vectors_count_where_they_are_of_the_segment(tmp_path: Path) -> None:
    spec = make_spec()
    store = FeatureStore(tmp_path, spec, ["x"])
    vectors = torch.arange(40.0).reshape(10, 4)
    vectors[5] = torch.nan
    store.write(0, {"x": StoredVideo(vectors, 10.0)}, {})
    items = segments_of(tmp_path, (3.0, 5.0), (3.0, 5.1))
    assert read(items, 0).frame_length.tolist() == [2]
    with pytest.raises(EvaluationError, match=r"vectors of the segment from 3.0 s to 5.1 s"):
        items[1]


def test_padding_changes_nothing_of_what_is_encoded(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"x": 40.0})["x"]
    spans = [(2.0, 5.0), (30.0, None), (7.0, 7.5)]
    torch.manual_seed(0)
    encoder = CachedFeatures(dim=8, input_dim=4, num_frames=16, layers=2, heads=2).eval()
    short = collate([read(segments_of(tmp_path, *spans, num_frames=10), n) for n in range(3)])
    long = collate([read(segments_of(tmp_path, *spans, num_frames=16), n) for n in range(3)])
    assert long.frame_length.tolist() == short.frame_length.tolist() == [3, 10, 1]
    torch.manual_seed(1)
    noise = long.clips.clone()
    for clip, length in zip(noise, long.frame_length.tolist(), strict=True):
        clip[length:] = torch.randn(16 - length, 4)
    with torch.inference_mode():
        pooled = encoder(long.clips, long.frame_length).pooled
        for clips in (short.clips, noise):
            torch.testing.assert_close(encoder(clips, long.frame_length).pooled, pooled)
        alone = [
            encoder(vectors[None, first:last]).pooled for first, last in ((2, 5), (30, 40), (7, 8))
        ]
    torch.testing.assert_close(torch.cat(alone), pooled)


def test_segments_of_pixels_keep_their_windows(video: Path) -> None:
    item = EvaluationItem("x", video, UniformWindows(4.0, 20.0, 20), ["a"], ["a#0"])
    items = items_of(item)
    assert items.part_counts == [2]
    assert [len(read(items, n).clips) for n in range(2)] == [16, 4]


def test_a_segment_after_the_end_of_its_video_is_told(video: Path) -> None:
    item = EvaluationItem("s", video, UniformWindows(800.0, 900.0, 2), [], [])
    with pytest.raises(EvaluationError, match=r"from 800\.0 s to 900\.0 s begins after it ends"):
        EvaluationItems([item], SHORT)[0]


def test_a_second_of_stored_features_is_its_own_vectors(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"v": 20.0}, fps=2.0, stride=0.5)["v"].float()
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=8))
    item = EvaluationItem("v", Path("v.mp4"), second_windows(20.0), [], [])
    items = EvaluationItems([item], reading)
    parts = [read(items, index) for index in range(len(items))]
    assert [len(part.clips) for part in parts] == [16, 4]
    for part in parts:
        assert set(part.frame_length.tolist()) == {2}
        for clip, (start, end) in zip(part.clips, part.clip_spans.tolist(), strict=True):
            assert end == start + 1
            assert torch.equal(clip[:2], vectors[int(2 * start) :][:2])
    pixels = replace(SHORT, sampling=ClipSampling(num_frames=2, fps=2.0))
    assert EvaluationItems([item], pixels).part_counts == [2]


def test_past_the_last_stored_vector_nothing_counts(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"v": 10.2})["v"]
    reading = Reading(features=tmp_path, sampling=ClipSampling(num_frames=4))
    windows = TimedWindows([0.0, 8.0], 10.2, 3.0)
    for starts, lengths in (
        ([0.0, 6.5, 7.0, 7.5, 8.0, 10.0], [4, 4, 4, 4, 3, 1]),
        (second_windows(10.2), [1] * 11),
        (windows, [3, 3]),
        (TimedWindows([0.0, 8.0], 12.0, 4.0), [4, 3]),  # the store is of a shorter copy
    ):
        sample = read(EvaluationItems([EvaluationItem("v", Path("v"), starts, [], [])], reading), 0)
        assert sample.frame_length.tolist() == lengths
        for clip, length, start in zip(sample.clips, lengths, starts, strict=True):
            assert torch.equal(clip[:length], vectors[int(start) :][:length])


def test_a_clip_of_pixels_is_full_past_the_end_unless_its_windows_say_less(video: Path) -> None:
    reading = replace(SHORT, sampling=ClipSampling(num_frames=8, fps=2.0))
    for starts, lengths in (
        ([0.0, 38.0], [8, 8]),
        (second_windows(40.0), [8] * 40),
        (TimedWindows([0.0, 38.0], 40.0), [8, 4]),
    ):
        items = EvaluationItems([EvaluationItem("v", video, starts, [], [])], reading)
        parts = [read(items, index) for index in range(len(items))]
        assert [length for part in parts for length in part.frame_length.tolist()] == lengths
