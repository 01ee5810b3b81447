from pathlib import Path

from tests.models import quiet_trainer
from vtlearn.datamodules.position import Position, position_of


def test_a_training_that_has_not_begun_stands_at_its_first_batch(tmp_path: Path) -> None:
    assert position_of(quiet_trainer(tmp_path)) == Position(0, 0)


def test_it_stands_behind_the_batches_that_are_done(tmp_path: Path) -> None:
    trainer = quiet_trainer(tmp_path)
    trainer.fit_loop.epoch_progress.current.processed = 2  # type: ignore[attr-defined]
    trainer.fit_loop.epoch_loop.batch_progress.current.processed = 7  # type: ignore[attr-defined]
    assert position_of(trainer) == Position(2, 7)
