import json
from pathlib import Path

import pytest

from tests.cli.run_folders import write_config, write_results, write_training
from vtlearn.__main__ import main


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    write_training(Path("runs", "a"), 61.5)
    checkpoint = "runs/a/checkpoints/best.ckpt"
    partial = {"evaluated": 7, "expected": 8, "missing": ["x"]}
    write_results(Path("runs", "b"), 40.0, checkpoint, coverage=partial)
    write_config(Path("runs", "c"), head="SoftDTW")
    assert main(["runs"]) == 0
    header, first, tested, second, remark = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "run",
        "head",
        "data",
        "written",
        "epochs",
        "steps",
        "best",
        "checkpoint",
    ]
    start = first.split()
    assert start[:3] == ["runs/a", "S2DTW", "Kitchen"]
    assert start[5:] == ["2", "of", "4", "20", "val/primary", "61.50", checkpoint]
    assert tested == "    kitchen-retrieval@1 R@1 40.00 NOT COMPARABLE"
    assert second.split()[:3] == ["runs/c", "SoftDTW", "Kitchen"]
    assert remark.strip().startswith("no checkpoint")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_training(Path("mine", "a"), 61.5)
    write_results(Path("mine", "b"), 40.0, "mine/a/checkpoints/best.ckpt")
    assert main(["runs", "mine", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["folder"] == "mine/a"
    assert record["checkpoint"] == "mine/a/checkpoints/best.ckpt"
    assert record["tested"] == [
        {
            "protocol": "kitchen-retrieval@1",
            "metric": "R@1",
            "value": 40.0,
            "comparable": True,
            "selected_on_test": False,
        }
    ]


def test_no_run_and_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 2
    assert capsys.readouterr().err.startswith(
        "vtlearn: error: runs is not a directory: train first"
    )
    Path("runs").mkdir()
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "there is no run below runs\n"
