import json
import shutil
from pathlib import Path

import pytest

from tests.damage import lose_index
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from tests.processes import Pool
from vtlearn.batch import Unreadable
from vtlearn.callbacks import UnreadableReport
from vtlearn.datamodules import Kitchen
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.errors import TooManyUnreadableError


def test_a_training_says_what_it_left_out(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    lose_index(root / "videos" / "kitchen_train_0003.mp4")
    trainer = quiet_trainer(tmp_path, limit_val_batches=0, callbacks=[UnreadableReport()])
    data = tiny_kitchen(root, small, max_unreadable_fraction=0.2)
    trainer.fit(tiny_learner(), datamodule=data)
    assert trainer.callback_metrics["train/unreadable"] == 1
    report = tmp_path / "unreadable.jsonl"
    assert f"1 of 8 videos could not be read: {report}" in capsys.readouterr().out
    (line,) = report.read_text().splitlines()
    assert json.loads(line)["id"] == "kitchen_train_0003"
    quiet_trainer(tmp_path).test(trainer.lightning_module, datamodule=data, verbose=False)
    assert report.exists()  # testing is no training


def merge(folder: str, fraction: float) -> list[str]:
    """Meet one bad video in each process, with a file of its own, and end an epoch."""
    from vtlearn.distributed import process

    rank = process().rank
    data = Kitchen(Path(folder))
    data.unreadable = UnreadableLog(Path(folder) / f"{rank}.jsonl", "abcd", fraction)
    name = "ab"[rank]
    data.unreadable.add(Unreadable(name, f"{name}.mp4", "open", "empty"))
    trainer, learner = quiet_trainer(Path(folder)), tiny_learner()
    trainer.datamodule = data  # type: ignore[attr-defined]
    learner.log = lambda *_args, **_options: None  # type: ignore[method-assign]
    UnreadableReport().on_train_epoch_end(trainer, learner)
    return sorted(data.unreadable.read())


def test_processes_without_a_common_disk_have_one_report(
    two_processes: Pool, tmp_path: Path
) -> None:
    assert two_processes.run(merge, str(tmp_path), 0.5) == [["a", "b"]] * 2


def test_what_is_too_much_together_stops_all(two_processes: Pool, tmp_path: Path) -> None:
    with pytest.raises(TooManyUnreadableError, match="2 of 4"):
        two_processes.run(merge, str(tmp_path), 0.3)
