import logging
import os
from itertools import count
from pathlib import Path

import pytest
import torch

from vtlearn.cli.runs import newest_checkpoint
from vtlearn.errors import CheckpointError

_SECONDS = count(1_000_000_000)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keep(run: str, *names: str, at: int | None = None) -> None:
    """Write checkpoints of a run, each later than all before, or all at one time."""
    folder = Path("runs", run, "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
        seconds = next(_SECONDS) if at is None else at
        os.utime(folder / name, (seconds, seconds))


def leave_a_test(run: str) -> None:
    """Leave what a test leaves: later than all, and no checkpoint."""
    folder = Path("runs", run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").touch()
    (folder / "config.yaml").touch()


def test_the_newest_run_is_the_one_that_was_written_last() -> None:
    keep("a/version_0", "best.ckpt", "last.ckpt")
    keep("a/version_1", "best.ckpt", "last.ckpt")
    assert newest_checkpoint("best", Path("runs/a")) == Path(
        "runs/a/version_1/checkpoints/best.ckpt"
    )
    assert newest_checkpoint("last", Path("runs")) == Path("runs/a/version_1/checkpoints/last.ckpt")
    keep("a/version_0", "last.ckpt")  # goes on: it is written once more
    assert newest_checkpoint("best", Path("runs/a")) == Path(
        "runs/a/version_0/checkpoints/best.ckpt"
    )


def test_the_newest_best_is_not_that_of_the_run_which_improved_last() -> None:
    keep("a/version_0", "last.ckpt")
    keep("a/version_1", "best.ckpt")
    keep("a/version_0", "best.ckpt")
    keep("a/version_1", "last.ckpt")  # both train: this one wrote last, though its best is older
    assert newest_checkpoint("best", Path("runs/a")) == Path(
        "runs/a/version_1/checkpoints/best.ckpt"
    )


def test_of_runs_written_in_one_instant_the_highest_number_is_the_newest() -> None:
    for run in (2, 10, 9):
        keep(f"a/version_{run}", "best.ckpt", "last.ckpt", at=1)
    assert newest_checkpoint("best", Path("runs")).parts[2] == "version_10"


def test_a_run_without_a_best_is_not_skipped_for_an_older_one() -> None:
    keep("a/version_0", "best.ckpt", "last.ckpt")
    keep("a/version_1", "best.ckpt", "last.ckpt")
    keep("a/version_2", "last.ckpt")
    with pytest.raises(CheckpointError) as caught:
        newest_checkpoint("best", Path("runs/a"))
    assert str(caught.value) == (
        "the newest run, runs/a/version_2, kept only last.ckpt, for its data have no validation "
        "split or it ended before its first validation: give --ckpt_path last, or the path of a "
        "checkpoint, such as runs/a/version_1/checkpoints/best.ckpt of an earlier run"
    )
    assert newest_checkpoint("last", Path("runs/a")).parts[2] == "version_2"


def test_an_earlier_best_is_named_only_if_there_is_one() -> None:
    keep("a/version_0", "last.ckpt")
    with pytest.raises(CheckpointError, match=r"or the path of a checkpoint$"):
        newest_checkpoint("best", Path("runs/a"))


def test_a_run_without_a_last() -> None:
    keep("a/version_0", "last.ckpt")
    keep("a/version_1", "best.ckpt")
    with pytest.raises(
        CheckpointError,
        match=r"^the newest run, runs/a/version_1, kept only best\.ckpt: give --ckpt_path best, or "
        r"the path of a checkpoint, such as runs/a/version_0/checkpoints/last\.ckpt of an",
    ):
        newest_checkpoint("last", Path("runs/a"))


@pytest.mark.parametrize("which", ["best", "last"])
def test_what_kept_no_checkpoint_is_no_run(which: str) -> None:
    keep("a/version_0", "best.ckpt", "last.ckpt")
    leave_a_test("a/version_1")
    Path("runs/a/version_2/checkpoints").mkdir(parents=True)  # stopped before its first
    leave_a_test("a/version_0")  # in the folder of the run that is tested
    found = newest_checkpoint("best" if which == "best" else "last", Path("runs/a"))
    assert found == Path(f"runs/a/version_0/checkpoints/{which}.ckpt")


def hold(run: str, name: str, *, whole: bool = True) -> Path:
    """Write a checkpoint that can be read, or half of one."""
    path = Path("runs", run, "checkpoints", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"hyper_parameters": {}, "state_dict": {}}, path)
    if not whole:
        path.write_bytes(path.read_bytes()[:-100])
    return path


def test_the_one_before_is_taken_where_the_last_cannot_be_read(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("vtlearn"), "propagate", True)
    before, last = hold("a/version_0", "previous.ckpt"), hold("a/version_0", "last.ckpt")
    assert newest_checkpoint("last", Path("runs")) == last
    hold("a/version_0", "last.ckpt", whole=False)
    assert newest_checkpoint("last", Path("runs")) == before
    assert f"taking the one before, {before}" in caplog.text
    last.unlink()  # killed between two names
    assert newest_checkpoint("last", Path("runs")) == before
    assert "there is no last.ckpt beside it" in caplog.text
    before.write_bytes(b"")
    hold("a/version_0", "last.ckpt", whole=False)
    with pytest.raises(CheckpointError, match=r"previous\.ckpt is not a vtlearn checkpoint"):
        newest_checkpoint("last", Path("runs"))


def begin(run: str) -> None:
    path = Path("runs", run, ".training.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    seconds = next(_SECONDS)
    os.utime(path, (seconds, seconds))


def test_of_runs_that_were_trained_at_the_same_time_none_is_the_last() -> None:
    begin("a/version_0")
    keep("a/version_0", "last.ckpt")
    begin("a/version_1")
    keep("a/version_1", "last.ckpt")
    assert newest_checkpoint("last", Path("runs")).parts[2] == "version_1"
    keep("a/version_0", "last.ckpt")
    keep("a/version_1", "last.ckpt", "best.ckpt")
    words = (
        r"^runs/a/version_0 and runs/a/version_1 were trained at the same time, and last may mean "
        r"either: give the path of one, such as --ckpt_path runs/a/version_1/.*/last\.ckpt$"
    )
    with pytest.raises(CheckpointError, match=words):
        newest_checkpoint("last", Path("runs"))
    assert newest_checkpoint("best", Path("runs")).parts[2] == "version_1"
    begin("a/version_0")  # and goes on alone
    keep("a/version_0", "last.ckpt")
    assert newest_checkpoint("last", Path("runs")).parts[2] == "version_0"


def test_other_files_are_no_runs() -> None:
    keep("a/version_0", "best.ckpt", "last.ckpt")
    keep("a/version_1", "epoch=3.ckpt")
    Path("runs/a/pretrained").mkdir()
    Path("runs/a/pretrained/last.ckpt").touch()
    Path("runs/a/version_2/checkpoints/best.ckpt").mkdir(parents=True)
    Path("runs/a/version_3/checkpoints").mkdir(parents=True)
    Path("runs/a/version_3/checkpoints/best.ckpt").symlink_to("absent")
    assert newest_checkpoint("best", Path("runs/a")).parts[2] == "version_0"


def test_no_run_at_all() -> None:
    leave_a_test("a/version_0")
    with pytest.raises(CheckpointError, match=r"^there is no best\.ckpt below runs/a: train first"):
        newest_checkpoint("best", Path("runs/a"))
