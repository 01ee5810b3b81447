import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.model_folder import read_folder, require_new_folder, write_folder

WEIGHTS: dict[str, Any] = {
    "video_encoder.fc.weight": torch.arange(6.0).reshape(2, 3).T,  # not contiguous
    "video_encoder.bn.num_batches_tracked": torch.tensor(3),
    "text_encoder._extra_state": ["chop", "rôti", ""],
}
MODEL = {"head": {"class_path": "S2DTW", "init_args": {}}}


def written(folder: Path) -> Path:
    write_folder(folder, MODEL, WEIGHTS, clips={"fps": 10.0}, source={"file": "x.pth"})
    return folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = read_folder(written(tmp_path / "new" / "model"))
    assert content["hyper_parameters"] == MODEL
    assert (content["clips"], content["source"]) == ({"fps": 10.0}, {"file": "x.pth"})
    assert content["state_dict"].keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        read = content["state_dict"][name]
        assert torch.equal(read, value) if isinstance(value, torch.Tensor) else read == value


def test_who_may_read_one_file_may_read_all(tmp_path: Path) -> None:
    modes = {path.name: path.stat().st_mode for path in written(tmp_path / "model").iterdir()}
    assert len(modes) == 3
    assert len(set(modes.values())) == 1


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    for taken in (tmp_path, mine):
        with pytest.raises(ArgumentError, match="exists already, and nothing in it is overwritten"):
            written(taken)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    require_new_folder(tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.json", None, r"config\.json: No such file.*; vtlearn convert writes"),
        ("vocabulary.json", None, r"vocabulary\.json: No such file"),
        ("model.safetensors", None, r"model\.safetensors.*[Nn]o such file"),
        ("model.safetensors", "x", r"model\.safetensors is damaged"),
        ("config.json", "{", r"config\.json is not valid JSON"),
        ("config.json", "[]", "expected a JSON object, got list"),
        ("config.json", "{}", "expected format 'vtlearn-model' in version 1, got None"),
    ],
)
def test_a_damaged_folder(name: str, text: str | None, words: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "model")
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(CheckpointError, match=words):
        read_folder(folder)


def test_a_model_has_three_parts(tmp_path: Path) -> None:
    folder = written(tmp_path / "model")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "model": {"body": 1}}))
    with pytest.raises(CheckpointError, match="expected a model of video_encoder, text_encoder"):
        read_folder(folder)
