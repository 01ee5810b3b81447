"""One video in twenty of a Kitchen is damaged, in every way: it trains, and is told of."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.damage import WAYS, Way, damage_videos, unreadable_ids
from tests.media.video.hanging import spare_what_does_not_hang
from tests.models import TINY_ENCODERS
from vtlearn.__main__ import main
from vtlearn.kitchen import KitchenCorpus

pytestmark = pytest.mark.slow

#: One video in twenty is as many as there are ways of being damaged.
VIDEOS = {"train": 20 * len(WAYS), "validation": 2, "test": 20, "size": 32}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KitchenCorpus(tmp_path_factory.mktemp("damaged") / "kitchen", **VIDEOS).prepare()


@pytest.fixture(scope="module")
def damaged(root: Path) -> dict[str, Way]:
    return damage_videos(root, [f"kitchen_train_{20 * n:04d}" for n in range(len(WAYS))])


@pytest.fixture
def config(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    spare_what_does_not_hang(monkeypatch)
    data = {
        "class_path": "Kitchen",
        "init_args": {
            "root": str(root),
            "batch_size": 20,
            "num_workers": 2,
            "time_budget": 0.5,
            "sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0},
            "pixels": {"size": 16},
            **VIDEOS,
        },
    }
    model = {**TINY_ENCODERS, "head": {"class_path": "S2DTW"}}
    trainer = {"accelerator": "cpu", "max_epochs": 2, "limit_val_batches": 0}
    path = tmp_path / "damaged.yaml"
    path.write_text(yaml.safe_dump({"model": model, "data": data, "trainer": trainer}))
    return path


def reported(root: Path) -> dict[str, dict[str, str]]:
    lines = (root / "unreadable.jsonl").read_text().splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}


def test_training_comes_to_its_end_and_reports_exactly_the_unreadable(
    config: Path, root: Path, damaged: dict[str, Way], capfd: pytest.CaptureFixture[str]
) -> None:
    allowed = ["--data.init_args.max_unreadable_fraction", "0.1"]
    assert main(["fit", "--config", str(config), *allowed]) == 0
    assert "5 of 220 videos could not be read" in capfd.readouterr().out
    found = reported(root)
    assert found.keys() == unreadable_ids(damaged)
    stages = {video_id: record["stage"] for video_id, record in found.items()}
    assert stages == {video_id: damaged[video_id].stage for video_id in found}


def test_it_stops_at_the_default_with_the_arithmetic(
    config: Path, root: Path, damaged: dict[str, Way], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(config)]) == 2
    error = capfd.readouterr().err
    # each of the two workers may be the one to find that it is too many
    assert re.search(r"vtlearn: error: [345] of 220 videos cannot be read", error)
    assert "max_unreadable_fraction=0.01" in error
    assert "Traceback" not in error
    assert reported(root).keys() <= unreadable_ids(damaged)


def test_evaluation_raises_or_says_that_it_is_not_comparable(
    config: Path, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "videos" / "kitchen_test_0007.mp4").write_bytes(b"")
    step = ["--trainer.max_steps", "1", "--data.init_args.max_unreadable_fraction", "0.1"]
    assert main(["fit", "--config", str(config), *step]) == 0
    test = ["test", "--config", str(config), "--ckpt_path", "last"]
    assert main(test) == 2
    error = capfd.readouterr().err
    assert "kitchen_test_0007.mp4 cannot be read" in error
    assert "max_unreadable" in error
    assert main([*test, "--data.init_args.max_unreadable", "1"]) == 0
    shown, told = capfd.readouterr()
    assert "NOT COMPARABLE" in shown
    assert re.search(r"not scored: .*kitchen_test_0007.mp4 cannot be read", told)
    assert "19/20" in shown
