import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.damage import lose_index
from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.steps import StepCorpus
from vtlearn.errors import ArgumentError, TooManyUnreadableError
from vtlearn.media.clips import Clips, Source
from vtlearn.media.video.reader import VideoReader

READING = Reading(
    sampling=ClipSampling(num_frames=4, fps=1.0), pixels=Pixels(size=16, flip=0.0), seed=3
)
STEPS = ["pour", "stir", "bake", "pour"]  # a task may name a step twice
SPANS = [(3.5, 6.0, "stir"), (1.0, 3.0, "pour"), (7.25, 8.0, "stir")]


@pytest.fixture
def clips(tmp_path: Path) -> list[CaptionedClip]:
    """Segments, not in temporal order, of a file of 9 s whose grey level grows by 24 a second."""
    path = write_video(tmp_path / "x.mp4", [24 * (n // 2) for n in range(18)], rate=2)
    return [
        CaptionedClip(f"x_{k}", "x", path, start, end, (text,), (f"x_{k}",))
        for k, (start, end, text) in enumerate(SPANS)
    ]


def test_a_sample_is_the_whole_video_with_all_steps(clips: list[CaptionedClip]) -> None:
    sample = StepCorpus(clips, {"x": STEPS}, READING)[0]
    assert sample.id == "x"
    assert sample.clip_spans.tolist() == [[0, 4], [2, 6], [4, 8], [6, 9]]
    assert sample.frame_length.tolist() == [4, 4, 4, 3]
    for (start, _), window, length in zip(
        sample.clip_spans.tolist(), sample.clips, sample.frame_length.tolist(), strict=True
    ):
        levels = window[:length].float().mean((1, 2, 3))
        wanted = [24 * (start + t) for t in range(length)]
        assert levels.tolist() == pytest.approx(wanted, abs=6)
    assert sample.texts == ["pour", "stir", "stir", "bake"]
    assert sample.text_spans[:3].tolist() == [[1, 3], [3.5, 6], [7.25, 8]]
    assert sample.text_spans[3:].isnan().all()
    assert (sample.candidates, sample.text_ids) == (1, [])


def test_every_epoch_reads_the_same(clips: list[CaptionedClip]) -> None:
    corpus = StepCorpus(clips, {"x": STEPS}, READING)
    one, other = (corpus[SampleKey(epoch, 0)] for epoch in range(2))
    assert torch.equal(one.clips, other.clips)
    assert list(corpus.texts()) == one.texts == other.texts
    sent: StepCorpus = pickle.loads(pickle.dumps(corpus))  # noqa: S301 - what was pickled here
    assert torch.equal(sent[0].clips, one.clips)


def test_stored_vectors_end_with_the_video(clips: list[CaptionedClip], tmp_path: Path) -> None:
    vectors = fill_store(tmp_path / "store", {"x": 6.5})["x"]
    reading = Reading(features=tmp_path / "store", sampling=ClipSampling(num_frames=4))
    sample = StepCorpus(clips, {"x": STEPS}, reading)[0]
    assert sample.clip_spans.tolist() == [[0, 4], [2, 6], [4, 7]]
    assert sample.frame_length.tolist() == [4, 4, 3]
    for start, window, length in zip((0, 2, 4), sample.clips, (4, 4, 3), strict=True):
        assert torch.equal(window[:length], vectors[start : start + length].float())


def test_a_video_that_cannot_be_read_is_replaced(
    clips: list[CaptionedClip], tmp_path: Path
) -> None:
    broken = write_video(tmp_path / "y.mp4", [0] * 8, rate=2)
    lose_index(broken)
    reading = replace(
        READING, max_unreadable_fraction=0.5, unreadable_log=tmp_path / "unreadable.jsonl"
    )
    other = replace(clips[0], id="y_0", video="y", path=broken)
    corpus = StepCorpus([other, *clips], {"x": STEPS, "y": STEPS}, reading)
    assert corpus[0].id == "x"
    assert list(corpus.unreadable.read()) == ["y"]


class LosingReader(VideoReader):
    """Lose the frames of some seconds of a video, as a corrupt stretch would."""

    def __init__(self, first: float, last: float) -> None:
        super().__init__()
        self.first, self.last = first, last

    def clips(self, source: Source, starts: Any, **options: Any) -> Clips:
        clips = super().clips(source, starts, **options)
        times = torch.tensor(list(starts))[:, None] + torch.arange(clips.valid.shape[1])
        lost = (times >= self.first) & (times <= self.last)
        return clips._replace(valid=clips.valid & ~lost)


def losing(clips: list[CaptionedClip], first: float, last: float, reading: Reading) -> StepCorpus:
    corpus = StepCorpus(clips, {"x": STEPS}, reading)
    corpus._loader = ClipLoader(reading, LosingReader(first, last))
    return corpus


def test_a_window_with_lost_frames_is_left_out(clips: list[CaptionedClip], tmp_path: Path) -> None:
    sample = losing(clips, 0.0, 1.0, READING)[0]
    assert sample.clip_spans.tolist() == [[2, 6], [4, 8], [6, 9]]
    assert sample.frame_length.tolist() == [4, 4, 3]
    assert sample.clips[0, 0].float().mean() == pytest.approx(48, abs=6)
    assert len(sample.texts) == 4
    beyond = losing(clips, 9.0, 20.0, READING)[0]  # frames that do not count cannot be lost
    assert beyond.frame_length.tolist() == [4, 4, 4, 3]
    reading = replace(READING, unreadable_log=tmp_path / "u.jsonl")
    with pytest.raises(TooManyUnreadableError):
        losing(clips, 0.0, 20.0, reading)[0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"sampling": ClipSampling(whole=True)}, r"sampling.whole=True .* train_on=windows out"),
        ({"sampling": ClipSampling(candidates=2)}, r"sampling.candidates=2 .*whole videos"),
        ({"overlap": OverlapSampling()}, "overlap draws some clips .* train_on=windows reads all"),
    ],
)
def test_what_is_of_single_captions_is_refused(
    clips: list[CaptionedClip], changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(ArgumentError, match=match):
        StepCorpus(clips, {"x": STEPS}, replace(READING, **changes))


def test_every_video_needs_the_steps_of_its_task(clips: list[CaptionedClip]) -> None:
    with pytest.raises(ArgumentError, match=r"1 of 1 videos have no steps of a task \(first: x\)"):
        StepCorpus(clips, {"y": STEPS}, READING)
