import argparse

import pytest

from vtlearn.cli.commands import COMMANDS, data_kitchen, tree


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_a_module_that_says_what_it_is_for(name: str) -> None:
    command = tree._load(name)
    assert getattr(command, "__name__", "").endswith(f".{name.replace(' ', '_')}")
    assert command.__doc__
    command.add_arguments(argparse.ArgumentParser())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        tree.run(name, ["--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: vtlearn {name} ")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--sise", "32"], "there is no option --sise; did you mean --size?"),
        (["--sise=32"], "there is no option --sise; did you mean --size?"),
        (["--siz", "32"], "there is no option --siz; did you mean --size?"),
        (["--size", "x"], "argument --size: invalid int value: 'x'"),
        (["more"], "there is no option more\n"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        tree.run("data kitchen", argv)
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith(f"vtlearn: error: {sentence}")


def test_a_mistake_is_a_sentence_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.run("data kitchen", ["--size", "33"]) == 2
    error = capsys.readouterr().err
    assert error == "vtlearn: error: size is 33; H.264 wants an even number, such as 34\n"


def test_ctrl_c_leaves_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(data_kitchen, "run", interrupted)
    assert tree.run("data kitchen", []) == 130
    assert capsys.readouterr().err == "vtlearn: interrupted\n"
