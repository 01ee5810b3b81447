import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.captioning import LetterCaptioner
from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.datamodules import MSVD
from vtlearn.datasets import SampleKey
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.learner import VideoTextLearner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)


def msvd(root: Path, tmp_path: Path, **options: Any) -> MSVD:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 4, **options}
    return MSVD(root, **LOADING, **options)


def test_a_sample_is_a_clip_and_one_of_its_captions(msvd_root: Path, tmp_path: Path) -> None:
    data = msvd(msvd_root, tmp_path, task="captioning")
    captions = {clip.id: clip.texts for clip in data.clips("train")}
    drawn: dict[str, set[str]] = {}
    dataset = data.train_dataset()
    for epoch in range(4):
        for sample in (dataset[SampleKey(epoch, index)] for index in range(8)):
            (text,) = sample.texts
            assert text in captions[sample.id]
            drawn.setdefault(sample.id, set()).add(text)
    assert max(map(len, drawn.values())) > 1
    batches: list[Batch] = list(data.train_dataloader())
    assert [batch.num_clips for batch in batches] == [(1,) * 4] * 2
    assert len(list(data.captions())) == sum(map(len, captions.values()))


@pytest.mark.parametrize(("stage", "split", "count"), [("validate", "val", 2), ("test", "test", 4)])
def test_all_captions_of_a_clip_are_references(
    stage: Any, split: str, count: int, msvd_root: Path, tmp_path: Path
) -> None:
    data = msvd(msvd_root, tmp_path, task="captioning")
    (task,) = data.tasks(stage)
    (protocol,) = task.protocols
    assert isinstance(protocol, Captioning)
    assert (protocol.name, protocol.version) == ("msvd-caption", 1)
    assert protocol.references == {clip.id: list(clip.texts) for clip in data.clips(split)}
    assert len(protocol.expected) == len(task.items) == count
    assert protocol.settings["split"] == split
    assert protocol.annotations is not None


def test_each_caption_asks_for_its_clip(msvd_root: Path, tmp_path: Path) -> None:
    data = msvd(msvd_root, tmp_path)
    for stage, split in (("validate", "val"), ("test", "test")):
        (task,) = data.tasks("validate" if stage == "validate" else "test")
        (protocol,) = task.protocols
        assert isinstance(protocol, Retrieval)
        assert (protocol.name, protocol.version) == ("msvd-retrieval", 1)
        expected = {key: [clip.id] for clip in data.clips(split) for key in clip.text_ids}
        assert protocol.relevance == expected


def test_captions_are_learned_and_scored(msvd_root: Path, tmp_path: Path) -> None:
    data = msvd(msvd_root, tmp_path, task="captioning")
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    (result,) = learner.results
    assert result.coverage.complete
    assert (result.protocol, result.primary) == ("msvd-caption", "CIDEr")


def test_validation_clips_of_the_test_are_refused(msvd_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(msvd_root, tmp_path / "copy"))
    lists = root / "msvd_data"
    shutil.copy(lists / "test_list.txt", lists / "val_list.txt")
    with pytest.raises(ArgumentError, match="MSVD: 4 of 4 validation ids are those of the test"):
        msvd(root, tmp_path).tasks("validate")
    (task,) = msvd(root, tmp_path, allow_test_selection=True).tasks("validate")
    assert len(task.items) == 4


def test_all_clips_are_listed_to_make_features_of(msvd_root: Path, tmp_path: Path) -> None:
    assert set(msvd(msvd_root, tmp_path).video_files()) == {
        path.stem for path in (msvd_root / "YouTubeClips").iterdir()
    }
    with pytest.raises(CorpusNotFoundError, match="MSVD was not found"):
        msvd(tmp_path / "nowhere", tmp_path).train_dataloader()


def test_kitchen_renders_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Path] = []
    monkeypatch.setattr(
        "vtlearn.kitchen.layouts.KitchenMSVD.prepare", lambda self: rendered.append(self.root)
    )
    for kitchen in (False, True):
        msvd(tmp_path / "corpus", tmp_path, kitchen=kitchen).prepare_data()
    assert rendered == [tmp_path / "corpus"]
