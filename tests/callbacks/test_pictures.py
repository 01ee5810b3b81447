from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.models import quiet_trainer
from vtlearn.callbacks.pictures import keep_picture


def test_a_picture_is_a_file_and_is_in_tensorboard(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path, "run")
    path = tmp_path / "deep" / "one.png"
    keep_picture(quiet_trainer(tmp_path, logger=logger), Figure(figsize=(2, 1)), path, "kind/one")
    with Image.open(path) as picture:
        assert picture.size == (220, 110)
    logger.experiment.flush()
    events = EventAccumulator(logger.log_dir).Reload()
    assert [event.step for event in events.Images("kind/one")] == [0]


def test_without_tensorboard_there_is_the_file(tmp_path: Path) -> None:
    keep_picture(quiet_trainer(tmp_path), Figure(), tmp_path / "one.png", "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
