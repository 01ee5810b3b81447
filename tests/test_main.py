import subprocess
import sys

import pytest

from vtlearn import __version__
from vtlearn.__main__ import main


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    for command in ("fit", "validate", "test"):
        assert sum(line.startswith(f"  {command} ") for line in output.splitlines()) == 1


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "vtlearn", "--version"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output == f"vtlearn {__version__}\n"


def test_the_corrected_order_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "x.yaml", "fit", "--trainer.max_epochs", "2"]) == 2
    error = capsys.readouterr().err
    assert "  vtlearn fit --config x.yaml --trainer.max_epochs 2\n" in error
