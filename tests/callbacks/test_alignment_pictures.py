from pathlib import Path

import pytest
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.callbacks import AlignmentPictures


@pytest.mark.slow
def test_pictures_go_to_the_run_and_to_tensorboard(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    logger = TensorBoardLogger(tmp_path, "run")
    trainer = quiet_trainer(
        tmp_path, max_epochs=3, callbacks=[AlignmentPictures(every_n_validations=2)], logger=logger
    )
    learner, data = tiny_learner(), tiny_kitchen(kitchen_root, small)
    trainer.fit(learner, datamodule=data)
    trainer.test(learner, datamodule=data, verbose=False)
    pictures = sorted((Path(logger.log_dir) / "alignment").iterdir())
    assert [path.name for path in pictures] == ["epoch-000.png", "epoch-002.png", "test.png"]
    with Image.open(pictures[0]) as picture:
        assert picture.width > 800
    events = EventAccumulator(logger.log_dir).Reload()
    assert len(events.Images("alignment")) >= 2


def test_none_are_drawn_when_none_are_wanted(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    trainer = quiet_trainer(tmp_path, callbacks=[AlignmentPictures(every_n_validations=0)])
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, small))
    assert not (tmp_path / "alignment").exists()
