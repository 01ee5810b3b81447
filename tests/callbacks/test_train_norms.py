from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import TrainNorms
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner


def with_norms() -> VideoTextLearner:
    learner = tiny_learner()
    head: Any = learner.head
    head.inner = nn.Sequential()
    head.inner.LayerNorm = nn.LayerNorm(4)
    head.norm = nn.LayerNorm(4)  # of another name
    head.LayerNorm = nn.LayerNorm(4)
    return learner


def trained(learner: VideoTextLearner) -> list[str]:
    return [name for name, x in learner.named_parameters() if x.requires_grad]


def test_only_modules_of_that_name_train(tmp_path: Path) -> None:
    learner = with_norms()
    TrainNorms().setup(quiet_trainer(tmp_path), learner, "fit")
    assert trained(learner) == [
        "head.inner.LayerNorm.weight",
        "head.inner.LayerNorm.bias",
        "head.LayerNorm.weight",
        "head.LayerNorm.bias",
    ]


def test_nothing_changes_where_nothing_is_trained(tmp_path: Path) -> None:
    learner = with_norms()
    before = trained(learner)
    TrainNorms().setup(quiet_trainer(tmp_path), learner, "test")
    assert trained(learner) == before


def test_a_model_without_such_a_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="VideoCLIP and Bert"):
        TrainNorms().setup(quiet_trainer(tmp_path), tiny_learner(), "fit")


def test_a_training_changes_nothing_else(
    tmp_path: Path, kitchen_root: Path, small: dict[str, Any]
) -> None:
    learner = with_norms()
    trainer = quiet_trainer(tmp_path, max_steps=1, callbacks=[TrainNorms()], limit_val_batches=0)
    data = tiny_kitchen(kitchen_root, small)
    learner.text_encoder.build(["chop the carrot"])  # type: ignore[union-attr]
    before = {name: x.detach().clone() for name, x in learner.named_parameters()}
    trainer.fit(learner, data)
    optimiser = trainer.optimizers[0]
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 4
    for name, parameter in learner.named_parameters():
        if "LayerNorm" not in name:
            assert torch.equal(parameter, before[name]), name
