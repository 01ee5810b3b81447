"""The benchmark of a step: both sides train alike, and one of them as the command line does."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint, RichProgressBar

from vtlearn.cli.lightning import run

pytestmark = pytest.mark.usefixtures("scripts")

CONFIG = Path(__file__).parents[2] / "configs" / "vttwins.yaml"


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(CONFIG.parents[1])  # scripts are run there
    return importlib.import_module("step")


def test_both_sides_train_alike(step: Any) -> None:
    pairs = step.compare(step.tiny()._replace(steps=2), 1)
    assert [[side.wall > 0 for side in pair] for pair in pairs] == [[True, True]]


def test_a_ratio_is_of_its_round(step: Any) -> None:
    assert step.slower([[1.0, 1.1], [10.0, 10.5], [2.0, 2.4]]) == "10.0 (7.5 to 15.0)"


def test_callbacks_are_those_of_the_command_line(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers: list[Any] = []
    monkeypatch.setattr(Trainer, "fit", lambda self, *_, **__: trainers.append(self))
    root = ["--data.init_args.root", str(tmp_path)]
    logged = ["--trainer.logger.init_args.save_dir", str(tmp_path)]
    assert run(["fit", "--config", str(CONFIG), *root, *logged]) == 0
    left_out = (Checkpoint, RichProgressBar)
    used = {type(each).__name__ for each in trainers[0].callbacks if not isinstance(each, left_out)}
    made = {type(each).__name__ for each in step.cli_callbacks()}
    assert used - {"RichModelSummary", "ConfigWriter"} == made
    bars = [each for each in trainers[0].callbacks if isinstance(each, RichProgressBar)]
    assert [bar.refresh_rate for bar in bars] == [step.REDRAWS]
