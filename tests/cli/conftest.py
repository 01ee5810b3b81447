"""What the tests of the command line share."""

from pathlib import Path

import pytest
import yaml

from tests.cli.workplaces import TINY_MODEL


@pytest.fixture
def workplace(
    tmp_path: Path, kitchen_root: Path, small: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with two configurations to type commands in."""
    monkeypatch.chdir(tmp_path)
    data = {
        "class_path": "Kitchen",
        "init_args": {
            "root": str(kitchen_root),
            "batch_size": 4,
            "evaluation_batch_size": 2,
            "sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0},
            "pixels": {"size": 16},
            **small,
        },
    }
    trainer = {
        "accelerator": "cpu",
        "max_epochs": 1,
        "log_every_n_steps": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": {
            "class_path": "TensorBoardLogger",
            "init_args": {"save_dir": "runs", "name": "t"},
        },
    }
    method = {"model": TINY_MODEL, "data": data, "trainer": trainer}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(method))
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    (tmp_path / "quiet.yaml").write_text(yaml.safe_dump({"trainer": trainer}))
    return tmp_path
