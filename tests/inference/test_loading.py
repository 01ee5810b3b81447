from pathlib import Path

import huggingface_hub
import pytest
import torch

import vtlearn
from tests.inference.models import WORDS, save_checkpoint, tiny_aligner
from vtlearn.errors import CheckpointError


def test_a_checkpoint_a_folder_and_a_name_are_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_aligner()
    path = save_checkpoint(model.learner, tmp_path / "x.ckpt")
    wanted = vtlearn.load(path).sha256
    vtlearn.load(path).save_pretrained(tmp_path / "folder")
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path / "folder")
    )
    for named in (path, str(path), tmp_path / "folder", "owner/name"):
        opened = vtlearn.load(named)
        assert opened.sha256 == wanted
        assert torch.equal(opened.encode_text(WORDS), model.encode_text(WORDS))
        assert opened.reading.clip_settings() == model.reading.clip_settings()
        assert opened.name == str(named)
        assert not opened.learner.training


def test_a_device_is_taken(tmp_path: Path) -> None:
    path = save_checkpoint(tiny_aligner().learner, tmp_path / "x.ckpt")
    assert vtlearn.load(path, device="meta").device.type == "meta"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="is not a vtlearn checkpoint"):
        vtlearn.load(tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="No such file"):
        vtlearn.load(tmp_path / "absent.ckpt")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        vtlearn.load(tmp_path)
