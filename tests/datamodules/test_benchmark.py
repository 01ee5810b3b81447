import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.models import LOADING, quiet_trainer, tiny_learner
from vtlearn.datamodules import (
    MSRVTT,
    MSVD,
    VATEX,
    BenchmarkData,
    CrossTask,
    WebVid,
    YouCook2,
)
from vtlearn.datamodules.benchmark import require_apart
from vtlearn.datasets import annotations
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.result import Annotations
from vtlearn.heads import InfoNCE

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)


@pytest.mark.parametrize("kind", [MSRVTT, YouCook2, CrossTask, WebVid, MSVD, VATEX])
def test_choices_are_checked(kind: type[BenchmarkData], tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"pooling": "mean"}, "expected pooling head, raw or unit, got 'mean'"),
        ({"mode": "published"}, "mode exact or reference, got 'published'"),
        ({"windows": 0}, "windows"),
        ({"max_words": 0}, "max_words"),
        ({"widows": 3}, "no argument widows"),
    ]
    for options, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            kind(tmp_path, **options)


def test_what_is_missing_is_rendered_where_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Path] = []
    for kind in (MSRVTT, YouCook2, CrossTask, WebVid, MSVD, VATEX):
        monkeypatch.setattr(kind, "render", lambda self: rendered.append(self.root))
        log = tmp_path / "unreadable.jsonl"
        kind(tmp_path / "there", unreadable_log=log).prepare_data()
        kind(tmp_path / "there", kitchen=True, unreadable_log=log).prepare_data()
    assert rendered == [tmp_path / "there"] * 6


def test_validation_on_ids_of_the_test_is_refused() -> None:
    require_apart("X", ["a"], ["b"])
    with pytest.raises(ArgumentError, match=r"X: 2 of 3 validation ids .*\(first: b\)"):
        require_apart("X", ["a", "b", "c"], ["c", "b"])


def test_lists_that_share_ids_are_refused(msrvtt_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(msrvtt_root, tmp_path / "copy"))
    content = json.loads((root / "MSRVTT_data.json").read_text())
    ids = {
        split: [video["video_id"] for video in content["videos"] if video["split"] == split]
        for split in ("validate", "test")
    }
    (root / "MSRVTT_data.json").write_text(json.dumps({**content, "videos": []}))
    for name, split in (("val", "validate"), ("test", "test")):
        (root / f"{name}_list_full.txt").write_text("\n".join([*ids[split], ids["test"][0]]))
    data = MSRVTT(root, split="full", **LOADING)
    with pytest.raises(ArgumentError, match="allow_test_selection=true"):
        data.tasks("validate")
    allowed = MSRVTT(root, split="full", allow_test_selection=True, **LOADING)
    (task,) = allowed.tasks("validate")
    assert task.protocols[0].expected == allowed.tasks("test")[0].protocols[0].expected


def test_results_say_that_a_model_was_chosen_by_the_test(msrvtt_root: Path, tmp_path: Path) -> None:
    def results(allow: bool, folder: Path) -> list[dict[str, Any]]:
        options: dict[str, Any] = {"batch_size": 8, "unreadable_log": tmp_path / "u.jsonl"}
        data = MSRVTT(msrvtt_root, allow_test_selection=allow, **options, **LOADING)
        learner = tiny_learner(InfoNCE())
        trainer = quiet_trainer(folder)
        trainer.fit(learner, datamodule=data)
        trainer.save_checkpoint(folder / "run.ckpt")
        other = tiny_learner(InfoNCE())
        quiet_trainer(folder).test(
            other, datamodule=data, ckpt_path=folder / "run.ckpt", verbose=False
        )
        records: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())
        return records

    for allow in (False, True):
        (record,) = results(allow, tmp_path / str(allow))
        assert record["selected_on_test"] is allow
        assert record["settings"]["clips"]["num_frames"] == 2
        assert record["annotations"] == {
            "sha256": annotations.hash_annotations([msrvtt_root / "MSRVTT_JSFUSION_test.csv"]),
            "published": False,
        }


def test_a_published_file_is_known_by_its_hash(
    msrvtt_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = MSRVTT(msrvtt_root, **LOADING)
    listed = msrvtt_root / "MSRVTT_JSFUSION_test.csv"
    sha256 = annotations.hash_annotations([listed])
    for published in (True, False):
        monkeypatch.setitem(
            vars(annotations)["_PUBLISHED"], listed.name, sha256 if published else "0"
        )
        (protocol,) = data.tasks("test")[0].protocols
        assert protocol.annotations == Annotations(sha256, published)
