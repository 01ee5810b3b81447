from pathlib import Path

import torch

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import BestCheckpoint, StepCheckpoint
from vtlearn.datamodules import HowTo100M


def test_the_best_by_validation_and_the_last_are_kept(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    callbacks = [BestCheckpoint(), StepCheckpoint(every_n_train_steps=1)]
    trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, small))
    best, last = (
        Path(str(callback.dirpath)) / name
        for callback, name in zip(callbacks, ("best.ckpt", "last.ckpt"), strict=True)
    )
    assert callbacks[0].best_model_path == str(best)
    assert torch.load(best, weights_only=True)["global_step"] in (2, 4)
    assert torch.load(last, weights_only=True)["global_step"] == 4
    assert len(list(best.parent.iterdir())) == 2


def test_without_validation_there_is_no_best(kitchen_root: Path, tmp_path: Path) -> None:
    from tests.models import LOADING

    data = HowTo100M(
        kitchen_root / "captions",
        videos=kitchen_root / "videos",
        **LOADING,
        batch_size=4,
        unreadable_log=tmp_path / "q.jsonl",
    )
    callbacks = [BestCheckpoint(), StepCheckpoint(every_n_train_steps=1)]
    trainer = quiet_trainer(tmp_path, max_steps=2, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(tiny_learner(), datamodule=data)
    assert [path.name for path in Path(str(callbacks[0].dirpath)).iterdir()] == ["last.ckpt"]
