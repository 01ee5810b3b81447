import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.damage import cut_off, lose_index
from tests.media.features.stores import fill_store
from tests.models import quiet_trainer, tiny_learner
from tests.processes import Pool
from vtlearn.batch import Sample
from vtlearn.callbacks import BestCheckpoint
from vtlearn.datamodules import HowTo100M, Kitchen, Mixture
from vtlearn.datasets.holdout import held_out_ids
from vtlearn.datasets.reading import ClipSampling, Pixels
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.sampling.windows import WholeSegment
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, CorpusNotFoundError, EvaluationError
from vtlearn.heads import CaptioningDecoder, InfoNCE, TextDecoder
from vtlearn.learner import VideoTextLearner
from vtlearn.unicode import escape_name

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


def own(root: Path, folder: Path, **options: Any) -> HowTo100M:
    """Narrations of all of Kitchen, some held out; of the names of the tests', three of 13 are."""
    given = {
        **TINY,
        "holdout": 0.25,
        "batch_size": 2,
        "evaluation_batch_size": 4,
        "unreadable_log": folder / "log" / "unreadable.jsonl",
        **options,
    }
    captions = given.pop("captions", root / "captions")
    return HowTo100M(captions, videos=root / "videos", **given)


def held_out(data: HowTo100M) -> list[str]:
    (task,) = data.tasks("validate")
    return sorted({item.id.rpartition("#")[0] for item in task.items.items})


def test_some_videos_are_validated_on_and_not_trained_on(
    kitchen_root: Path, tmp_path: Path
) -> None:
    data = own(kitchen_root, tmp_path)
    every = list(own(kitchen_root, tmp_path, holdout=0.0).train_dataset().ids)
    corpus = data.train_dataset()
    wanted = held_out_ids(every, 0.25)
    assert set(corpus.held_out.ids) == wanted
    assert list(corpus.ids) == [one for one in every if one not in wanted]
    assert held_out(data) == sorted(wanted)
    assert 0 < len(wanted) < len(every)
    assert list(data.videos().ids) == every  # features are made of all
    said = set(corpus.held_out.texts())
    assert list(data.captions()) == list(corpus.texts())
    (task,) = data.tasks("validate")
    (protocol,) = task.protocols
    assert (protocol.name, protocol.version, protocol.primary) == ("own-retrieval", 1, "t2v_R@1")
    assert {text for item in task.items.items for text in item.texts} <= said
    assert len(task.items.items) == sum(len(corpus.held_out.transcript(one)) for one in wanted)
    assert data.tasks("test") == own(kitchen_root, tmp_path, holdout=0.0).tasks("validate") == []


def test_a_clip_is_the_middle_of_its_caption(kitchen_root: Path, tmp_path: Path) -> None:
    data = own(kitchen_root, tmp_path)
    (task,) = data.tasks("validate")
    corpus = data.train_dataset().held_out
    for item in task.items.items:
        video_id, _, number = item.id.rpartition("#")
        start, end, text = corpus.transcript(video_id)[int(number)]
        assert list(item.texts) == [text]
        assert item.source == kitchen_root / "videos" / f"{video_id}.mp4"
        assert isinstance(item.starts, list)
        if start > 0.5:
            assert item.starts == pytest.approx([(start + end - 0.5) / 2])
    sample = task.items[0]
    assert isinstance(sample, Sample)
    assert sample.clips.shape == (1, 2, 3, 16, 16)
    whole = own(kitchen_root, tmp_path, sampling=ClipSampling(num_frames=2, whole=True))
    (task,) = whole.tasks("validate")
    assert all(isinstance(item.starts, WholeSegment) for item in task.items.items)
    assert task.protocols[0].windows == "one, the whole time of a caption"


