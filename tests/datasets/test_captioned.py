import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    list_segments,
    require_clips,
)
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.errors import ArgumentError, CorpusNotFoundError, TooManyUnreadableError
from vtlearn.media.captions.caption import Caption

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


def test_the_whole_of_the_clip(clip: CaptionedClip) -> None:
    whole = replace(READING, sampling=replace(READING.sampling, whole=True, candidates=2))
    one, other = (CaptionedCorpus([clip], whole)[SampleKey(epoch, 0)] for epoch in range(2))
    assert one.clip_spans.tolist() == [[5.0, 15.0]]
    assert one.clips.float().mean((0, 2, 3, 4)).tolist() == pytest.approx([84, 144], abs=6)
    assert torch.equal(one.clips, other.clips)
    assert len(one.texts) == 2
    assert one.text_spans.shape == (1, 2)
    assert one.text_spans.isnan().all()
    file = CaptionedCorpus([replace(clip, start=0.0, end=None)], whole)[0]
    assert file.clip_spans.tolist() == [[0.0, 20.0]]


def test_overlap_is_for_captions_of_speech(clip: CaptionedClip) -> None:
    reading = replace(READING, overlap=OverlapSampling(num_clips=5, words=(2, 2), seconds=(2, 2)))
    with pytest.raises(ArgumentError, match="overlap joins captions of speech"):
        CaptionedCorpus([clip], reading)
    segments = [replace(clip, start=start, end=start + 4.0, texts=(text,))
                for start, text in ((1.0, "add ham"), (9.0, "stir"))]  # fmt: skip
    sample = SegmentCorpus(segments, reading)[0]  # or steps that are annotated
    assert set(sample.texts) == {"add ham", "add ham stir"}
    assert sample.clips.shape == (5, 2, 3, 16, 16)


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


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_a_clip_outside_its_video_is_left_out_and_said(
    stored: bool,
    whole: bool,
    clip: CaptionedClip,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reading = replace(READING, sampling=replace(READING.sampling, whole=whole))
    if stored:
        fill_store(tmp_path / "store", {"x": 20.0}, fps=2.0, stride=0.5, clock="start")
        reading = replace(reading, features=tmp_path / "store", pixels=Pixels())
    outside = replace(clip, id="outside", start=100.0, end=110.0)
    partly = replace(clip, id="partly", start=18.0, end=30.0)
    corpus = CaptionedCorpus([outside, partly], reading)
    for epoch in range(20):
        sample = corpus[SampleKey(epoch, 0)]
        assert sample.id == "partly"
        start, end = sample.clip_spans[0].tolist()
        assert 18 <= start < end <= 30
    (record,) = caplog.records
    assert "all 3 captions of outside are outside its time: its frames are" in record.getMessage()
    with pytest.raises(TooManyUnreadableError):
        CaptionedCorpus([outside], reading)[0]


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


GREYS = 12  # a second, of the file in ``clip``


def segment(clip: CaptionedClip, start: float, end: float | None, text: str) -> CaptionedClip:
    return replace(clip, id=f"x_{text}", start=start, end=end, texts=(text,), text_ids=(text,))


def test_a_sample_is_a_run_of_segments_in_order_of_time(clip: CaptionedClip) -> None:
    spans = {"d": (14.0, 18.0), "a": (0.0, 3.0), "c": (9.0, 12.0), "b": (4.0, 8.5)}
    other = write_video(clip.path.with_name("y.mp4"), [0] * 8, rate=2)
    clips = [
        *(segment(clip, *span, text) for text, span in spans.items()),
        replace(segment(clip, 0.0, 4.0, "z"), id="y_0", video="y", path=other),
    ]
    reading = replace(READING, sampling=replace(READING.sampling, num_clips=2))
    corpus = SegmentCorpus(clips, reading)
    assert list(corpus.ids) == ["x", "y"]
    assert [corpus.source(index) for index in range(2)] == [str(clip.path), str(other)]
    assert list(corpus.texts()) == ["a", "b", "c", "d", "z"]
    assert [caption.text for caption in corpus.transcript("x")] == ["a", "b", "c", "d"]
    samples = [corpus[SampleKey(epoch, 0)] for epoch in range(30)]
    assert {"".join(sample.texts) for sample in samples} == {"ab", "bc", "cd"}
    for sample in samples:
        assert sample.id == "x"
        assert sample.text_spans.tolist() == [list(spans[text]) for text in sample.texts]
        for text, (start, end), frames in zip(
            sample.texts, sample.clip_spans.tolist(), sample.clips, strict=True
        ):
            assert spans[text][0] <= start < end <= spans[text][1]
            assert frames[0].float().mean() == pytest.approx(GREYS * (start // 1), abs=16)
    again = SegmentCorpus(clips, reading)[SampleKey(4, 0)]
    assert torch.equal(again.clips, samples[4].clips)
    assert again.texts == samples[4].texts
    assert corpus[1].texts == ["z"]


def test_one_stretch_with_two_texts_is_two_segments(clip: CaptionedClip) -> None:
    clips = [segment(clip, 5.0, 9.0, text) for text in ("second", "first")]
    reading = replace(READING, sampling=replace(READING.sampling, num_clips=2))
    sample = SegmentCorpus(clips, reading)[0]
    assert sorted(sample.texts) == ["first", "second"]
    assert sample.text_spans.tolist() == [[5.0, 9.0]] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": None}, "the segment x has to have an end and one text, and has the end None"),
        ({"texts": ("one", "two"), "text_ids": ("x#0", "x#1")}, "and 2 texts"),
        ({"texts": (), "text_ids": ()}, "and 0 texts: use CaptionedCorpus"),
    ],
)
def test_what_is_no_segment_is_refused(
    clip: CaptionedClip, changes: dict[str, Any], message: str
) -> None:
    good = segment(clip, 0.0, 3.0, "a")
    wrong = replace(replace(clip, texts=("one",), text_ids=("x#0",)), **changes)
    with pytest.raises(ArgumentError, match=message):
        SegmentCorpus([good, wrong], READING)


def test_a_corpus_of_segments_is_small_when_it_is_sent_to_a_worker(tmp_path: Path) -> None:
    clips = [
        CaptionedClip(
            id=f"video-{v:06d}_{k}",
            video=f"video-{v:06d}",
            path=tmp_path / f"raw_videos/video-{v:06d}.mp4",
            start=10.0 * k,
            end=10.0 * k + 8,
            texts=(f"add ingredient {k} to the pan of video {v}",),
            text_ids=(f"video-{v:06d}_{k}",),
        )
        for v in range(1333)
        for k in range(8)
    ]
    sent = pickle.dumps(SegmentCorpus(clips, READING))
    assert len(sent) < 1_500_000  # of 10,664 segments
    loaded = pickle.loads(sent)  # noqa: S301 - what was pickled here
    assert loaded.transcript("video-001332")[7] == (
        *(70.0, 78.0, "add ingredient 7 to the pan of video 1332"),
    )


def test_segments_are_listed_by_video(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "-x_y.webm").touch()
    said = {
        "-x_y": [Caption(4.0, 5.0, "later"), Caption(1.0, 2.0, "earlier")],
        "gone": [Caption(0.0, 1.0, "text")],
    }
    assert list_segments(tmp_path, said) == [
        CaptionedClip(
            *("-x_y_0", "-x_y", tmp_path / "a" / "b" / "-x_y.webm", 4.0, 5.0),
            *(("later",), ("-x_y_0",)),
        ),
        CaptionedClip(
            *("-x_y_1", "-x_y", tmp_path / "a" / "b" / "-x_y.webm", 1.0, 2.0),
            *(("earlier",), ("-x_y_1",)),
        ),
        CaptionedClip("gone_0", "gone", tmp_path / "gone.mp4", 0.0, 1.0, ("text",), ("gone_0",)),
    ]


def test_videos_are_required_once_each(clip: CaptionedClip) -> None:
    gone = [
        replace(clip, id=f"v{n}_{k}", video=f"v{n}", path=clip.path.with_name(f"v{n}.mp4"))
        for n in range(7)
        for k in range(2)
    ]
    given = ("Corpus", Path("list.csv"), "https://example.org", "ROOT --data X")

    def require(clips: list[CaptionedClip], max_missing: float) -> None:
        corpus, listed, source, check = given
        require_clips(corpus, clips, listed, source, max_missing, check)

    require([clip], 0)
    require([], 0)
    require([*gone, clip], 7)
    require([*gone[:2], clip], 0.5)
    with pytest.raises(ArgumentError) as caught:
        require([*gone, clip], 6)
    assert str(caught.value) == (
        f"7 of 8 videos listed in list.csv are missing under {clip.path.parent}: v0, v1, v2, v3, "
        "v4, .... Download them (`vtlearn data check ROOT --data X` lists all), or pass "
        "--data.init_args.max_unreadable=7 (in training, "
        "--data.init_args.max_unreadable_fraction=0.88) to continue without them (now 6 may be)"
    )
    require([*gone[:2], clip], 0.4)  # a share above 0 allows one
    with pytest.raises(ArgumentError, match="1 of 2 videos"):
        require([*gone[:2], clip], 0.0)
    with pytest.raises(ArgumentError, match=r"2 of 3 videos .*\(now 1 may be\)"):
        require([*gone[:4], clip], 0.4)
    with pytest.raises(CorpusNotFoundError, match=r"list.csv, <id>.mp4  \(there are none\)"):
        require(gone, 7)
