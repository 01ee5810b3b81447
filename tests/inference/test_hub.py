from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from vtlearn.errors import CheckpointError
from vtlearn.inference.hub import find_model


def test_what_is_here_is_not_looked_for_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    assert find_model("owner/name").samefile(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_model("~/owner/name").samefile(folder)


@pytest.mark.parametrize(
    "named", ["absent", "./a/b", "a/b/c", "/a/b", "runs/best.ckpt", "a/b.pth.tar", "a b/c"]
)
def test_a_path_is_not_a_name(named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="No such file or directory"):
        find_model(named)


@pytest.mark.parametrize(
    ("named", "repository", "revision"),
    [("a/b", "a/b", None), ("a-1/b.c_d", "a-1/b.c_d", None), ("a/b@v1.0", "a/b", "v1.0")],
)
def test_a_name_is_downloaded(
    named: str,
    repository: str,
    revision: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def download(name: str, **options: Any) -> str:
        asked.append((name, options))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_model(named) == tmp_path
    files = ["model.safetensors", "config.json", "vocabulary.json"]
    assert asked == [(repository, {"revision": revision, "allow_patterns": files})]


def test_a_name_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        message = "no network.\nmore"
        raise LocalEntryNotFoundError(message)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=r"a/b is neither .* \(no network\): give a check"):
        find_model("a/b")
