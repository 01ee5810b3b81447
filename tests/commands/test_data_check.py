import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from tests.damage import READABLE, UNREADABLE, Way, copy_corpus, damage_videos
from vtlearn.commands import tree
from vtlearn.datasets.kitchen import read_truth

FAST = tuple(way for way in UNREADABLE if way.stage != "time")


def check(root: Path, *options: str) -> int:
    return tree.run("data check", [str(root), "--data", "Kitchen", "--time-budget", "0", *options])


@pytest.fixture(scope="module")
def damaged(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Kitchen with each kind of damage but the one that hangs, and the ids nobody can read."""
    root = copy_corpus(kitchen_root, tmp_path_factory.mktemp("check") / "kitchen")
    ways: dict[str, Way] = damage_videos(root, sorted(read_truth(root)), (*FAST, *READABLE))
    return root, sorted(video_id for video_id, way in ways.items() if way in FAST)


def test_a_good_corpus_is_covered(kitchen_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(kitchen_root, "--min-coverage", "100") == 0
    captured = capsys.readouterr()
    assert captured.out == "Kitchen: 13 of 13 videos can be used, 100.0 %\n"


def test_the_report_has_all_ids_and_the_table_the_first(
    damaged: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad = damaged
    path = tmp_path / "reports" / "kitchen.json"
    assert check(root, "--report", str(path), "--decode") == 0
    report = json.loads(path.read_text(encoding="utf-8"))
    ids = sorted(read_truth(root))
    assert sorted(entry["id"] for entry in report["unreadable"]) == bad
    assert sorted(report["usable"]) == sorted(set(ids) - set(bad))
    assert len(report["lost"]) == 2
    output = capsys.readouterr().out
    share = 100 * (len(ids) - len(bad)) / len(ids)
    assert output.startswith(f"Kitchen: {len(ids) - len(bad)} of {len(ids)} videos can be used")
    assert f", {int(share * 10) / 10} %\n" in output
    line = next(line for line in output.splitlines() if line.startswith("  unreadable"))
    assert line.split() == ["unreadable", str(len(bad)), "(the", "first", "3)"]
    assert sum(video_id in output for video_id in bad) == 3


def test_coverage_decides_the_exit_code(
    damaged: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad = damaged
    share = 100 * (13 - len(bad)) / 13
    assert check(root, "--min-coverage", f"{share - 0.01}") == 0
    capsys.readouterr()
    assert check(root, "--min-coverage", f"{share + 0.01}") == 1
    assert "coverage is below --min-coverage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--min-coverage", "101"], "--min-coverage is 101, and is in per cent"),
        (["--captions", "y"], "--captions: Kitchen says itself"),
        (["--data", "HowTo100M", "--list", "absent.csv"], "absent.csv cannot be read as a csv"),
        (["--report", "."], "--report . is a folder"),
        (["--report", "/dev/null/x.json"], "--report /dev/null/x.json cannot be written"),
        (["--workers", "0"], "workers"),
        (["--time-budget", "-1"], "time_budget"),
    ],
)
def test_mistakes_are_sentences(
    options: list[str], sentence: str, kitchen_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(kitchen_root, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtlearn: error: ")
    assert sentence in error


def test_no_corpus_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 2
    assert "steps.json" in capsys.readouterr().err


def test_a_list_and_durations_say_what_there_should_be(
    damaged: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad = damaged
    splits = [path.read_text(encoding="utf-8").split()[1:] for path in root.glob("splits/*.csv")]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["video_path", *chain(*splits), "absent.mp4"]), encoding="utf-8")
    durations = tmp_path / "durations.csv"
    good = next(video_id for video_id in read_truth(root) if video_id not in bad)
    durations.write_text(f"{good},1000\n", encoding="utf-8")
    report = tmp_path / "report.json"
    tables = ["--list", str(listed), "--durations", str(durations), "--data", "HowTo100M"]
    assert check(root, *tables, "--report", str(report)) == 0
    found = json.loads(report.read_text(encoding="utf-8"))
    assert sorted(entry["id"] for entry in found["unreadable"]) == bad
    assert found["missing"] == ["absent"]
    assert good in {entry["id"] for entry in found["duration_mismatch"]}
    assert f"      {good}  lasts " in capsys.readouterr().out


@pytest.mark.slow  # it starts processes, each of which imports torch
def test_it_runs_as_a_command_with_several_processes(
    damaged: tuple[Path, list[str]], tmp_path: Path
) -> None:
    bad = damaged[1]
    root = copy_corpus(damaged[0], tmp_path / "kitchen")
    hanging = next(video_id for video_id in bad if "train" in video_id)
    pipe = next(way for way in UNREADABLE if way.stage == "time")
    pipe.apply(root / "videos" / f"{hanging}.mp4")
    command = [sys.executable, "-m", "vtlearn", "data", "check", str(root), "--data", "Kitchen"]
    options = ["--workers", "2", "--time-budget", "4", "--min-coverage", "100"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert f"Kitchen: {13 - len(bad)} of 13" in done.stdout
    assert f"{hanging}  time: " in done.stdout
    assert "Opening videos" in done.stderr
    assert "coverage is below --min-coverage 100" in done.stderr


def test_names_that_a_terminal_would_obey_are_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / os.fsdecode(b"\x1b[31m\xff.mp4")).write_bytes(b"")
    (tmp_path / "caption.json").write_text('{"a": {"start": [0], "end": [1], "text": ["x"]}}')
    report = tmp_path / "report.json"
    options = ["--time-budget", "0", "--report", str(report), "--decode"]
    assert tree.run("data check", [str(tmp_path), *options]) == 0
    assert "      \\x1b[31m\\udcff  open: " in capsys.readouterr().out
    (entry,) = json.loads(report.read_text(encoding="utf-8"))["unreadable"]
    assert entry["id"] == "\x1b[31m\udcff"
