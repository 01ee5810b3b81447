from pathlib import Path

import pytest

from tests.models import quiet_trainer
from vtlearn.datamodules.run_report import begin_report


def test_a_run_has_its_own_and_begins_it_anew(tmp_path: Path) -> None:
    (tmp_path / "unreadable.jsonl").write_text("{}\n")
    path = begin_report(quiet_trainer(tmp_path), "unreadable.jsonl")
    assert path == tmp_path / "unreadable.jsonl"
    assert not path.exists()


def test_none_is_written_among_a_users_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert begin_report(quiet_trainer(tmp_path), "u.jsonl") == Path("runs/u.jsonl")
