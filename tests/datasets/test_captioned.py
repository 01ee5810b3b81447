from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.damage import lose_index
from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.batch import Sample
from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.captioned import (
    CaptionedClip,
    CaptionedCorpus,
    SegmentCorpus,
    captioned_items,
)
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import ArgumentError

READING = Reading(
    sampling=ClipSampling(num_frames=2, fps=2.0), pixels=Pixels(size=16, flip=0.0), seed=3
)


@pytest.fixture
def clip(tmp_path: Path) -> CaptionedClip:
    """Ten seconds of a file whose grey level grows by 12 per second, from 5 s on."""
    path = write_video(tmp_path / "x.mp4", [12 * (n // 2) for n in range(40)], rate=2)
    return CaptionedClip("x", "x", path, 5.0, 15.0, ("one", "two", "three"), ("x#0", "x#1", "x#2"))


def test_a_moment_inside_the_clip_and_one_of_its_captions(clip: CaptionedClip) -> None:
    corpus = CaptionedCorpus([clip], READING)
    samples = [corpus[SampleKey(epoch, 0)] for epoch in range(40)]
    for sample in samples:
        assert sample.id == "x"
        assert sample.clips.shape == (1, 2, 3, 16, 16)
        (start, end), (text,) = sample.clip_spans[0].tolist(), sample.texts
        assert 5.0 <= start < end <= 15.0
        assert text in clip.texts
        assert sample.clips[0, 0].float().mean() == pytest.approx(12 * (start // 1), abs=16)
        assert sample.text_spans.isnan().all()
    assert {sample.texts[0] for sample in samples} == set(clip.texts)
    assert len({float(sample.clip_spans[0, 0]) for sample in samples}) == 40
    again = corpus[SampleKey(7, 0)]
    assert torch.equal(again.clips, samples[7].clips)


def test_a_clip_without_an_end_lasts_as_long_as_its_file(clip: CaptionedClip) -> None:
    corpus = CaptionedCorpus([replace(clip, start=0.0, end=None)], READING)
    starts = [float(corpus[SampleKey(epoch, 0)].clip_spans[0, 0]) for epoch in range(60)]
    assert min(starts) < 3.0
    assert 16.0 < max(starts) <= 19.0


@pytest.mark.parametrize("candidates", [2, 3, 5])
def test_other_captions_follow_as_candidates(clip: CaptionedClip, candidates: int) -> None:
    reading = replace(READING, sampling=replace(READING.sampling, candidates=candidates))
    sample = CaptionedCorpus([clip], reading)[0]
    assert (sample.candidates, len(sample.texts), len(sample.text_spans)) == (candidates,) * 2 + (
        1,
    )
    assert len(set(sample.texts)) == min(candidates, 3)
    assert sample.texts[3:] == sample.texts[:1] * (candidates - 3)


def test_what_cannot_be_read_is_replaced(clip: CaptionedClip, tmp_path: Path) -> None:
    broken = write_video(tmp_path / "y.mp4", [0] * 8, rate=2)
    lose_index(broken)
    log = tmp_path / "unreadable.jsonl"
    reading = replace(READING, max_unreadable_fraction=0.5, unreadable_log=log)
    corpus = CaptionedCorpus([replace(clip, id="y", path=broken), clip], reading)
    assert corpus[0].id == "x"
    assert list(corpus.unreadable.read()) == ["y"]


def test_features_are_read_by_the_files_name(clip: CaptionedClip, tmp_path: Path) -> None:
    vectors = fill_store(tmp_path / "store", {"x": 20.0}, fps=2.0, stride=0.5)
    reading = Reading(features=tmp_path / "store", sampling=ClipSampling(num_frames=2))
    gone = replace(clip, path=tmp_path / "elsewhere" / "x.mp4", start=0.0, end=None)
    sample = CaptionedCorpus([gone], reading)[0]
    first = int(float(sample.clip_spans[0, 0]) * 2)
    assert torch.equal(sample.clips[0], vectors["x"][first : first + 2].float())


def test_windows_are_spread_over_a_clip_when_it_is_read(clip: CaptionedClip) -> None:
    whole = replace(clip, id="whole", start=0.0, end=None)
    items = EvaluationItems(captioned_items([clip, whole], 3), READING)
    assert len(items) == 2
    part, file = items[0], items[1]
    assert isinstance(part, Sample)
    assert isinstance(file, Sample)
    np.testing.assert_allclose(part.clip_spans[:, 0], np.linspace(5.0, 13.6, 3))
    np.testing.assert_allclose(file.clip_spans[:, 0], np.linspace(0.0, 18.6, 3))
    assert (part.texts, part.text_ids) == (list(clip.texts), list(clip.text_ids))


def test_many_windows_come_in_parts(clip: CaptionedClip) -> None:
    items = EvaluationItems(captioned_items([clip], 40), READING)
    parts = [items[index] for index in range(len(items))]
    assert [len(part.clips) for part in parts if isinstance(part, Sample)] == [16, 16, 8]


def segment(k: int, start: float, end: float | None, *texts: str) -> CaptionedClip:
    ids = tuple(f"v_{k}#{number}" for number in range(len(texts)))
    return CaptionedClip(f"v_{k}", "v", Path("v.mp4"), start, end, texts, ids)


def test_segments_of_a_video_are_told_in_temporal_order() -> None:
    other = replace(segment(0, 1.0, 2.0, "wait"), id="w_0", video="w", path=Path("w.mp4"))
    clips = [segment(0, 9.0, 12.0, "fry"), other, segment(1, 3.0, 5.0, "cut")]
    corpus = SegmentCorpus(clips, READING)
    assert list(corpus.ids) == ["v", "w"]
    assert list(corpus.texts()) == ["cut", "fry", "wait"]
    assert [corpus.source(index) for index in range(2)] == ["v.mp4", "w.mp4"]
    assert corpus.transcript("v") == [(3.0, 5.0, "cut"), (9.0, 12.0, "fry")]


@pytest.mark.parametrize("texts", [(), ("cut", "slice")])
def test_a_segment_has_one_text_and_an_end(texts: tuple[str, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"v_0 has [02] texts and the end 2\.0: one text"):
        SegmentCorpus([segment(0, 1.0, 2.0, *texts)], READING)
    with pytest.raises(ArgumentError, match=r"v_0 has 1 texts and the end None: one text"):
        SegmentCorpus([segment(0, 1.0, None, "cut")], READING)
