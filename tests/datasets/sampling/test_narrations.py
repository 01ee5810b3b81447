import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.damage import cut_off
from tests.media.features.stores import fill_store, make_spec
from tests.media.video.writing import write_video
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.sampling.spans import part_middles
from vtlearn.errors import LostClipsError, OutsideCaptionsError
from vtlearn.media.captions.transcripts import Caption
from vtlearn.media.clips import Clips
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.store import FeatureStore
from vtlearn.media.video.reader import VideoReader

READING = Reading(
    sampling=ClipSampling(num_clips=3, num_frames=4, fps=5.0), pixels=Pixels(size=16, flip=0.0)
)


def narrations(reader: object = None, **changes: Any) -> NarrationReader:
    reading = replace(READING, sampling=replace(READING.sampling, **changes))
    return NarrationReader(ClipLoader(reading, reader))  # type: ignore[arg-type]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten seconds whose grey level grows by 20 a second."""
    return write_video(tmp_path / "x.mp4", [20 * (n // 5) for n in range(50)], rate=5, gop=5)


def test_each_clip_is_from_its_captions_time(video: Path) -> None:
    captions = [Caption(second, second + 0.8, str(second)) for second in (1.0, 4.0, 8.0)]
    narration = narrations().read("x", video, captions, rng())
    assert narration.texts == ["1.0", "4.0", "8.0"]
    assert narration.text_spans.tolist() == [[1.0, 1.8], [4.0, 4.8], [8.0, 8.8]]
    assert narration.clip_spans.tolist() == [[1.0, 1.8], [4.0, 4.8], [8.0, 8.8]]
    assert narration.frame_length.tolist() == [4, 4, 4]
    levels = narration.clips.float().mean((1, 2, 3, 4))
    assert levels.tolist() == pytest.approx([20, 80, 160], abs=5)


def first_start(reader: NarrationReader, caption: Caption, seed: int) -> float:
    return float(reader.read("x", "x.mp4", [caption], rng(seed)).clip_spans[0, 0])


def test_a_moment_lies_anywhere_in_its_clip() -> None:
    moment, length = Caption(5.5, 5.5, "now"), READING.clip_seconds
    for least in (0.0, 5.0):  # widening is for captions that have a length
        reader = narrations(Features(), min_seconds=least)
        drawn = [first_start(reader, moment, seed) for seed in range(300)]
        assert min(drawn) >= 5.5 - length
        assert max(drawn) <= 5.5
        assert np.mean(drawn) == pytest.approx(5.5 - length / 2, abs=0.05)
        assert np.std(drawn) == pytest.approx(length / 12**0.5, abs=0.03)
    plain = narrations(Features())
    early = [first_start(plain, Caption(0.1, 0.1, "now"), seed) for seed in range(50)]
    assert 0 <= min(early) < max(early) <= 0.1
    whole = narrations(Features(), floor_seconds=True)
    assert {first_start(whole, moment, seed) for seed in range(50)} == {4.0, 5.0}


def test_clips_are_cut_at_whole_seconds_if_that_is_asked_for() -> None:
    caption = Caption(3.9, 7.2, "stir")  # the released rule: of 3 to int(7 - 0.8)
    whole = narrations(Features(), floor_seconds=True)
    assert {first_start(whole, caption, seed) for seed in range(60)} == {3.0, 4.0, 5.0, 6.0}
    widened = narrations(Features(), floor_seconds=True, min_seconds=5.0)  # 3.05 to 8.05
    assert {first_start(widened, caption, seed) for seed in range(60)} == {3, 4, 5, 6, 7}
    short = Caption(3.9, 4.3, "stir")
    assert {first_start(whole, short, seed) for seed in range(9)} == {3.0}


def test_float_seconds_are_drawn_as_they_always_were() -> None:
    reader = narrations(Features(), min_seconds=2.0)
    drawn = first_start(reader, Caption(4.0, 5.0, "stir"), 3)
    draws = rng(3)
    draws.integers(1)  # which of the captions
    assert drawn == draws.uniform(3.5, 3.5 + 2.0 - READING.clip_seconds)


def test_clip_spans_are_where_the_clips_were_drawn(video: Path) -> None:
    captions = [Caption(0.0, 4.0, "a long one"), Caption(4.0, 9.0, "another")]
    reader = narrations(Features(), candidates=2)
    for seed in range(5):
        narration = reader.read("x", video, captions, rng(seed))
        assert narration.clip_spans[:, 0].tolist() == pytest.approx(
            narration.clips[:, 0, 0].tolist(), rel=1e-6
        )
        assert narration.clip_spans.diff().tolist() == [[pytest.approx(0.8)]] * 2
        assert narration.texts == ["a long one", "another", "another", "a long one"]
        assert narration.text_spans.tolist() == [[0.0, 4.0], [4.0, 9.0]]


class Features:
    """A reader that is no decoder: vector k of a clip tells its time."""

    def clips(self, source: object, starts: list[float], *, num_frames: int, fps: float, size: int,
              **_: object) -> Clips:  # fmt: skip
        del source
        times: NDArray[np.float64] = np.asarray(starts)[:, None] + np.arange(num_frames) / fps
        frames = torch.from_numpy(times).float()[..., None].expand(-1, -1, size).contiguous()
        return Clips(frames, torch.ones(times.shape, dtype=torch.bool))


def test_stored_features_stand_where_pixels_would(video: Path) -> None:
    captions = [Caption(second, second + 0.8, str(second)) for second in (1.0, 4.0)]
    reader = narrations(Features())
    narration = reader.read("x", video, captions, rng())
    assert narration.clips.shape == (2, 4, 16)
    assert narration.clips[:, 0, 0].tolist() == [1.0, 4.0]


def test_a_whole_caption_is_one_clip(video: Path) -> None:
    captions = [Caption(1.0, 5.0, "long"), Caption(4.0, 4.4, "short"), Caption(8.0, 8.0, "now")]
    narration = narrations(whole=True, candidates=2).read("x", video, captions, rng())
    assert narration.clip_spans.tolist() == narration.text_spans.tolist()
    assert narration.text_spans.tolist() == [[1.0, 5.0], [4.0, 4.4], [8.0, 8.0]]
    assert narration.frame_length.tolist() == [4] * 3
    assert narration.texts == ["long", "short", "short", "long", "now", "short"]
    levels = narration.clips.float().mean((2, 3, 4))
    assert levels[0].tolist() == pytest.approx([20, 40, 60, 80], abs=5)  # in 1.5, 2.5, ... seconds
    assert levels[2].tolist() == pytest.approx([160] * 4, abs=5)
    again = narrations(whole=True).read("x", video, captions, rng(1))
    assert torch.equal(again.clips, narration.clips)  # nothing is drawn
    widened = narrations(whole=True, min_seconds=2.0).read("x", video, captions, rng())
    assert widened.clip_spans.tolist() == [[1.0, 5.0], [pytest.approx(3.2), pytest.approx(5.2)],
                                           [7.0, 9.0]]  # fmt: skip
    assert torch.equal(widened.text_spans, narration.text_spans)


def test_whole_captions_have_as_many_stored_vectors_as_they_last(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"x": 9.5})["x"]
    reading = replace(
        READING, features=tmp_path, sampling=ClipSampling(num_clips=4, num_frames=4, whole=True)
    )
    captions = [Caption(0.2, 1.9, "a"), Caption(2.0, 8.0, "b"), Caption(8.5, 20.0, "c"),
                Caption(9.4, 12.0, "d")]  # fmt: skip
    sample = NarrationReader(ClipLoader(reading)).read("x", "x", captions, rng())
    assert sample.frame_length.tolist() == [2, 4, 2, 1]
    assert sample.clip_spans.tolist() == [[0.0, 2.0], [2.0, 6.0], [8.0, 10.0], [9.0, 10.0]]
    assert sample.text_spans[3].tolist() == [9.4, 9.5]
    assert sample.clips.shape == (4, 4, 4)
    assert torch.equal(sample.clips[2, :2], vectors[8:].float())


OUTSIDE = [Caption(-3.0, 0.0, "before"), Caption(10.0, 11.0, "after"), Caption(12.0, 12.0, "now")]


def test_captions_outside_the_video_are_left_out_and_said(
    video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    captions = [OUTSIDE[0], Caption(1.0, 2.0, "in"), Caption(9.0, 14.0, "partly"), *OUTSIDE[1:]]
    reader = narrations()
    for seed in range(20):
        sample = reader.read("x", video, captions, rng(seed))
        assert sample.texts == ["in", "partly"]
        assert sample.text_spans.tolist() == [[1.0, 2.0], [9.0, 10.0]]
        assert sample.clip_spans.max() <= 10.0
    (record,) = caplog.records
    assert record.getMessage().startswith("left out 3 of 5 captions of x: its frames are from 0.0")


def test_a_video_with_all_captions_outside_is_not_trained_on(video: Path, tmp_path: Path) -> None:
    fill_store(tmp_path / "store", {"x": 9.5})
    stored = NarrationReader(ClipLoader(replace(READING, features=tmp_path / "store")))
    for reader, source in ((narrations(), video), (overlapping(), video), (stored, "x")):
        with pytest.raises(OutsideCaptionsError, match="all 3 captions of x are outside"):
            reader.read("x", source, OUTSIDE, rng())


def test_captions_before_late_video_are_left_out(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [100] * 50, pts=range(50, 100), sound=5)
    captions = [Caption(0.0, 1.5, "black"), Caption(1.0, 3.0, "in"), Caption(4.2, 4.8, "sound")]
    sample = narrations().read("x", path, captions, rng())
    assert sample.texts == ["in"]
    assert sample.text_spans.tolist() == [[pytest.approx(2.0, abs=0.01), 3.0]]


def overlapping(reading: Reading = READING, **overlap: Any) -> NarrationReader:
    options: dict[str, Any] = {"num_clips": 12, "words": (2, 4), "seconds": (2, 5)} | overlap
    return NarrationReader(ClipLoader(replace(reading, overlap=OverlapSampling(**options))))


SAID = [Caption(3.0 * n, min(3.0 * n + 2, 10.0), f"word {n}") for n in range(4)]


def test_texts_and_clips_that_overlap(video: Path) -> None:
    sample = overlapping().read("x", video, SAID, rng())
    assert sample.clips.shape == (12, 4, 3, 16, 16)
    assert sample.frame_length.tolist() == [4] * 12
    assert len(sample.texts) == len(sample.text_spans) == 12
    assert sample.candidates == 1
    starts = sample.text_spans[:, 0].tolist()
    assert starts == sorted(starts)
    for text, (start, end) in zip(sample.texts, sample.text_spans.tolist(), strict=True):
        said = [caption for caption in SAID if start <= caption.start < end]
        assert text == " ".join(caption.text for caption in said)
        assert 1 <= len(said) <= 2  # of two words each
        assert (start, end) == (said[0].start, said[-1].end)
    for frames, (start, end) in zip(sample.clips, sample.clip_spans.tolist(), strict=True):
        assert 0 <= start < end <= 10
        assert 2 <= end - start <= 5
        seconds = [int(time) for time in part_middles(start, end, 4)]
        shown = frames.float().mean((1, 2, 3))
        assert shown.tolist() == pytest.approx([20 * second for second in seconds], abs=5)
    again = overlapping().read("x", video, SAID, rng())
    assert torch.equal(again.clips, sample.clips)
    assert again.texts == sample.texts


def test_overlapping_clips_of_stored_vectors_have_their_own_lengths(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"x": 9.5})["x"]
    stored = replace(READING, features=tmp_path, sampling=ClipSampling(num_frames=4))
    sample = overlapping(stored, seconds=(2, 4)).read("x", "x.mp4", SAID, rng())
    lengths = sample.frame_length.tolist()
    assert set(lengths) == {2, 3, 4}
    meets = (sample.clip_spans[:, 0] <= sample.text_spans[:, 1].ceil()) & (
        sample.clip_spans[:, 1] >= sample.text_spans[:, 0].floor()
    )
    assert meets.all()  # a clip holds a second of its text's time
    for frames, length, span in zip(sample.clips, lengths, sample.clip_spans, strict=True):
        start, end = span.long().tolist()
        assert end - start == length
        assert torch.equal(frames[:length], vectors[start:end].float())


def test_the_last_second_may_be_no_whole_one(tmp_path: Path) -> None:
    video = write_video(tmp_path / "x.mp4", [0] * 22, rate=5)  # 4.4 s
    sample = overlapping(seconds=(9, 9)).read("x", video, SAID, rng())
    assert sample.clip_spans.tolist() == [[0.0, pytest.approx(4.4)]] * 12


def test_an_overlapping_clip_that_is_lost_is_left_out_with_its_text(tmp_path: Path) -> None:
    vectors = torch.ones(10, 4)
    vectors[0] = torch.nan
    store = FeatureStore(tmp_path, make_spec(), ["x"])
    store.write(0, {"x": StoredVideo(vectors, 10.0)}, {})
    stored = replace(READING, features=tmp_path, sampling=ClipSampling(num_frames=4))
    sample = overlapping(stored, seconds=(2, 4)).read("x", "x", SAID, rng())
    count = len(sample.clips)
    assert 0 < count < 12
    assert count == len(sample.texts) == len(sample.text_spans) == len(sample.frame_length)
    assert sample.clip_spans.min() > 0
    long = replace(stored, sampling=ClipSampling(num_frames=99))
    with pytest.raises(LostClipsError, match="x has no frame in the clips drawn"):
        overlapping(long, seconds=(99, 99)).read("x", "x", SAID, rng())


def test_clips_in_a_lost_stretch_are_left_out(kitchen_root: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(next((kitchen_root / "videos").glob("*.mp4")), tmp_path))
    end = VideoReader().probe(path).duration
    cut_off(path)
    early, late = Caption(0.0, 1.0, "early"), Caption(end - 2, end - 1, "late")
    reader = narrations(num_clips=2)
    narration = reader.read("x", path, [early, late], rng())
    assert narration.texts == ["early"]
    assert len(narration.clips) == len(narration.clip_spans) == 1
    assert narration.text_spans.tolist() == [[0.0, 1.0]]
    with pytest.raises(LostClipsError, match="x has no frame in the clips drawn"):
        reader.read("x", path, [late], rng())


def test_a_clip_that_lost_some_frames_is_left_out_too(video: Path) -> None:
    class Holed(VideoReader):
        def clips(self, *args: object, **kwargs: object) -> Clips:
            clips = super().clips(*args, **kwargs)  # type: ignore[arg-type]
            clips.valid[0, -1] = False
            return clips

    captions = [Caption(second, second + 0.8, str(second)) for second in (1.0, 4.0)]
    narration = narrations(Holed()).read("x", video, captions, rng())
    assert narration.texts == ["4.0"]
    assert narration.clip_spans.tolist() == [[4.0, 4.8]]
