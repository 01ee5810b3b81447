"""Folders as runs leave them, made without training."""

import json
import os
from pathlib import Path
from typing import Any

import torch
import yaml

__all__ = ["set_time", "write_config", "write_results", "write_training"]


def write_config(folder: Path, *, head: str = "S2DTW", max_epochs: int = 4) -> None:
    """Write what a run is configured with."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "trainer": {"max_epochs": max_epochs},
        "model": {"head": {"class_path": f"vtlearn.heads.{head}"}},
        "data": {"class_path": "vtlearn.datamodules.Kitchen"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def write_training(
    folder: Path,
    best: float | None,
    *,
    epochs: int = 2,
    monitor: str = "val/primary",
    names: tuple[str, ...] = ("best", "last"),
    **config: Any,
) -> None:
    """Write a training that came so far, and what its checkpoints say."""
    write_config(folder, **config)
    (folder / "checkpoints").mkdir()
    state = {"monitor": monitor, "best_model_score": None if best is None else torch.tensor(best)}
    progress = {"ready": epochs, "processed": epochs - 1}  # as at the end of an epoch
    loops = {
        "epoch_progress": {"current": progress},
        "epoch_loop.batch_progress": {"is_last_batch": True},
    }
    content = {
        "hyper_parameters": {"head": {"class_path": "vtlearn.heads.S2DTW"}},
        "state_dict": {},
        "global_step": 10 * epochs,
        "loops": {"fit_loop": loops},
        "callbacks": {"BestCheckpoint{'monitor': 'val/primary'}": state},
    }
    for name in names:
        torch.save(content, folder / "checkpoints" / f"{name}.ckpt")


def write_results(
    folder: Path, value: float, checkpoint: Path | str | None = None, **fields: Any
) -> Path:
    """Write what a test found."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "protocol": "kitchen-retrieval",
        "version": 1,
        "mode": "exact",
        "primary": "R@1",
        "metrics": {"R@1": value, "R@5": 99.0},
        "coverage": {"evaluated": 8, "expected": 8, "missing": []},
        "selected_on_test": False,
        "checkpoint": {"path": checkpoint and str(checkpoint), "sha256": None},
    } | fields
    path = folder / "results.json"
    path.write_text(json.dumps([record]))
    return path


def set_time(path: Path, seconds: float) -> None:
    """Say when a file was written."""
    os.utime(path, (seconds, seconds))
