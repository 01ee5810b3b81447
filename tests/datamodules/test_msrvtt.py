import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.callbacks import FeatureWriter
from vtlearn.datamodules import MSRVTT
from vtlearn.datasets import ClipSampling
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.evaluation.vectors import VectorTable
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner
from vtlearn.media import FeatureReader


def msrvtt(root: Path, tmp_path: Path, **options: Any) -> MSRVTT:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 4, **options}
    return MSRVTT(root, **LOADING, **options)


def protocol(data: MSRVTT) -> Retrieval:
    (task,) = data.tasks("test")
    (found,) = task.protocols
    assert isinstance(found, Retrieval)
    return found


@pytest.mark.parametrize(("split", "clips"), [("1kA-9k", 16), ("1kA-7k", 12)])
def test_a_split_is_trained_on_a_clip_and_a_caption_at_a_time(
    split: Any, clips: int, msrvtt_root: Path, tmp_path: Path
) -> None:
    data = msrvtt(msrvtt_root, tmp_path, split=split)
    batches: list[Batch] = list(data.train_dataloader())
    assert len(batches) == clips // 4
    for batch in batches:
        assert batch.clips.shape == (4, 2, 3, 16, 16)
        assert batch.num_clips == batch.num_texts == (1,) * 4
    captions = set(data.captions())
    assert {text for batch in batches for text in batch.texts} <= captions


def test_the_protocol_asks_each_clip_by_its_own_sentence(msrvtt_root: Path, tmp_path: Path) -> None:
    data = msrvtt(msrvtt_root, tmp_path)
    with (msrvtt_root / "MSRVTT_JSFUSION_test.csv").open() as file:
        rows = list(csv.DictReader(file))
    scored = protocol(data)
    assert (scored.name, scored.version, len(scored.expected)) == ("msrvtt-1kA", 1, 16)
    assert scored.relevance == {row["key"]: [row["video_id"]] for row in rows}
    assert data.tasks("validate") == []
    texts = Counter(row["sentence"] for row in rows)
    assert sorted(texts.values())[-3:] == [2, 2, 2]


def test_equal_sentences_bound_what_a_text_can_find(msrvtt_root: Path, tmp_path: Path) -> None:
    """A model that finds every video, but cannot tell equal texts apart, finds half of those."""
    scored = protocol(msrvtt(msrvtt_root, tmp_path))
    with (msrvtt_root / "MSRVTT_JSFUSION_test.csv").open() as file:
        sentence = {row["key"]: row["sentence"] for row in csv.DictReader(file)}
    kinds = sorted(set(sentence.values()))
    keys = list(scored.relevance)
    vectors = torch.eye(len(kinds))[[kinds.index(sentence[key]) for key in keys]]
    videos = VectorTable([scored.relevance[key][0] for key in keys], vectors)
    result = scored.score(videos, VectorTable(keys, vectors))
    assert result.metrics["t2v_R@1"] == pytest.approx(100 * (16 - 3) / 16)
    assert result.metrics["t2v_R@5"] == 100.0


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_it_is_trained_and_tested(msrvtt_root: Path, tmp_path: Path) -> None:
    data, learner = msrvtt(msrvtt_root, tmp_path, windows=2), tiny_learner()
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    (result,) = learner.results
    assert result.coverage.complete
    assert result.windows == "2, spread evenly over a clip and averaged"


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
def test_features_of_all_clips_are_trained_on_and_scored(msrvtt_root: Path, tmp_path: Path) -> None:
    data, store = msrvtt(msrvtt_root, tmp_path), tmp_path / "store"
    writer = FeatureWriter(store, stride=0.5, mean=[0.0] * 3, std=[1.0] * 3)
    quiet_trainer(tmp_path, callbacks=[writer]).predict(tiny_learner(), datamodule=data)
    assert len(FeatureReader(store).ids) == 32
    stored = MSRVTT(msrvtt_root, features=store, batch_size=4, unreadable_log=tmp_path / "u.jsonl")
    encoder = CachedFeatures(dim=8, input_dim=8, num_frames=3, layers=1, heads=2)
    learner = VideoTextLearner(encoder, tiny_learner().text_encoder, InfoNCE())
    quiet_trainer(tmp_path).fit(learner, datamodule=stored)
    assert (stored.clip_shape, stored.reading.fps) == ((3, 8), 2.0)
    quiet_trainer(tmp_path).test(learner, datamodule=stored, verbose=False)
    assert learner.results[0].coverage.complete


def test_kitchen_renders_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Path] = []

    class Renderer:
        def __init__(self, root: Path) -> None:
            self.root = root

        def prepare(self) -> None:
            rendered.append(self.root)
            self.root.mkdir(exist_ok=True)
            (self.root / "MSRVTT_data.json").touch()

    monkeypatch.setattr("vtlearn.datamodules.msrvtt.KitchenMSRVTT", Renderer)
    for kitchen in (False, True, True):
        msrvtt(tmp_path / "corpus", tmp_path, kitchen=kitchen).prepare_data()
    (tmp_path / "empty").mkdir()
    msrvtt(tmp_path / "empty", tmp_path, kitchen=True).prepare_data()
    assert rendered == [tmp_path / "corpus", tmp_path / "empty"]


def test_what_is_not_there_or_unknown(msrvtt_root: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match="MSR-VTT was not found"):
        msrvtt(tmp_path / "nowhere", tmp_path).train_dataloader()
    for split, near in (("1kA-9", "1kA-9k"), ("1kA-test", "1kA-")):
        with pytest.raises(ArgumentError, match=f"trained on '{split}'; did you mean {near}"):
            msrvtt(msrvtt_root, tmp_path, split=split)
    with pytest.raises(ArgumentError, match="windows must be positive"):
        msrvtt(msrvtt_root, tmp_path, windows=0)
    with pytest.raises(
        ArgumentError, match=r"MSRVTT has no argument feature; did you mean features"
    ):
        msrvtt(msrvtt_root, tmp_path, feature="store")
    wrong = ClipSampling(num_frames=2, min_seconds=5.0)
    with pytest.raises(
        ArgumentError, match=r"min_seconds and sampling.repeat_last are for captions"
    ):
        MSRVTT(msrvtt_root, sampling=wrong).train_dataset()


def test_training_does_without_as_many_clips_as_may_be_unreadable(
    msrvtt_root: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(msrvtt_root, tmp_path / "copy"))
    lost = msrvtt(root, tmp_path).clips("1kA-9k")[3]
    lost.path.unlink()
    complaint = r"1 of 16 videos .*max_unreadable_fraction=0\.07 to continue"
    with pytest.raises(ArgumentError, match=complaint):
        msrvtt(root, tmp_path, max_unreadable_fraction=0.0).train_dataset()
    data = msrvtt(root, tmp_path)
    ids = [name for batch in data.train_dataloader() for name in batch.ids]
    assert len(ids) == 16
    assert lost.id not in ids
    assert data.unreadable is not None
    assert list(data.unreadable.read()) == [lost.id]
