"""Every shipped configuration fits a step, or scores; a new one cannot be forgotten."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning
import yaml

from tests.conftest import SMALL
from tests.media.features.stores import fill_store
from tests.media.webdataset.tars import pack_kitchen
from tests.models import (
    TINY_ENCODERS,
    TINY_FEATURE_ENCODERS,
    TINY_MATCHER,
    TINY_WRITER,
    quiet_trainer,
    tiny_kitchen,
    tiny_learner,
)
from vtlearn.__main__ import main
from vtlearn.cli.config_files import shipped_configs
from vtlearn.datasets.files import find_videos

ROOT = shipped_configs()
METHODS = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("paper/*.yaml")])
TRAINERS = sorted(ROOT.glob("trainer/*.yaml"))
DATA = sorted(ROOT.glob("data/**/*.yaml"))
#: Of data that models are scored by, and not trained on.
SCORED = [path for path in DATA if path.stem in ("ucf101", "hmdb51")]


def test_there_are_configurations() -> None:
    assert METHODS
    assert TRAINERS
    assert DATA
    assert len(SCORED) == 4


def sources(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sources of a mixture, or the one that data are, by their options."""
    mixed = data["init_args"].get("sources", {})
    nested = {f"--data.init_args.sources.{name}": source for name, source in mixed.items()}
    return nested or {"--data": data}


def reads_features(data: dict[str, Any]) -> bool:
    return any("features" in source["init_args"] for source in sources(data).values())


def has_episodes(data: dict[str, Any]) -> bool:
    return bool(data["class_path"] == "Episodes")


def writes(data: dict[str, Any]) -> bool:
    """Whether captions are scored: a mixture by its first source."""
    scored = next(iter(sources(data).values()))
    return bool(scored["init_args"].get("task") == "captioning")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def overlay(
    folder: Path, *, features: bool, captions: bool = False, episodes: bool = False
) -> Path:
    """Write down tiny encoders, and a head that the data need, one step, the CPU."""
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
    if episodes:
        model = TINY_MATCHER | {"video_encoder": model["video_encoder"]}
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
    ucf101_root: Path,
    hmdb51_root: Path,
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
        "UCF101": {"root": ucf101_root},
        "HMDB51": {"root": hmdb51_root},
        "ImageCaptions": {"root": cc_root},
        "coco": {"root": coco_root},
        "cc": {"root": cc_root},
        "img2dataset": {"root": img2dataset_root},
        "Episodes": labelled(kitchen_root, ways=2),
    }


def labelled(root: Path, **options: object) -> dict[str, object]:
    """Two classes of four videos of a small Kitchen, to train on."""
    videos = sorted((root / "videos").glob("*train*"))[:8]
    rows = [f"{path},{'ab'[number % 2]},train" for number, path in enumerate(videos)]
    annotations = root.with_name("labels.csv")
    annotations.write_text("\n".join(["video_path,label,split", *rows]))
    return {"root": root, "annotations": annotations, "kitchen": False, **options}


def small_data(
    data: dict[str, Any], places: dict[str, dict[str, object]], folder: Path, stem: str = ""
) -> list[str]:
    """Point each corpus at a small one, and read it without workers."""
    words: list[str] = []
    for section, source in sources(data).items():
        layout = source["init_args"].get("kitchen")  # pictures come in several
        place = places.get(layout) or places.get(stem) or places[source["class_path"]]
        options = {"batch_size": 4, "num_workers": 0, **place}
        options |= {"pixels.crop_pixels": 32}
        if has_episodes(source):
            del options["batch_size"]  # which is that of an episode
        if reads_features(source):
            videos = Path(str(place.get("videos", place.get("root"))))
            fill_store(folder / "features", dict.fromkeys(find_videos(videos), 100.0))
            options |= {"features": folder / "features"}
        for key, value in options.items():
            words += [f"{section}.init_args.{key}", str(value)]
    return words


@pytest.mark.parametrize("config", METHODS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_method_fits_a_step(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    method = yaml.safe_load(config.read_text())
    data, features = method["data"], reads_features(method["data"])
    head = method["model"]["head"]["class_path"]
    captions, episodes = head == "CaptioningDecoder", head == "FewShot"
    tiny = overlay(folder, features=features, captions=captions, episodes=episodes)
    argv = ["fit", "--config", str(config), "--config", str(tiny)]
    argv += small_data(data, places, folder)
    if head == "TempCLR":  # videos are too short for a chain
        argv += ["--model.head.init_args.chain", "all"]
    assert main(argv) == 0
    assert len(list(folder.rglob("last.ckpt"))) == 1


@pytest.mark.parametrize("config", TRAINERS, ids=lambda path: path.stem)
def test_every_trainer_lies_over_a_method(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    if config.stem == "ema" and not hasattr(pytorch_lightning.callbacks, "EMAWeightAveraging"):
        pytest.skip("EMAWeightAveraging came with Lightning 2.6")
    method = ROOT / "vttwins.yaml"
    argv = ["fit", "--config", str(method), "--config", str(config)]
    argv += ["--config", str(overlay(folder, features=False)), "--trainer.strategy", "auto"]
    data = yaml.safe_load(method.read_text())["data"]
    assert main([*argv, *small_data(data, places, folder)]) == 0


@pytest.mark.parametrize(
    "config",
    [path for path in DATA if path not in SCORED],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_corpus_takes_the_place_of_a_methods_own(
    config: Path, folder: Path, places: dict[str, dict[str, object]]
) -> None:
    data = yaml.safe_load(config.read_text())
    features = reads_features(data)
    argv = ["fit", "--config", str(ROOT / "vttwins.yaml")]
    tiny = overlay(folder, features=features, captions=writes(data), episodes=has_episodes(data))
    argv += ["--config", str(tiny), "--data", str(config)]
    assert main([*argv, *small_data(data, places, folder, config.stem)]) == 0


@pytest.fixture(scope="module")
def checkpoint(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained for a step."""
    folder = tmp_path_factory.mktemp("trained")
    trainer = quiet_trainer(folder, max_steps=1, limit_val_batches=0)
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, dict(SMALL)))
    trainer.save_checkpoint(folder / "tiny.ckpt")
    return folder / "tiny.ckpt"


@pytest.mark.parametrize("config", SCORED, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_corpus_that_is_not_trained_on_scores_a_checkpoint(
    config: Path, folder: Path, checkpoint: Path, places: dict[str, dict[str, object]]
) -> None:
    pytest.importorskip("sklearn")
    data = yaml.safe_load(config.read_text())
    argv = ["test", "--ckpt_path", str(checkpoint), "--data", str(config)]
    argv += ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    assert main([*argv, *small_data(data, places, folder, config.stem)]) == 0
    (results,) = folder.rglob("results.json")
    names = [record["protocol"] for record in json.loads(results.read_text())]
    assert names == [f"{config.stem}-{probe}" for probe in ("linear", "nn", "zeroshot")]
