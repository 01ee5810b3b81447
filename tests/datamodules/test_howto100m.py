import json
from pathlib import Path
from typing import Any

import pytest

from vtlearn.datamodules import HowTo100M
from vtlearn.datasets.reading import ClipSampling, Pixels
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.errors import ArgumentError, CorpusNotFoundError

TINY: dict[str, Any] = {
    "sampling": ClipSampling(num_clips=1, candidates=3, num_frames=2, fps=4.0),
    "pixels": Pixels(size=16),
}


def test_candidates_reach_the_batch(kitchen_root: Path, tmp_path: Path) -> None:
    data = HowTo100M(
        kitchen_root / "captions",
        videos=kitchen_root / "videos",
        video_list=kitchen_root / "splits" / "train.csv",
        **TINY,
        batch_size=8,
        unreadable_log=tmp_path / "unreadable.jsonl",
    )
    (batch,) = list(data.train_dataloader())
    assert batch.clips.shape == (8, 2, 3, 16, 16)
    assert batch.num_clips == batch.num_texts == (1,) * 8
    assert (batch.candidates, len(batch.texts)) == (3, 24)
    assert data.clip_shape == (2, 16)
    assert len(list(data.captions())) > 8
    assert data.val_dataloader() == []


def test_a_listed_video_may_be_missing(kitchen_root: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text((kitchen_root / "splits" / "train.csv").read_text() + "gone.mp4\n")
    given: dict[str, Any] = {"videos": kitchen_root / "videos", "video_list": listed, **TINY}
    captions = kitchen_root / "captions"
    assert "gone" not in HowTo100M(captions, **given).train_dataset().ids
    with pytest.raises(ArgumentError, match=r"max_missing_fraction=0 allows"):
        HowTo100M(captions, **given, max_missing_fraction=0.0).train_dataset()
    with pytest.raises(ArgumentError, match="max_missing_fraction=2 has to be from 0 to 1"):
        HowTo100M(captions, max_missing_fraction=2)


def test_overlap_is_an_argument_like_the_others(kitchen_root: Path, tmp_path: Path) -> None:
    data = HowTo100M(
        kitchen_root / "captions",
        videos=kitchen_root / "videos",
        video_list=kitchen_root / "splits" / "train.csv",
        sampling=ClipSampling(num_frames=2),
        overlap=OverlapSampling(num_clips=6, words=(3, 9), seconds=(1, 3)),
        pixels=Pixels(size=16),
        batch_size=8,
        unreadable_log=tmp_path / "unreadable.jsonl",
    )
    (batch,) = list(data.train_dataloader())
    assert batch.num_clips == batch.num_texts == (6,) * 8
    assert batch.clips.shape == (48, 2, 3, 16, 16)
    wrong = ClipSampling(num_frames=2, candidates=3)
    with pytest.raises(ArgumentError, match=r"sampling\.candidates=3 is about the clip"):
        HowTo100M(kitchen_root, sampling=wrong, overlap=OverlapSampling())


def test_features_are_made_of_the_listed_videos(kitchen_root: Path) -> None:
    data = HowTo100M(
        kitchen_root / "captions",
        videos=kitchen_root / "videos",
        video_list=kitchen_root / "splits" / "val.csv",
        **TINY,
        time_budget=20.0,
    )
    videos = data.videos()
    assert list(videos.ids) == ["kitchen_val_0000", "kitchen_val_0001"]
    assert [Path(path).stem for path in videos.paths] == list(videos.ids)
    assert all(Path(path).exists() for path in videos.paths)
    assert (videos.fps, videos.time_budget) == (4.0, 20.0)


def test_training_removes_no_file_of_a_users(kitchen_root: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("years of work")
    data = HowTo100M(
        kitchen_root / "captions", videos=kitchen_root / "videos", unreadable_log=notes
    )
    with pytest.raises(ArgumentError, match=r"notes\.txt is there, and is not a report"):
        data.prepare_data()
    assert notes.read_text() == "years of work"


def test_a_missing_corpus_is_told_when_it_is_needed(tmp_path: Path) -> None:
    data = HowTo100M(tmp_path / "captions", videos=tmp_path / "videos")
    with pytest.raises(CorpusNotFoundError, match="HowTo100M was not found"):
        data.train_dataloader()


def test_the_best_pseudolabels_are_trained_on(kitchen_root: Path, tmp_path: Path) -> None:
    ids = [f"kitchen_train_{number:04d}" for number in range(4)]
    lines = [
        json.dumps({"video": one, "start": k, "end": k + 2, "caption": f"a {k}", "score": k})
        for one in ids
        for k in range(4)
    ]
    (tmp_path / "pseudolabels.json").write_text("{}")
    (tmp_path / "00000.jsonl").write_text("\n".join(lines) + "\n")
    options = {**TINY, "batch_size": 4, "unreadable_log": tmp_path / "log" / "unreadable.jsonl"}
    best = HowTo100M(tmp_path, videos=kitchen_root / "videos", keep=0.25, **options)
    best.prepare_data()
    assert list(best.captions()) == ["a 3"] * 4
    (batch,) = list(best.train_dataloader())
    assert set(batch.texts) == {"a 3"}
    two = HowTo100M(tmp_path, videos=kitchen_root / "videos", min_score=2.0, **options)
    assert list(two.captions()) == ["a 2", "a 3"] * 4
