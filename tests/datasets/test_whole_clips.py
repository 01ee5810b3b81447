from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.batch import Sample, Unreadable
from vtlearn.datasets.captioned import CaptionedClip, CaptionedCorpus
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.whole_clips import whole_items
from vtlearn.errors import EvaluationError

SAMPLING = ClipSampling(num_frames=3, fps=2.0, whole=True)
SPANS: list[tuple[float, float | None]] = [(0.0, None), (1.0, 2.5), (3.0, 9.0)]


def clips(path: Path) -> list[CaptionedClip]:
    return [
        CaptionedClip(f"v_{k}", "v", path, start, end, ("one", "two"), (f"v_{k}#0", f"v_{k}#1"))
        for k, (start, end) in enumerate(SPANS)
    ]


def require_the_frames_of_training(path: Path, reading: Reading) -> list[Sample]:
    corpus = CaptionedCorpus(clips(path), reading)
    items = EvaluationItems(whole_items(corpus.clips), reading)
    assert items.part_counts == [1, 1, 1]
    scored = []
    for number in range(len(items)):
        drawn, sample = corpus.draw(number, np.random.default_rng(number)), items[number]
        assert isinstance(sample, Sample)
        assert sample.id == drawn.id
        assert sample.texts == sample.text_ids == []
        assert torch.equal(sample.clips, drawn.clips)
        assert torch.equal(sample.clip_spans, drawn.clip_spans)
        assert torch.equal(sample.frame_length, drawn.frame_length)
        scored.append(sample)
    return scored


def test_captions_are_written_of_the_frames_that_training_takes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", range(0, 200, 5), rate=8)  # five seconds
    reading = Reading(sampling=SAMPLING, pixels=Pixels(size=16, flip=0.0))
    samples = require_the_frames_of_training(path, reading)
    levels = [(one.clips[0].float().mean((1, 2, 3)) / 5).round().tolist() for one in samples]
    assert levels[1] == [10, 14, 18]  # at 1.25, 1.75 and 2.25 s
    assert levels[2] == [32, 39, 39]  # of what is said to last longer than the video
    assert samples[1].clip_spans.tolist() == [[1.0, 2.5]]


def test_of_stored_vectors_as_well(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path, {"v": 4.6}, fps=2.0, stride=0.5)["v"].float()
    reading = Reading(features=tmp_path, sampling=SAMPLING)
    samples = require_the_frames_of_training(Path("v.mp4"), reading)
    assert [one.frame_length.tolist() for one in samples] == [[3], [3], [3]]
    assert torch.equal(samples[1].clips[0], vectors[2:5])


def test_a_segment_that_begins_after_its_video_cannot_be_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [90] * 8, rate=4)
    late = clips(path)[2]
    reading = Reading(sampling=SAMPLING, pixels=Pixels(size=16))
    with pytest.raises(
        EvaluationError, match=r"segment from 3\.0 s to 9\.0 s begins after it ends"
    ):
        EvaluationItems(whole_items([late]), reading)[0]
    record = EvaluationItems(whole_items([late]), reading, max_unreadable=1)[0]
    assert isinstance(record, Unreadable)
    assert record.id == "v_2"


def test_no_item_has_what_it_is_scored_by() -> None:
    assert {len(item.texts) for item in whole_items(clips(Path("v.mp4")))} == {0}