def test_fit_and_validate_are_scored_and_test_is_refused(
    kitchen_root: Path, tmp_path: Path
) -> None:
    best = BestCheckpoint()
    trainer = quiet_trainer(tmp_path, enable_checkpointing=True, callbacks=[best])
    learner = tiny_learner(InfoNCE())
    data = own(kitchen_root, tmp_path)
    trainer.fit(learner, datamodule=data)
    assert 0 <= trainer.callback_metrics["val/primary"] <= 100
    assert Path(best.best_model_path).name == "best.ckpt"
    (result,) = learner.results
    assert (result.protocol, result.coverage.complete) == ("own-retrieval", True)
    assert result.settings["holdout"] == 0.25
    assert len(str(result.settings["captions_sha256"])) == 64
    again = own(kitchen_root, tmp_path)
    quiet_trainer(tmp_path).validate(learner, datamodule=again, verbose=False)
    assert learner.results[0].metrics == result.metrics
    with pytest.raises(ArgumentError, match="HowTo100M has no protocol to test a model by"):
        quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)


@pytest.mark.parametrize("damage", [cut_off, lose_index])
def test_a_damaged_video_does_not_stop_a_training(
    kitchen_root: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    victim = held_out(own(root, tmp_path))[0]
    damage(root / "videos" / f"{victim}.mp4")
    trainer, learner = quiet_trainer(tmp_path), tiny_learner(InfoNCE())
    trainer.fit(learner, datamodule=own(root, tmp_path))
    (result,) = learner.results
    assert result.coverage.expected > result.coverage.evaluated > 0
    assert {one.rpartition("#")[0] for one in result.coverage.missing} == {victim}
    with pytest.raises(EvaluationError, match=f"{victim}.mp4 cannot be read"):
        trainer.validate(learner, datamodule=own(root, tmp_path, max_unreadable_fraction=0.0))


def test_a_head_that_cannot_be_scored_names_the_setting(kitchen_root: Path, tmp_path: Path) -> None:
    writer = VideoTextLearner(
        TinyVideo(dim=8, num_frames=2, size=16, width=4),
        None,
        CaptioningDecoder(TextDecoder(width=8, heads=2)),
    )
    with pytest.raises(ArgumentError, match=r"own-retrieval@1.*data\.init_args\.holdout=0"):
        quiet_trainer(tmp_path).fit(writer, datamodule=own(kitchen_root, tmp_path))


def listed_in_process(root: str, folder: str) -> list[list[str]]:
    data = own(Path(root), Path(folder))
    (task,) = data.tasks("validate")
    return [list(data.train_dataset().ids), [item.id for item in task.items.items]]


@pytest.mark.slow  # it starts processes, each of which imports torch
def test_all_processes_hold_the_same_out(
    kitchen_root: Path, tmp_path: Path, two_processes: Pool
) -> None:
    first, second = two_processes.run(listed_in_process, str(kitchen_root), str(tmp_path))
    assert first == second == listed_in_process(str(kitchen_root), str(tmp_path))


def test_stored_features_are_validated_on(kitchen_root: Path, tmp_path: Path) -> None:
    ids = own(kitchen_root, tmp_path, holdout=0.0).train_dataset().ids
    fill_store(tmp_path / "store", dict.fromkeys(ids, 60.0), fps=2.0, stride=0.5)
    options = {"features": tmp_path / "store", "sampling": ClipSampling(num_frames=3)}
    data = own(kitchen_root, tmp_path, **options)
    assert held_out(data) == held_out(own(kitchen_root, tmp_path))
    (task,) = data.tasks("validate")
    sample = task.items[0]
    assert isinstance(sample, Sample)
    assert sample.clips.shape == (1, 3, 4)
    start, end, _ = data.train_dataset().held_out.transcript(held_out(data)[0])[0]
    assert float(sample.clip_spans[0, 0]) == pytest.approx(max(0.0, (start + end - 1.5) / 2))


def test_stored_features_are_found_whatever_bytes_a_name_holds(tmp_path: Path) -> None:
    names = ["caf\udce9", "100%25", "50%ff.mp4", "a.f137", "plain"]
    (tmp_path / "captions").mkdir()
    for name in names:
        said = '{"start": [1, 3], "end": [2, 4], "text": ["chop", "stir"]}'
        (tmp_path / "captions" / f"{name}.json").write_text(said)
    ids = [escape_name(name) for name in names]
    assert ids[0] == "caf%E9"
    fill_store(tmp_path / "store", dict.fromkeys(ids, 9.0), fps=2.0, stride=0.5)
    data = HowTo100M(
        tmp_path / "captions",
        features=tmp_path / "store",
        holdout=0.61,  # of these names all but the last
        sampling=ClipSampling(num_frames=3),
        unreadable_log=tmp_path / "log" / "unreadable.jsonl",
    )
    assert held_out(data) == sorted(ids[:-1])
    (task,) = data.tasks("validate")
    assert all(isinstance(task.items[k], Sample) for k in range(len(task.items)))


def test_pseudolabels_are_held_out_by_their_videos(kitchen_root: Path, tmp_path: Path) -> None:
    ids = [path.stem for path in (kitchen_root / "videos").glob("*.mp4")]
    lines = [
        json.dumps({"video": one, "start": k, "end": k + 2, "caption": f"{one} {k}", "score": k})
        for one in ids
        for k in range(4)
    ]
    (tmp_path / "pseudolabels.json").write_text("{}")
    (tmp_path / "00000.jsonl").write_text("\n".join(lines) + "\n")
    data = own(kitchen_root, tmp_path, captions=tmp_path, keep=0.5)
    wanted = held_out_ids(ids, 0.25)
    assert set(held_out(data)) == wanted
    assert not any(text.split()[0] in wanted for text in data.captions())
    assert len(data.tasks("validate")[0].items) == 2 * len(wanted)


def test_a_mixture_is_validated_on_what_is_held_out(kitchen_root: Path, tmp_path: Path) -> None:
    plain = own(kitchen_root, tmp_path, holdout=0.0)
    mixture = Mixture({"plain": plain, "own": own(kitchen_root, tmp_path)}, {"plain": 1, "own": 1})
    (task,) = mixture.tasks("validate")
    assert task.protocols[0].name == "own-retrieval"
    trainer, learner = quiet_trainer(tmp_path, limit_train_batches=2), tiny_learner(InfoNCE())
    trainer.fit(learner, datamodule=mixture)
    assert "val/primary" in trainer.callback_metrics


def test_no_source_trains_on_what_another_holds_out(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    videos = tmp_path / "lesson" / "videos"  # the same videos, called by their folders there
    for twin in ("one", "two"):
        shutil.copytree(kitchen_root / "videos", videos / twin)
    shutil.copytree(kitchen_root / "captions", tmp_path / "lesson" / "captions" / "one")
    labels = own(tmp_path / "lesson", tmp_path, holdout=0.0)
    assert all(video_id.startswith("one/") for video_id in labels.train_dataset().ids)
    asr = own(kitchen_root, tmp_path)
    mixture = Mixture({"labels": labels, "asr": asr}, {"labels": 1, "asr": 1})
    mixture.setup("fit")
    unseen = set(held_out(asr))
    assert {f"one/{name}" for name in unseen}.isdisjoint(labels.train_dataset().ids)
    assert len(labels.train_dataset().ids) + len(unseen) == 13
    assert len(labels.videos().ids) == 13  # features are made of all
    assert f"{len(unseen)} of 13 videos are held out by another source" in caplog.text
    trained = [name for batch in mixture.train_dataloader() for name in batch.ids]
    assert unseen.isdisjoint(name.rpartition("/")[2] for name in trained)


def test_a_source_that_cannot_leave_videos_out_is_refused(
    kitchen_root: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log" / "unreadable.jsonl"
    root = Kitchen(root=kitchen_root, **TINY, batch_size=2, unreadable_log=log)
    mixture = Mixture(
        {"asr": own(kitchen_root, tmp_path), "kitchen": root}, {"asr": 1, "kitchen": 1}
    )
    first = "|".join(held_out(own(kitchen_root, tmp_path)))
    with pytest.raises(ArgumentError, match=rf"source kitchen: Kitchen trains on ({first}), which"):
        mixture.setup("fit")


@pytest.mark.parametrize("holdout", [1.0, 0.9999])
def test_something_has_to_be_left_to_train_on(
    kitchen_root: Path, tmp_path: Path, holdout: float
) -> None:
    data = own(kitchen_root, tmp_path, holdout=holdout)
    with pytest.raises(ArgumentError, match=r"holdout=.* leaves none of 13 videos to train on"):
        data.train_dataset()
    with pytest.raises(ArgumentError, match=r"holdout=1\.5 has to be from 0 to 1"):
        own(kitchen_root, tmp_path, holdout=1.5)
