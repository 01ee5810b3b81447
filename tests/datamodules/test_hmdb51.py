from pathlib import Path

import pytest

from vtlearn.datamodules import HMDB51
from vtlearn.errors import CorpusNotFoundError


def test_files_and_annotations(hmdb51_root: Path, tmp_path: Path) -> None:
    data = HMDB51(hmdb51_root)
    assert set(data.video_files()) == {path.stem for path in hmdb51_root.rglob("*.avi")}
    assert len(data.annotation_files()) == 24
    assert len(data.list_videos(None)) == 24
    with pytest.raises(CorpusNotFoundError, match="HMDB51 was not found"):
        HMDB51(tmp_path, protocols=["zeroshot"]).tasks("test")


def test_kitchen_renders_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Path] = []
    monkeypatch.setattr(
        "vtlearn.kitchen.layouts.KitchenHMDB51.prepare", lambda self: rendered.append(self.root)
    )
    for kitchen in (False, True):
        unreadable = tmp_path / "unreadable.jsonl"
        HMDB51(tmp_path / "corpus", kitchen=kitchen, unreadable_log=unreadable).prepare_data()
    assert rendered == [tmp_path / "corpus"]
