"""Every shipped configuration fits a step; a new one cannot be forgotten."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.media.webdataset.tars import pack_kitchen
from tests.models import TINY_ENCODERS
from vtlearn.__main__ import main
from vtlearn.cli.argv import shipped_configs

ROOT = shipped_configs()
METHODS = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("paper/*.yaml")])
TRAINERS = sorted(ROOT.glob("trainer/*.yaml"))
DATA = sorted(ROOT.glob("data/**/*.yaml"))


def test_there_are_configurations() -> None:
    assert METHODS
    assert TRAINERS
    assert DATA


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tiny encoders, one step, the CPU."""
    monkeypatch.chdir(tmp_path)
    trainer: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "precision": "32-true",
        "max_steps": 1,
        "log_every_n_steps": 1,
        "limit_val_batches": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump({"model": TINY_ENCODERS, "trainer": trainer}))
    return path


@pytest.fixture
def places(
    kitchen_root: Path,
    msrvtt_root: Path,
    youcook2_root: Path,
    crosstask_root: Path,
    small: dict[str, int],
) -> dict[str, dict[str, object]]:
    """A small Kitchen that is laid out like each corpus."""
    return {
        "Kitchen": {"root": kitchen_root, **small},
        "HowTo100M": {
            "videos": kitchen_root / "videos",
            "captions": kitchen_root / "captions",
            "video_list": kitchen_root / "splits" / "train.csv",
        },
        "Shards": {"shards": pack_kitchen(kitchen_root, kitchen_root.with_name("shards"))},
        "MSRVTT": {"root": msrvtt_root},
        "YouCook2": {"root": youcook2_root},
        "CrossTask": {"root": crosstask_root, "train_per_task": 2},
    }


def small_data(place: dict[str, object]) -> list[str]:
    """Point a corpus at a small one, and read it without workers."""
    options = {"batch_size": 4, "num_workers": 0, **place}
    options |= {"pixels.crop_pixels": 32}
    return [
        word for key, value in options.items() for word in (f"--data.init_args.{key}", str(value))
    ]


@pytest.mark.parametrize("config", METHODS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_method_fits_a_step(
    config: Path, overlay: Path, places: dict[str, dict[str, object]]
) -> None:
    corpus = yaml.safe_load(config.read_text())["data"]["class_path"]
    argv = ["fit", "--config", str(config), "--config", str(overlay)]
    assert main([*argv, *small_data(places[corpus])]) == 0
    assert len(list(overlay.parent.rglob("last.ckpt"))) == 1


@pytest.mark.parametrize("config", TRAINERS, ids=lambda path: path.stem)
def test_every_trainer_lies_over_a_method(
    config: Path, overlay: Path, places: dict[str, dict[str, object]]
) -> None:
    argv = ["fit", "--config", str(ROOT / "vttwins.yaml"), "--config", str(config)]
    argv += ["--config", str(overlay), "--trainer.strategy", "auto"]
    assert main([*argv, *small_data(places["Kitchen"])]) == 0


@pytest.mark.parametrize("config", DATA, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_corpus_takes_the_place_of_a_methods_own(
    config: Path, overlay: Path, places: dict[str, dict[str, object]]
) -> None:
    corpus = yaml.safe_load(config.read_text())["class_path"]
    argv = ["fit", "--config", str(ROOT / "vttwins.yaml"), "--config", str(overlay)]
    argv += ["--data", str(config), *small_data(places[corpus])]
    assert main(argv) == 0
