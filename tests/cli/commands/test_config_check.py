import json
from pathlib import Path

import pytest

from vtlearn.__main__ import main


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_right_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("trainer: {max_epochs: 3, callbacks: [{class_path: Timer}]}\n")
    assert main(["config", "check", "configs/vttwins.yaml", "mine.yaml"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith("configs/vttwins.yaml, mine.yaml: all of it can be built")
    assert lines == [
        "  model      TinyVideo, TinyText, S2DTW",
        "  data       Kitchen",
        "  callbacks  Timer",
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("class_path: Kitchen\n")
    assert main(["config", "check", "mine.yaml", "--json", "--no-build"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["files"] == ["mine.yaml"]
    assert (record["model"], record["data"]) == ([], "Kitchen")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trainer: {max_epochs: many}", "mine.yaml:1: trainer.max_epochs: expected an int, got"),
        ("trainer: [", "mine.yaml is not valid YAML: "),
        (None, "there is no file mine.yaml, here or among those that come with vtlearn"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_2(
    text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        Path("mine.yaml").write_text(text)
    assert main(["config", "check", "mine.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"vtlearn: error: {said}")
    assert captured.out == ""
