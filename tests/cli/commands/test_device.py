import pytest
import torch

from vtlearn.cli.commands.device import choose_device
from vtlearn.errors import ArgumentError


def test_a_device_is_the_one_that_is_named() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("variables", "device"),
    [
        ({}, "cuda:0"),
        ({"LOCAL_RANK": "2", "SLURM_LOCALID": "1"}, "cuda:2"),
        ({"SLURM_LOCALID": "1"}, "cuda:1"),
    ],
)
def test_each_rank_has_a_gpu_of_its_own(
    variables: dict[str, str], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(None) == torch.device(device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(None) == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("abacus", "--device: expected a device such as cpu or cuda:0, got 'abacus'"),
        ("meta", r"--device meta cannot be used \("),
        ("cuda:99", r"--device cuda:99 cannot be used \("),
    ],
)
def test_what_cannot_be_used_is_one_sentence(name: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        choose_device(name)
