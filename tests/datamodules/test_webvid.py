import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.callbacks import FeatureWriter
from vtlearn.datamodules import WebVid
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.evaluation.correspondence import Correspondence
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner
from vtlearn.media import FeatureReader

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)

HALF = "results_2M_train_mismatched_50.csv"
TRUTH = "results_2M_train_mismatched_50_truth.csv"


def webvid(root: Path, tmp_path: Path, **options: Any) -> WebVid:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 4, **options}
    return WebVid(root, train_list=options.pop("train_list", HALF), **LOADING, **options)


@pytest.fixture
def copied(webvid_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(webvid_root, tmp_path / "copy"))


def test_a_sample_is_a_clip_with_its_caption(webvid_root: Path, tmp_path: Path) -> None:
    data = webvid(webvid_root, tmp_path)
    captions = {clip.id: clip.texts for clip in data.clips(HALF)}
    batches: list[Batch] = list(data.train_dataloader())
    assert len(batches) == len(captions) // 4
    for batch in batches:
        assert batch.clips.shape == (4, 2, 3, 16, 16)
        assert batch.num_clips == batch.num_texts == (1,) * 4
        assert [(text,) for text in batch.texts] == [captions[one] for one in batch.ids]
    assert list(data.captions()) == [text for (text,) in captions.values()]


def test_each_list_has_its_own_captions_of_the_same_videos(
    webvid_root: Path, tmp_path: Path
) -> None:
    half, own = (
        webvid(webvid_root, tmp_path, train_list=name) for name in (HALF, "results_2M_train.csv")
    )
    matches, count = half.matches(), len(half.clips(HALF))
    assert set(own.matches().values()) == {True}
    assert list(matches) == [clip.id for clip in half.clips(HALF)] == list(own.matches())
    captions = {clip.id: clip.texts for clip in own.clips(own.train_split)}
    kept = sum(captions[clip.id] == clip.texts for clip in half.clips(HALF))
    assert kept <= sum(matches.values()) < count
    assert kept >= count // 2


def test_each_pair_of_a_split_is_asked_for(webvid_root: Path, tmp_path: Path) -> None:
    data = webvid(webvid_root, tmp_path)
    (validation,) = data.tasks("validate")
    test, _ = data.tasks("test")
    for task, name in ((validation, "val"), (test, "test")):
        (protocol,) = task.protocols
        assert isinstance(protocol, Retrieval)
        clips = data.clips(f"results_2M_{name}.csv")
        assert (protocol.name, protocol.version) == ("webvid-retrieval", 1)
        assert protocol.relevance == {f"{clip.id}#0": [clip.id] for clip in clips}
        assert protocol.settings["split"] == f"results_2M_{name}.csv"
        assert protocol.annotations is not None
        assert len(task.items) == len(clips)
    chosen = webvid(webvid_root, tmp_path, allow_test_selection=True)
    assert len(chosen.tasks("validate")) == 2


