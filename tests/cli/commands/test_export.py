import json
from pathlib import Path

import pytest

import vtlearn
from tests.inference.models import save_checkpoint, tiny_aligner
from vtlearn.__main__ import main
from vtlearn.cli.commands import export
from vtlearn.inference.onnx_export import ExportedEncoder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tiny_aligner().learner, tmp_path_factory.mktemp("run") / "x.ckpt")


def test_the_folder_is_the_model(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(checkpoint), str(tmp_path / "model"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    opened = vtlearn.load(tmp_path / "model")
    assert record == {"folder": str(tmp_path / "model"), "sha256": opened.sha256, "onnx": {}}
    assert vtlearn.load(checkpoint).sha256 == opened.sha256


def test_what_became_of_the_encoders_is_said(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [ExportedEncoder(Path("video.onnx"), None, "E: x"), ExportedEncoder(Path("t"), 1e-7)]
    monkeypatch.setattr(export, "export_onnx", lambda *_: found)
    assert main(["export", str(checkpoint), str(tmp_path / "model"), "--onnx"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "video.onnx: not exported, E: x",
        "t: differs from torch by 1.0e-07 at most",
    ]


def test_nothing_is_overwritten(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("mine")
    assert main(["export", str(checkpoint), str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["export", "absent.ckpt", str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()
