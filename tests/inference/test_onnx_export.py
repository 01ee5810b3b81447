from pathlib import Path

import pytest
import torch

from tests.inference.models import WORDS, tiny_aligner, tiny_writer
from vtlearn.errors import ArgumentError, MissingPackageError
from vtlearn.inference import onnx_export
from vtlearn.inference.onnx_export import export_onnx


def test_without_the_packages_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingPackageError, match=r"vtlearn\[export\]"):
        export_onnx(tiny_aligner(), tmp_path)


@pytest.mark.slow
def test_files_give_torchs_vectors(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = tiny_aligner()
    found = export_onnx(model, tmp_path)
    assert [(one.path.name, one.reason) for one in found] == [("video.onnx", ""), ("text.onnx", "")]
    assert all(one.difference is not None and one.difference < 1e-4 for one in found)
    encoder = model.learner.text_encoder
    assert encoder is not None
    tokens = encoder.tokenize(WORDS)
    session = runtime.InferenceSession(tmp_path / "text.onnx")
    inputs = {name: value.numpy() for name, value in tokens._asdict().items()}
    (vectors,) = session.run(None, inputs)
    torch.testing.assert_close(
        torch.from_numpy(vectors), model.encode_text(WORDS), atol=1e-4, rtol=0
    )


@pytest.mark.slow
def test_a_file_that_differs_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_export, "_TOLERANCE", -1.0)
    found = export_onnx(tiny_aligner(), tmp_path)
    assert all("differ from torch's by" in one.reason for one in found)
    assert not list(tmp_path.iterdir())


def test_a_model_that_compares_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "require", lambda *_, **__: None)
    with pytest.raises(ArgumentError, match="compares no clips with texts"):
        export_onnx(tiny_writer(tmp_path), tmp_path)


def test_what_cannot_be_exported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "require", lambda *_, **__: None)

    def fail(*_: object, **__: object) -> None:
        message = "no symbolic\nmore"
        raise NotImplementedError(message)

    monkeypatch.setattr(torch.onnx, "export", fail)
    found = export_onnx(tiny_aligner(), tmp_path)
    assert [one.reason for one in found] == ["NotImplementedError: no symbolic"] * 2