def test_the_middle_of_every_training_pair_is_matched(webvid_root: Path, tmp_path: Path) -> None:
    data = webvid(webvid_root, tmp_path)
    _, task = data.tasks("test")
    (protocol,) = task.protocols
    assert isinstance(protocol, Correspondence)
    assert (protocol.name, protocol.version) == ("kitchen-correspondence", 1)
    assert protocol.matches == data.matches()
    clips = data.clips(HALF)
    assert [(item.id, item.texts) for item in task.items.items] == [
        (clip.id, clip.texts) for clip in clips
    ]
    for item in task.items.items[:5]:
        (start,) = item.starts
        frames = task.items.sample(item)
        assert frames.clips.shape[:2] == (1, 2)
        duration = data._durations[item.id]
        assert 3 <= duration <= 5
        assert start == pytest.approx((duration - 0.5) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(",0\n", ",1\n"), True),
        (lambda text: text.replace(",1\n", ",0\n"), True),
        (None, False),
    ],
)
def test_without_both_kinds_there_is_nothing_to_tell_apart(
    change: Callable[[str], str] | None,
    said: bool,
    copied: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    truth = copied / "metadata" / TRUTH
    if change is None:
        truth.unlink()
    else:
        truth.write_text(change(truth.read_text()))
    data = webvid(copied, tmp_path)
    with caplog.at_level(logging.INFO):
        (task,), again = data.tasks("test"), data.tasks("test")
    assert len(again) == 1
    assert isinstance(task.protocols[0], Retrieval)
    lines = [one.getMessage() for one in caplog.records]
    count, total = sum(data.matches().values()), len(data.clips(HALF))
    assert lines == said * [
        f"kitchen-correspondence is not scored: {count} of {total} captions in {HALF} match their "
        "videos"
    ]


def test_pairs_of_which_nothing_is_known_are_not_matched(copied: Path, tmp_path: Path) -> None:
    truth = copied / "metadata" / TRUTH
    lines = truth.read_text().splitlines()
    truth.write_text("\n".join([*lines[:-3], "1,1,1", ""]))
    data = webvid(copied, tmp_path)
    _, task = data.tasks("test")
    assert len(task.items) == len(data.clips(HALF)) - 3
    assert data.matches()["1"]
    assert "1" not in task.protocols[0].expected


def test_it_is_trained_and_tested(webvid_root: Path, tmp_path: Path) -> None:
    data, learner = webvid(webvid_root, tmp_path, windows=2), tiny_learner(InfoNCE())
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    retrieval, correspondence = learner.results
    assert retrieval.coverage.complete
    assert correspondence.coverage.complete
    assert (correspondence.primary, correspondence.windows) == (
        "auc",
        "one, from the middle of a clip",
    )
    assert 0 <= correspondence.metrics["auc"] <= 100
    assert correspondence.settings["split"] == HALF


def test_features_are_trained_on_and_scored(webvid_root: Path, tmp_path: Path) -> None:
    data, store = webvid(webvid_root, tmp_path), tmp_path / "store"
    writer = FeatureWriter(store, stride=0.5, mean=[0.0] * 3, std=[1.0] * 3)
    quiet_trainer(tmp_path, callbacks=[writer]).predict(tiny_learner(), datamodule=data)
    assert sorted(FeatureReader(store).ids) == sorted(data.video_files())
    log = tmp_path / "u.jsonl"
    stored = WebVid(webvid_root, train_list=HALF, features=store, batch_size=4, unreadable_log=log)
    encoder = CachedFeatures(dim=8, input_dim=8, num_frames=3, layers=1, heads=2)
    learner = VideoTextLearner(encoder, tiny_learner().text_encoder, InfoNCE())
    quiet_trainer(tmp_path).fit(learner, datamodule=stored)
    assert (stored.clip_shape, stored.reading.fps) == ((3, 8), 2.0)
    quiet_trainer(tmp_path).test(learner, datamodule=stored, verbose=False)
    assert [result.coverage.complete for result in learner.results] == [True, True]


def test_an_unreadable_video_is_done_without_as_long_as_that_is_allowed(
    copied: Path, tmp_path: Path
) -> None:
    lost = webvid(copied, tmp_path).clips(HALF)[3]
    lost.path.unlink()
    count = len(webvid(copied, tmp_path, max_unreadable_fraction=1.0).clips(HALF))
    with pytest.raises(ArgumentError, match=f"1 of {count} videos .*max_unreadable_fraction=0"):
        webvid(copied, tmp_path, max_unreadable_fraction=0.0).train_dataset()
    data = webvid(copied, tmp_path, max_unreadable=1)
    assert lost.id not in [name for batch in data.train_dataloader() for name in batch.ids]
    learner = tiny_learner(InfoNCE())
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    assert learner.results[1].coverage.missing == [lost.id]


def test_lists_that_are_not_there(webvid_root: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match="WebVid was not found"):
        webvid(tmp_path / "nowhere", tmp_path).train_dataloader()
    with pytest.raises(ArgumentError, match=r"no list .*results_10M_train\.csv; those in .*_40"):
        webvid(webvid_root, tmp_path, train_list="results_10M_train.csv").train_dataset()
    data = webvid(webvid_root, tmp_path, test_list=None)
    assert len(data.tasks("validate")) == 1
    with pytest.raises(ArgumentError, match=r"no test list; set data\.init_args\.test_list"):
        data.tasks("test")
    assert webvid(webvid_root, tmp_path, validation_list=None).tasks("validate") == []
    same = {"validation_list": "results_2M_test.csv"}
    with pytest.raises(ArgumentError, match=r"WebVid: .* validation ids are those of the test"):
        webvid(webvid_root, tmp_path, **same).tasks("validate")


def test_vectors_are_scored_without_videos(copied: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "videos")
    data = webvid(copied, tmp_path)
    data.list_only()
    (task,) = data.tasks("test")
    assert len(task.items) == len(data.clips("results_2M_test.csv"))


def test_kitchen_renders_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Path] = []

    class Renderer:
        def __init__(self, root: Path) -> None:
            self.root = root

        def prepare(self) -> None:
            rendered.append(self.root)
            (self.root / "metadata").mkdir(parents=True)

    monkeypatch.setattr("vtlearn.datamodules.webvid.KitchenWebVid", Renderer)
    for kitchen in (False, True, True):
        webvid(tmp_path / "corpus", tmp_path, kitchen=kitchen).prepare_data()
    assert rendered == [tmp_path / "corpus"]
