"""Trainings that stop and go on, by the command line, against one that did not."""

import importlib
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from vtlearn.__main__ import main

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
#: Batches of two, so that an epoch has four, and a schedule that knows how long it is.
OPTIONS = ["--data.batch_size", "2", "--model.scheduler.total_steps", "8"]
FIT = ["fit", "--config", "tiny.yaml", *OPTIONS]


@pytest.fixture
def resuming(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that compares such trainings."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("resuming")


def folder(*parts: str) -> Path:
    return Path("runs", *parts)


@pytest.fixture
def whole(workplace: Path, resuming: Any) -> Any:
    """What a training of two epochs comes to."""
    argv = [*FIT, "--trainer.max_epochs", "2", "--trainer.logger.name", "whole"]
    assert main(argv) == 0
    return resuming.state_of(workplace / folder("whole"))


@pytest.mark.parametrize(
    "limit",
    [
        ["--trainer.max_steps", "3"],
        pytest.param(["--trainer.max_epochs", "1"], marks=pytest.mark.slow),
    ],
)
def test_a_longer_training_is_the_one_that_was_not_stopped(
    limit: list[str], whole: Any, workplace: Path, resuming: Any
) -> None:
    assert main([*FIT, *limit, "--ckpt_path", "last"]) == 0
    assert main([*FIT, "--trainer.max_epochs", "2", "--ckpt_path", "last"]) == 0
    assert resuming.differences(whole, resuming.state_of(workplace / folder("t"))) == []
    assert [path.name for path in folder("t").iterdir()] == ["version_0"]


@pytest.mark.slow
def test_the_best_of_the_whole_training_stays_the_best(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose score is forged, so that nothing beats it; in its own folder, and in another."""
    assert main(FIT) == 0
    best, last = (next(workplace.rglob(f"{name}.ckpt")) for name in ("best", "last"))
    content = torch.load(last, weights_only=True)
    (state,) = (x for name, x in content["callbacks"].items() if name.startswith("Best"))
    path = state["best_model_path"]
    state |= {"best_model_score": torch.tensor(99.5), "kth_value": torch.tensor(99.5)}
    state["best_k_models"] = {path: torch.tensor(99.5)}
    torch.save(content, last)
    kept = best.read_bytes()
    for name in ("other", "t"):
        argv = [*FIT, "--trainer.max_epochs", "2", "--ckpt_path", str(last)]
        assert main([*argv, "--trainer.logger.name", name]) == 0
        again = folder(name, "version_0", "checkpoints", "best.ckpt")
        assert again.read_bytes() == kept
        assert f"best model: {again} (val/primary 99.5)" in capsys.readouterr().err
    assert main(["test", "--config", "tiny.yaml", "--ckpt_path", "best"]) == 0
    assert f"taking the checkpoint {best.relative_to(workplace)}" in capsys.readouterr().err


def test_what_is_over_is_said_to_be(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*FIT, "--ckpt_path", "last"]
    assert main(argv) == 0
    error = capsys.readouterr().err
    assert "there is no last.ckpt below runs/t: training starts from the beginning" in error
    assert main(argv) == 0
    error = capsys.readouterr().err
    assert "nothing was left to do: runs/t/version_0/checkpoints/last.ckpt has all steps" in error
    assert "Error" not in error
    assert len(list(workplace.rglob("last.ckpt"))) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_as_another_training_it_goes_on_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(FIT) == 0
    kept = {path: path.read_bytes() for path in folder("t", "version_0").rglob("*.ckpt")}
    argv = ["fit", "--config", "tiny.yaml", "--ckpt_path", "last", "--trainer.max_epochs", "2"]
    assert main(argv) == 2  # batches of four
    assert "batch_size=2; this one has batch_size=4: give what it had" in capsys.readouterr().err
    assert main([*argv, "--resume_changed"]) == 0
    assert all(path.read_bytes() == content for path, content in kept.items())
    error = capsys.readouterr().err
    assert "best model: runs/t/version_" in error
    assert "best model: runs/t/version_0" not in error


def test_signals_are_exit_codes_and_say_how_to_go_on(
    workplace: Path,
    resuming: Any,
    whole: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = yaml.safe_load(Path("tiny.yaml").read_text())
    content["trainer"]["callbacks"] = [
        {"class_path": "stopping.StopAt", "init_args": {"step": 3, "signum": 15}}
    ]
    Path("stopped.yaml").write_text(yaml.safe_dump(content))
    argv = ["fit", "--config", "stopped.yaml", *OPTIONS, "--trainer.max_epochs", "2"]
    before = signal.getsignal(signal.SIGTERM)
    assert main(argv) == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    last = folder("t", "version_0", "checkpoints", "last.ckpt")
    error = capsys.readouterr().err
    assert f"stopped by SIGTERM after 4 steps: {last}\nto resume:\n  vtlearn fit --config" in error
    assert main([*FIT, "--trainer.max_epochs", "2", "--ckpt_path", str(last)]) == 0
    assert resuming.differences(whole, resuming.state_of(workplace / folder("t"))) == []


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize(("workers", "processes"), [(0, 1), (2, 1), (0, 2)])
def test_killed_at_any_moment_it_goes_on_as_if_it_had_never_been(
    workers: int, processes: int, workplace: Path, resuming: Any
) -> None:
    argv = [
        *("fit", "--config", str(workplace / "tiny.yaml"), *OPTIONS),
        *("--trainer.max_epochs", "2", "--step_checkpoint.every_n_train_steps", "2"),
        *("--data.num_workers", str(workers), "--model.head.permute", "true"),
    ]
    path = workplace / "whole"
    path.mkdir()
    done = resuming.run(path, argv, processes)
    assert done.returncode == 0, done.stderr
    state = resuming.state_of(path)
    for stop in resuming.stops(8, 1, ["writing", "validation"]):
        _, found = resuming.compared(workplace / "stopped", argv, stop, state, processes)
        assert (stop, found) == (stop, [])
