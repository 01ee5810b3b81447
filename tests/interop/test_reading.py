import argparse
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.interop.files import Options, fairseq, write
from vtlearn.errors import CheckpointError
from vtlearn.interop.reading import PublishedFile, find_weights, load_content

WEIGHTS = {"a.weight": torch.arange(4.0), "a.bias": torch.ones(2)}


def read_published(path: Path, *, trust_pickle: bool = False) -> PublishedFile:
    return find_weights(path, load_content(path, trust_pickle=trust_pickle))


@pytest.mark.parametrize(
    ("content", "container", "prefixed"),
    [
        (WEIGHTS, "flat", False),
        ({f"module.{k}": v for k, v in WEIGHTS.items()}, "flat", True),
        (
            {"epoch": 1, "state_dict": {f"module.{k}": v for k, v in WEIGHTS.items()}},
            "state_dict",
            True,
        ),
        ({"model": {f"mmmodel.{k}": v for k, v in WEIGHTS.items()}}, "model", False),
        ({"model": {f"module.mmmodel.{k}": v for k, v in WEIGHTS.items()}}, "model", True),
    ],
)
@pytest.mark.parametrize("is_zip", [True, False])
def test_each_container(
    content: dict[str, object], container: str, prefixed: bool, is_zip: bool, tmp_path: Path
) -> None:
    path = tmp_path / "x.pth"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)  # files of before torch 1.6
    file = read_published(path)
    assert (file.container, file.prefixed, file.dropped) == (container, prefixed, [])
    assert list(file.weights) == list(WEIGHTS)
    assert all(torch.equal(file.weights[name], value) for name, value in WEIGHTS.items())


def test_half_precision_is_widened_and_counts_stay() -> None:
    content = {"a": torch.ones(2).half(), "b": torch.ones(2).double(), "n": torch.tensor(3)}
    weights = find_weights(Path("x"), content).weights
    kinds = [value.dtype for value in weights.values()]
    assert kinds == [torch.float32, torch.float64, torch.int64]


def test_old_names_are_renamed_and_buffers_dropped() -> None:
    content = {
        "e.LayerNorm.gamma": torch.ones(2),
        "e.LayerNorm.beta": torch.zeros(2),
        "e.embeddings.position_ids": torch.arange(3)[None],
        "epoch": 3,
    }
    file = find_weights(Path("x"), content)
    assert list(file.weights) == ["e.LayerNorm.weight", "e.LayerNorm.bias"]
    assert file.dropped == ["e.embeddings.position_ids", "epoch"]


def test_the_options_of_an_argument_parser_are_plain_values(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pt", fairseq(WEIGHTS, argparse.Namespace(lr=1e-4)))
    assert list(read_published(path).weights) == list(WEIGHTS)


def test_anything_else_has_to_be_trusted(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pt", fairseq(WEIGHTS, Options()))
    with pytest.raises(
        CheckpointError, match=r"tests\.interop\.files\.Options is .*--trust-pickle"
    ):
        read_published(path)
    assert list(read_published(path, trust_pickle=True).weights) == list(WEIGHTS)


class _Touch:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pt", {"model": WEIGHTS, "args": _Touch(tmp_path / "made")})
    with pytest.raises(
        CheckpointError, match=r"x\.pt holds more than weights: (posix|nt)\.mkdir is"
    ):
        read_published(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_is_not_installed_is_not_needed(
    is_zip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Config(Options):
        __module__, __qualname__ = "fairseq.config", "Config"

    class Kind(str):
        __module__, __qualname__ = "fairseq.config", "Kind"

        def __reduce__(self) -> tuple[object, ...]:
            return Kind, (str(self),)

    class Steps(list[int]):
        __module__, __qualname__ = "fairseq.config", "Steps"

    module = ModuleType("fairseq.config")
    vars(module).update(Config=Config, Kind=Kind, Steps=Steps)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fairseq", ModuleType("fairseq"))
        patch.setitem(sys.modules, "fairseq.config", module)
        content = fairseq(WEIGHTS, [Config(), {Kind("adam"): 1}, Steps([1]), Steps([1, 2])])
        torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(CheckpointError, match=r"fairseq\.config\.\w+ is pickled in it"):
        read_published(tmp_path / "x.pt")
    file = read_published(tmp_path / "x.pt", trust_pickle=True)
    assert torch.equal(file.weights["a.weight"], WEIGHTS["a.weight"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a checkpoint"),
        (b"not a checkpoint", r"x\.pt cannot be read as a checkpoint \(\w+\): torch\.save did not"),
        ({"model": {"lr": 1}, "epoch": 3}, "holds no weights by name.*it holds epoch, model"),
        (torch.ones(2), "holds no weights by name.*it holds Tensor"),
        ([], "holds no weights by name.*it holds list"),
    ],
)
def test_what_is_no_checkpoint(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write(path, content)
    with pytest.raises(CheckpointError, match=words):
        read_published(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x\.pt: No such file"):
        read_published(tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="Is a directory"):
        read_published(tmp_path)


def test_the_folder_of_a_converted_model_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    for path in (weights, tmp_path):
        with pytest.raises(CheckpointError) as caught:
            load_content(path)
        assert f"--weights and vtlearn.load open the folder {tmp_path}" in str(caught.value)
