import subprocess
import sys

import pytest

from vtlearn import __version__
from vtlearn.__main__ import main
from vtlearn.cli.commands import COMMANDS


def python(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    for command in ("fit", "validate", "test", *COMMANDS):
        assert sum(line.startswith(f"  {command} ") for line in output.splitlines()) == 1


@pytest.mark.parametrize("argv", [["--help"], ["data"], ["data", "-h"], ["data", "chekc"]])
def test_the_list_of_commands_needs_none_of_what_they_need(argv: list[str]) -> None:
    program = (
        "import sys; from vtlearn.__main__ import main; "
        f"main({argv!r}); print(sorted({{'torch', 'numpy', 'av', 'rich'}} & set(sys.modules)))"
    )
    assert python(program).splitlines()[-1] == "[]"


def test_the_commands_of_a_group_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == main(["data", "--help"]) == 0
    output = capsys.readouterr().out
    assert output.count("  data check ") == 2
    assert "doctor" not in output


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "vtlearn", "--version"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output == f"vtlearn {__version__}\n"


def test_the_corrected_order_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "x.yaml", "fit", "--trainer.max_epochs", "2"]) == 2
    error = capsys.readouterr().err
    assert "  vtlearn fit --config x.yaml --trainer.max_epochs 2\n" in error
    assert main(["--workers", "2", "data", "check", "there"]) == 2
    assert "  vtlearn data check --workers 2 there\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "hint"),
    [
        (["fitt"], "'fitt'; did you mean fit?"),
        (["docter"], "'docter'; did you mean doctor?"),
        (["data", "chekc", "there"], "'data chekc'; did you mean data check?"),
        (["dta"], "'dta'; did you mean data?"),
        (["xyzzy"], "'xyzzy'; there are fit, validate, test, "),
    ],
)
def test_the_nearest_command_is_named(
    argv: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert f"vtlearn: error: there is no command {hint}" in capsys.readouterr().err
