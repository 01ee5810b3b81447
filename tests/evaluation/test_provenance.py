import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vtlearn.evaluation.provenance import code_version


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = [str(shutil.which("git")), "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # run from a hook, this would change the hook's repository
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "code.py").write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "package")
    git(tmp_path, "commit", "--quiet", "--no-verify", "--message", "first")
    return tmp_path


def test_commit_is_that_of_the_checkout(checkout: Path) -> None:
    assert code_version(checkout / "package").commit == git(checkout, "rev-parse", "HEAD")
    (checkout / "package" / "code.py").write_text("2\n")
    assert (
        code_version(checkout / "package").commit == f"{git(checkout, 'rev-parse', 'HEAD')}-dirty"
    )


def test_a_package_inside_a_strangers_checkout_has_no_commit(checkout: Path) -> None:
    (checkout / "site-packages").mkdir()
    (checkout / "site-packages" / "code.py").write_text("1\n")
    assert code_version(checkout / "site-packages").commit is None


def test_a_hooks_environment_does_not_mislead(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert code_version(checkout / "package").commit is not None


def test_without_git_or_a_checkout_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version(tmp_path).commit is None
    assert code_version(tmp_path / "nowhere").commit is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version().commit is None


def test_a_git_that_hangs_is_given_up(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtlearn.evaluation.provenance._GIT_SECONDS", 1e-6)
    assert code_version(checkout / "package").commit is None
