import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.captioning import LetterCaptioner
from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.datamodules import VATEX
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.evaluation.captioning import Captioning
from vtlearn.learner import VideoTextLearner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)

PUBLIC = "vatex_public_test_english_v1.1.json"
PRIVATE = "vatex_private_test_without_annotations.json"


def vatex(root: Path, tmp_path: Path, **options: Any) -> VATEX:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 4, **options}
    return VATEX(root, **LOADING, **options)


@pytest.fixture
def copied(vatex_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vatex_root, tmp_path / "copy"))


def test_a_sample_is_a_clip_and_one_of_its_captions(vatex_root: Path, tmp_path: Path) -> None:
    data = vatex(vatex_root, tmp_path)
    captions = {clip.id: clip.texts for clip in data.clips("training")}
    batches: list[Batch] = list(data.train_dataloader())
    assert [batch.num_clips for batch in batches] == [(1,) * 4] * 2
    for batch in batches:
        for clip_id, text in zip(batch.ids, batch.texts, strict=True):
            assert text in captions[clip_id]
    assert len(list(data.captions())) == 80


@pytest.mark.parametrize(
    ("stage", "split", "count"), [("validate", "validation", 2), ("test", "public-test", 4)]
)
def test_all_captions_of_a_clip_are_references(
    stage: Any, split: str, count: int, vatex_root: Path, tmp_path: Path
) -> None:
    data = vatex(vatex_root, tmp_path)
    (task,) = data.tasks(stage)
    (protocol,) = task.protocols
    assert isinstance(protocol, Captioning)
    assert (protocol.name, protocol.version) == ("vatex-caption", 1)
    assert protocol.references == {clip.id: list(clip.texts) for clip in data.clips(split)}
    assert len(protocol.expected) == len(task.items) == count
    assert protocol.settings["split"] == split


def test_captions_are_learned_and_scored(vatex_root: Path, tmp_path: Path) -> None:
    data = vatex(vatex_root, tmp_path)
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    quiet_trainer(tmp_path).fit(learner, datamodule=data)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    (result,) = learner.results
    assert result.coverage.complete
    assert (result.protocol, result.primary) == ("vatex-caption", "CIDEr")


def test_retrieval_is_refused(vatex_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"VATEX is scored by captions, .*leave task out"):
        vatex(vatex_root, tmp_path, task="retrieval")


def test_nothing_is_scored_by_the_private_test(copied: Path, tmp_path: Path) -> None:
    (copied / PUBLIC).unlink()
    for stage in ("validate", "test"):
        with pytest.raises(ArgumentError, match=f"{PRIVATE} has no English captions"):
            vatex(copied, tmp_path).tasks("validate" if stage == "validate" else "test")
    (copied / PRIVATE).rename(copied / PUBLIC)
    with pytest.raises(ArgumentError, match=f"{PUBLIC} has no English captions"):
        vatex(copied, tmp_path).tasks("test")


def test_validation_clips_of_the_test_are_refused(copied: Path, tmp_path: Path) -> None:
    shutil.copy(copied / PUBLIC, copied / "vatex_validation_v1.0.json")
    with pytest.raises(ArgumentError, match="VATEX: 4 of 4 validation ids are those of the test"):
        vatex(copied, tmp_path).tasks("validate")


def test_clips_that_are_gone_are_counted(copied: Path, tmp_path: Path) -> None:
    lost = json.loads((copied / PUBLIC).read_text(encoding="utf-8"))[0]["videoID"]
    (copied / "videos" / f"{lost}.mp4").unlink()
    with pytest.raises(ArgumentError, match=r"1 of 4 videos .* are missing .*max_unreadable=1"):
        vatex(copied, tmp_path).tasks("test")
    (task,) = vatex(copied, tmp_path, max_unreadable=1).tasks("test")
    assert len(task.protocols[0].expected) == 4  # what is missing still counts


def test_all_clips_are_listed_to_make_features_of(vatex_root: Path, tmp_path: Path) -> None:
    assert set(vatex(vatex_root, tmp_path).video_files()) == {
        path.stem for path in (vatex_root / "videos").iterdir()
    }
    with pytest.raises(CorpusNotFoundError, match="VATEX was not found"):
        vatex(tmp_path / "nowhere", tmp_path).train_dataloader()


def test_kitchen_renders_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Path] = []
    monkeypatch.setattr(
        "vtlearn.kitchen.layouts.KitchenVATEX.prepare", lambda self: rendered.append(self.root)
    )
    for kitchen in (False, True):
        vatex(tmp_path / "corpus", tmp_path, kitchen=kitchen).prepare_data()
    assert rendered == [tmp_path / "corpus"]
