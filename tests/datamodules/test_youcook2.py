import csv
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Batch, Sample
from vtlearn.datamodules import YouCook2
from vtlearn.datasets import ClipSampling
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.heads import InfoNCE


def youcook2(root: Path, tmp_path: Path, **options: Any) -> YouCook2:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 2, **options}
    return YouCook2(root, **{**LOADING, **options})


def test_runs_of_a_videos_segments_are_trained_on(youcook2_root: Path, tmp_path: Path) -> None:
    data = youcook2(youcook2_root, tmp_path)
    batches: list[Batch] = list(data.train_dataloader())
    assert [len(batch.ids) for batch in batches] == [2, 2]
    told = set(data.captions())
    for batch in batches:
        assert batch.num_clips == batch.num_texts == (3, 3)
        assert set(batch.texts) <= told
        for first in (0, 3):
            starts = batch.text_spans[first : first + 3, 0].tolist()
            assert starts == sorted(starts)


def test_clips_and_videos_share_a_pass(youcook2_root: Path, tmp_path: Path) -> None:
    with (youcook2_root / "validation_youcook.csv").open() as file:
        rows = list(csv.DictReader(file))
    both, background = youcook2(youcook2_root, tmp_path, order=True).tasks("test")
    clips, videos = both.protocols
    assert isinstance(clips, Retrieval)
    assert isinstance(videos, FullVideo)
    assert [clips.name, videos.name] == ["youcook2-clip", "youcook2-video"]
    assert sorted(clips.expected) == sorted(videos.expected)
    assert sorted(clips.captions.values()) == sorted(row["text"] for row in rows)
    assert videos.texts == clips.captions
    assert len(videos.sequences) == 6
    assert videos.groups is not None
    assert sorted(map(list(videos.groups.values()).count, set(videos.groups.values()))) == [3, 3]
    (whole,) = background.protocols
    assert isinstance(whole, FullVideo)
    assert (whole.name, whole.select) == ("youcook2-video-background", True)
    assert whole.texts == videos.texts
    assert youcook2(youcook2_root, tmp_path).tasks("validate") == []


def test_segments_of_a_video_are_in_temporal_order(youcook2_root: Path, tmp_path: Path) -> None:
    (videos,) = youcook2(youcook2_root, tmp_path, background=False).tasks("test")[0].protocols[1:]
    assert isinstance(videos, FullVideo)
    clips = {clip.id: clip for clip in youcook2(youcook2_root, tmp_path).clips("validation")}
    for video, items in videos.sequences.items():
        starts = [clips[item].start for item in items]
        assert starts == sorted(starts)
        assert {clips[item].video for item in items} == {video}
        assert list(videos.paragraphs[video]) == items


def test_order_is_not_scored_as_published(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="leave it out with mode=reference"):
        YouCook2(tmp_path, order=True, mode="reference")


def test_a_video_is_cut_into_windows_side_by_side(youcook2_root: Path, tmp_path: Path) -> None:
    data = youcook2(youcook2_root, tmp_path, windows=2)
    (background,) = data.tasks("test")[1:]
    (protocol,) = background.protocols
    assert isinstance(protocol, FullVideo)
    items = {item.id: item for item in background.items.items}
    for video, own in protocol.sequences.items():
        segments = [items[one].starts for one in own]
        assert [one.id for one in map(items.__getitem__, own)][1] == f"{video}@16"
        for before, after in pairwise(segments):
            assert before.end == after.start == before.start + 16
        assert 0 < segments[-1].end - segments[-1].start <= 16


def test_stored_features_of_a_segment_are_one_window(youcook2_root: Path, tmp_path: Path) -> None:
    ids = {clip.video for clip in youcook2(youcook2_root, tmp_path).clips("validation")}
    fill_store(tmp_path / "store", dict.fromkeys(ids, 60.0))
    data = YouCook2(
        youcook2_root, features=tmp_path / "store", sampling=ClipSampling(num_frames=32), windows=9
    )
    task = data.tasks("test")[0]
    assert "stored vectors" in task.protocols[0].windows
    clip = data.clips("validation")[1]
    sample = task.items[1]
    assert isinstance(sample, Sample)
    assert clip.end is not None
    assert sample.frame_length.tolist() == [int(clip.end - clip.start)]
    assert sample.clip_spans.tolist() == [[clip.start, clip.end]]
    background = data.tasks("test")[1]
    lengths = {len(own) for own in vars(background.protocols[0])["sequences"].values()}
    assert all(count > 1 for count in lengths)


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_it_is_trained_and_scored(youcook2_root: Path, tmp_path: Path) -> None:
    data = youcook2(youcook2_root, tmp_path, windows=1, order=True, pooling="unit", max_words=3)
    learner = tiny_learner(InfoNCE())
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    clip, video, background = learner.results
    assert clip.coverage.complete
    assert video.coverage.complete
    assert background.coverage.complete
    assert video.metrics["cap_avg_order"] == pytest.approx(100 / 3)
    assert clip.settings["pooling"] == "unit"
    assert clip.settings["max_words"] == 3
