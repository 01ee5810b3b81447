import json
import subprocess
import sys
from pathlib import Path

import pytest

from vtlearn.__main__ import main


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.yaml").write_text("# Mine.\ntrainer: {}\n")
    return tmp_path


def test_the_table_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (method,) = (line for line in lines if line.startswith("  configs/vttwins.yaml "))
    assert method.endswith(
        "VT-TWINS on Kitchen, on a laptop: whole videos against whole "
        "narrations by smoothed, weak alignment."
    )
    (mine,) = (line for line in lines if line.startswith("  configs/mine.yaml "))
    assert mine.endswith("  (yours) Mine.")
    titles = [line for line in lines if not line.startswith(" ")]
    assert [title.split(",")[0] for title in titles] == ["methods", "data", "fragments"]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "list", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["configs/mine.yaml"] == {
        "name": "configs/mine.yaml",
        "kind": "fragment",
        "about": "Mine.",
        "shipped": False,
        "path": "configs/mine.yaml",
    }
    assert Path(records["configs/vttwins.yaml"]["path"]).is_file()


def test_it_imports_no_torch() -> None:
    program = (
        "import sys; from vtlearn.__main__ import main; main(['config', 'list']); "
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output.splitlines()[-1] == "False"
