from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning
import torch
from pytorch_lightning import Callback, Trainer
from torch.optim.lr_scheduler import ConstantLR

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import BestCheckpoint, BuildVocabulary, StepCheckpoint
from vtlearn.checkpoints import load_learner
from vtlearn.learner import VideoTextLearner

needs_averaging = pytest.mark.skipif(
    not hasattr(pytorch_lightning.callbacks, "EMAWeightAveraging"),
    reason="EMAWeightAveraging came with Lightning 2.6",
)


def averaging() -> Callback:
    kind = pytorch_lightning.callbacks.EMAWeightAveraging
    callback: Callback = kind(decay=0.5)
    return callback


def trained(
    root: Path, small: dict[str, int], folder: Path, epochs: int, resume: Path | None = None
) -> tuple[Trainer, VideoTextLearner]:
    torch.manual_seed(0)
    learner = tiny_learner()
    learner._scheduler = partial(ConstantLR, factor=1.0)  # which does not depend on the epochs
    kept = [BestCheckpoint(), StepCheckpoint(every_n_train_steps=2)]
    trainer = quiet_trainer(
        folder,
        max_epochs=epochs,
        enable_checkpointing=True,
        callbacks=[BuildVocabulary(), averaging(), *kept],
    )
    path = None if resume is None else str(resume)
    trainer.fit(learner, datamodule=tiny_kitchen(root, small), ckpt_path=path, weights_only=True)
    return trainer, learner


def equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    tensors = {name: value for name, value in left.items() if isinstance(value, torch.Tensor)}
    return left.keys() == right.keys() and all(
        torch.equal(value, right[name]) for name, value in tensors.items()
    )


def test_the_words_are_there_when_later_callbacks_are_set_up(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    sizes: list[int] = []

    class Copier(Callback):
        def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
            del trainer, stage
            sizes.append(sum(weight.numel() for weight in pl_module.text_encoder.parameters()))

    trainer = quiet_trainer(
        tmp_path,
        max_steps=1,
        limit_val_batches=0,
        callbacks=[Copier(), BuildVocabulary(), Copier()],
    )
    learner = tiny_learner()
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    final = sum(weight.numel() for weight in learner.text_encoder.parameters())  # type: ignore[union-attr, misc]
    assert sizes[0] < sizes[1] == final


@needs_averaging
def test_the_averaged_model_is_validated_kept_and_resumed(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    whole, _ = trained(kitchen_root, small, tmp_path / "whole", 2)
    _, learner = trained(kitchen_root, small, tmp_path / "half", 1)
    best, steps = (tmp_path / "half" / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    kept = torch.load(best, weights_only=True)
    assert not equal(kept["state_dict"], kept["current_model_state"])
    loaded = load_learner(best)
    assert equal(loaded.state_dict(), learner.state_dict())  # training ends with the average
    figure = kept["callbacks"][next(key for key in kept["callbacks"] if "Best" in key)]
    scorer = quiet_trainer(tmp_path / "score")
    scorer.validate(loaded, datamodule=tiny_kitchen(kitchen_root, small), verbose=False)
    assert scorer.callback_metrics["val/primary"] == figure["best_model_score"]
    last = torch.load(steps, weights_only=True)
    assert set(last) > {"current_model_state", "averaging_state"}
    resumed, _ = trained(kitchen_root, small, tmp_path / "resumed", 2, resume=best)
    paths = (Path(x.default_root_dir, "checkpoints", "last.ckpt") for x in (whole, resumed))
    one, other = (torch.load(path, weights_only=True) for path in paths)
    assert one["global_step"] == other["global_step"]
    assert equal(one["state_dict"], other["state_dict"])
