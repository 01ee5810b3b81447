import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vtlearn.cli.commands import doctor, installed, tree
from vtlearn.cli.commands.installed import Finding


def test_everything_works_here() -> None:
    command = [sys.executable, "-m", "vtlearn", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("Packages", "Devices", "Video", "Soft-DTW", "Extras"):
        assert f"\n{title}\n" in f"\n{done.stdout}"
    assert "by a process that can be killed" in done.stdout
    assert done.stdout.endswith("All that is needed works.\n")
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    assert {line[2:6].strip() for line in lines} <= {"ok", "note"}
    assert len({len(line[:29]) for line in lines}) == 1


def test_a_failure_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def packages() -> Iterator[Finding]:
        yield Finding("torch", "not installed: pip install 'torch>=2.6'", "fail")

    monkeypatch.setattr(installed, "packages", packages)
    monkeypatch.setattr(doctor, "_sections", lambda: [("Packages", installed.packages())])
    assert tree.run("doctor", []) == 1
    output = capsys.readouterr().out
    assert "  fail  torch                not installed: pip install 'torch>=2.6'\n" in output
    assert output.endswith("1 failed\n")


def test_it_speaks_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: no such file')\n")
    command = [sys.executable, "-m", "vtlearn", "doctor"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "OSError: libtorch.so: no such file" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Extras" in done.stdout
