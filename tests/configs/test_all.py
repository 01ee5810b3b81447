"""Every shipped configuration fits a step; a new one cannot be forgotten."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.media.features.stores import fill_store
from tests.media.webdataset.tars import pack_kitchen
from tests.models import TINY_ENCODERS, TINY_FEATURE_ENCODERS, TINY_WRITER
from vtlearn.__main__ import main
from vtlearn.cli.argv import shipped_configs
from vtlearn.datasets.files import find_videos

ROOT = shipped_configs()
METHODS = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("paper/*.yaml")])
TRAINERS = sorted(ROOT.glob("trainer/*.yaml"))
DATA = sorted(ROOT.glob("data/**/*.yaml"))


def test_there_are_configurations() -> None:
    assert METHODS
    assert TRAINERS
    assert DATA


def reads_features(data: dict[str, Any]) -> bool:
    return "features" in data["init_args"]


def writes(data: dict[str, Any]) -> bool:
    return bool(data["init_args"].get("task") == "captioning")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def overlay(folder: Path, *, features: bool, captions: bool = False) -> Path:
    """Write down tiny encoders, and a head that writes where that is scored, one step, the CPU."""
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
    model = TINY_FEATURE_ENCODERS if features else TINY_ENCODERS
    model = TINY_WRITER if captions else model
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump({"model": model, "trainer": trainer}))
    return path


@pytest.fixture
def places(
    kitchen_root: Path,
    msrvtt_root: Path,
    youcook2_root: Path,
    crosstask_root: Path,
    webvid_root: Path,
    msvd_root: Path,
    vatex_root: Path,
    coco_root: Path,
    cc_root: Path,
    img2dataset_root: Path,
    small: dict[str, int],
) -> dict[str, dict[str, object]]:
    """A small Kitchen that is laid out like each corpus, by its class or its configuration."""
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
        "WebVid": {"root": webvid_root},
        "MSVD": {"root": msvd_root},
        "VATEX": {"root": vatex_root},
        "coco": {"root": coco_root},
        "cc": {"root": cc_root},
        "img2dataset": {"root": img2dataset_root},
    }


def small_data(place: dict[str, object], folder: Path, *, features: bool) -> list[str]:
    """Point a corpus at a small one, and read it without workers."""
    options = {"batch_size": 4, "num_workers": 0, **place}
    options |= {"pixels.crop_pixels": 32}
    if features:
        videos = Path(str(place.get("videos", place.get("root"))))
        fill_store(folder / "features", dict.fromkeys(find_videos(videos), 100.0))
        options |= {"features": folder / "features"}
    return [
        word for key, value in options.items() for word in (f"--data.init_args.{key}", str(value))
    ]


@pytest.mark.parametrize("config", METHODS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_method_fits_a_step(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    method = yaml.safe_load(config.read_text())
    data, features = method["data"], reads_features(method["data"])
    tiny = overlay(folder, features=features, captions=writes(data))
    argv = ["fit", "--config", str(config), "--config", str(tiny)]
    argv += small_data(places[data["class_path"]], folder, features=features)
    if method["model"]["head"]["class_path"] == "TempCLR":  # videos are too short for a chain
        argv += ["--model.head.init_args.chain", "all"]
    assert main(argv) == 0
    assert len(list(folder.rglob("last.ckpt"))) == 1


@pytest.mark.parametrize("config", TRAINERS, ids=lambda path: path.stem)
def test_every_trainer_lies_over_a_method(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    argv = ["fit", "--config", str(ROOT / "vttwins.yaml"), "--config", str(config)]
    argv += ["--config", str(overlay(folder, features=False)), "--trainer.strategy", "auto"]
    assert main([*argv, *small_data(places["Kitchen"], folder, features=False)]) == 0


@pytest.mark.parametrize("config", DATA, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_corpus_takes_the_place_of_a_methods_own(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    data = yaml.safe_load(config.read_text())
    features = reads_features(data)
    argv = ["fit", "--config", str(ROOT / "vttwins.yaml")]
    tiny = overlay(folder, features=features, captions=writes(data))
    argv += ["--config", str(tiny), "--data", str(config)]
    place = places.get(config.stem) or places[data["class_path"]]
    assert main([*argv, *small_data(place, folder, features=features)]) == 0
